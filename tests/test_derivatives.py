"""Derivatives by autograd, against formulas on paper."""

import math

import numpy as np
import pytest
import torch
from devices import devices
from torch import nn

from sirenlib import (
    Siren,
    divergence,
    forward_laplacian,
    gradient,
    jacobian,
    laplace,
)

TINY = 1e-12  # float64 rounds at 1e-16; the numbers here are below 1000


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(40, 2, generator=generator, dtype=torch.float64) * 2 - 1
    return points.requires_grad_()


def waves(x):
    """3 sin(5a) + 2 sin(7b), with its gradient and Laplacian."""
    a, b = x[:, :1], x[:, 1:]
    value = 3 * torch.sin(5 * a) + 2 * torch.sin(7 * b)
    slope = torch.cat([15 * torch.cos(5 * a), 14 * torch.cos(7 * b)], -1)
    curvature = -75 * torch.sin(5 * a) - 98 * torch.sin(7 * b)
    return value, slope, curvature


def polynomial(x):
    """a³b² with its gradient and Laplacian."""
    a, b = x[:, :1], x[:, 1:]
    slope = torch.cat([3 * a**2 * b**2, 2 * a**3 * b], -1)
    return a**3 * b**2, slope, 6 * a * b**2 + 2 * a**3


def close(a, b, atol=TINY):
    return a.shape == b.shape and torch.allclose(a, b, atol=atol, rtol=0)


def small_siren(out_features=1, hidden_layers=1):
    generator = torch.Generator().manual_seed(0)
    return Siren(2, 8, hidden_layers, out_features, generator=generator).double()


@pytest.mark.parametrize("function", [waves, polynomial])
def test_gradient_of_a_known_function(x, function):
    value, slope, _ = function(x)
    assert close(gradient(value, x), slope)


@pytest.mark.parametrize("function", [waves, polynomial])
def test_laplacian_of_a_known_function(x, function):
    value, _, curvature = function(x)
    assert close(laplace(value, x), curvature)


def test_divergence_of_a_known_field(x):
    a, b = x[:, :1], x[:, 1:]
    field = torch.cat([a**2 * b, torch.sin(3 * b) + a], -1)
    assert close(divergence(field, x), 2 * a * b + 3 * torch.cos(3 * b))


def test_laplacian_is_the_divergence_of_the_gradient(x):
    value, slope, _ = waves(x)
    assert close(laplace(value, x), divergence(slope, x))


def test_gradient_sums_over_outputs(x):
    (value_a, slope_a, _), (value_b, slope_b, _) = waves(x), polynomial(x)
    both = torch.cat([value_a, value_b], -1)
    assert close(gradient(both, x), slope_a + slope_b)


def test_laplacian_sums_over_outputs(x):
    (value_a, _, curvature_a), (value_b, _, curvature_b) = waves(x), polynomial(x)
    both = torch.cat([value_a, value_b], -1)
    assert close(laplace(both, x), curvature_a + curvature_b)


def test_jacobian_has_one_gradient_for_each_output(x):
    (value_a, slope_a, _), (value_b, slope_b, _) = waves(x), polynomial(x)
    both = torch.cat([value_a, value_b], -1)
    assert close(jacobian(both, x), torch.stack([slope_a, slope_b], 1))


def test_works_in_three_dimensions():
    x = torch.rand(9, 3, dtype=torch.float64, requires_grad=True)
    value = (x**2).sum(-1, keepdim=True)
    assert close(laplace(value, x), torch.full((9, 1), 6.0, dtype=torch.float64))


def test_siren_of_one_layer_against_its_formula(x):
    model = small_siren(hidden_layers=0)
    weight, bias = (p.detach().numpy() for p in model.net[0].linear.parameters())
    out = model.net[1].weight.detach().numpy()  # (1, 8)
    phase = 30 * (x.detach().numpy() @ weight.T + bias)
    slope = 30 * (out * np.cos(phase)) @ weight
    curvature = -(30**2) * (out * np.sin(phase)) @ (weight**2).sum(1, keepdims=True)
    value = model(x)
    assert close(gradient(value, x), torch.from_numpy(slope))
    # The curvature is of size 900: float64 leaves 1e-13 of that.
    assert close(laplace(value, x), torch.from_numpy(curvature), atol=1e-10)


def test_siren_of_two_layers_against_its_formula(x):
    model = small_siren(hidden_layers=1)
    w1, b1, w2, b2, out, _ = (p.detach().numpy() for p in model.parameters())
    phase1 = 30 * (x.detach().numpy() @ w1.T + b1)
    phase2 = 30 * (np.sin(phase1) @ w2.T + b2)
    inner = 900 * np.einsum("ij,nj,jk->nik", w2, np.cos(phase1), w1)
    slope = np.einsum("i,ni,nik->nk", out[0], np.cos(phase2), inner)
    bend = -27_000 * np.sin(phase1) @ (w2 * (w1**2).sum(1)).T
    curvature = np.cos(phase2) * bend - np.sin(phase2) * (inner**2).sum(-1)
    value = model(x)
    assert close(gradient(value, x), torch.from_numpy(slope), atol=1e-10)
    # Terms of 1e4 cancel: float64 leaves 1e-16 of them, a few operations more.
    assert close(laplace(value, x), torch.from_numpy(curvature @ out.T), atol=1e-8)


def relu_network():
    layers = nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize("frozen", [False, True])
def test_laplacian_of_a_relu_network_is_zero(x, frozen):
    model = relu_network().requires_grad_(not frozen)
    assert close(laplace(model(x), x), torch.zeros_like(x[:, :1]), atol=0)


@pytest.mark.parametrize("frozen", [False, True])
def test_laplacian_of_a_linear_function_is_zero(x, frozen):
    model = nn.Linear(2, 3).double().requires_grad_(not frozen)
    assert close(laplace(model(x), x), torch.zeros_like(x[:, :1]), atol=0)


@pytest.mark.parametrize("operator", [gradient, laplace])
def test_weights_can_be_trained_through(x, operator):
    model = small_siren()
    operator(model(x), x).square().mean().backward()
    *weights, last_bias = model.parameters()
    assert all(p.grad.abs().max() > 0 for p in weights)
    assert last_bias.grad is None or not last_bias.grad.any()


def test_gradient_of_a_gradient_loss_is_right(x):
    model = small_siren()
    weight = model.net[0].linear.weight

    def loss():
        return gradient(model(x), x).square().mean()

    loss().backward()
    expected, step, ends = weight.grad[3, 1].item(), 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            weight[3, 1] += sign * step
        ends.append(loss().item())
        with torch.no_grad():
            weight[3, 1] -= sign * step
    # Central differences err by step² times a third derivative of relative size 30².
    difference = (ends[0] - ends[1]) / (2 * step)
    assert math.isclose(difference, expected, rel_tol=1e-4)


def test_coordinates_without_gradient_get_a_remedy():
    coords = torch.rand(4, 2)
    with pytest.raises(ValueError, match=r"x does not ask .*x\.requires_grad_\(\)"):
        gradient(Siren(2, 8, 1, 1)(coords), coords)


def test_asking_for_gradients_after_the_network_gets_a_remedy():
    coords = torch.rand(4, 2)
    value = Siren(2, 8, 1, 1)(coords)
    coords.requires_grad_()
    with pytest.raises(ValueError, match="call the network again"):
        gradient(value, coords)


def test_no_grad_gets_a_remedy():
    coords = torch.rand(4, 2, requires_grad=True)
    with torch.no_grad():
        value = Siren(2, 8, 1, 1)(coords)
    with pytest.raises(ValueError, match=r"torch\.no_grad"):
        gradient(value, coords)


def test_divergence_needs_one_component_for_each_coordinate(x):
    with pytest.raises(ValueError, match=r"\(40, 1\) and x \(40, 2\).*each coordinate"):
        divergence(waves(x)[0], x)


# Value, Jacobian and Laplacian in one forward pass


def by_autograd(model, coords):
    """The same three from nested autograd, one output at a time."""
    coords = coords.clone().requires_grad_()
    value = model(coords)
    channels = value.split(1, dim=-1)
    curvatures = [laplace(channel, coords) for channel in channels]
    return value, jacobian(value, coords), torch.cat(curvatures, dim=-1)


def network(d, c, hidden_layers, **options):
    generator = torch.Generator().manual_seed(d + 10 * c)
    options |= {"generator": generator}
    return Siren(d, 24, hidden_layers, c, **options).double()


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("hidden_layers", [0, 1, 3])
@pytest.mark.parametrize("c", [1, 3])
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("outermost_linear", [True, False])
def test_forward_agrees_with_autograd(d, c, hidden_layers, outermost_linear):
    model = network(d, c, hidden_layers, outermost_linear=outermost_linear)
    coords = 2 * torch.rand(9, d, dtype=torch.float64) - 1
    found, wanted = forward_laplacian(model, coords), by_autograd(model, coords)
    assert [f.shape for f in found] == [(9, c), (9, c, d), (9, c)]
    for one, other in zip(found, wanted, strict=True):
        assert relative(one, other) < 1e-10


def weight_gradients(loss, model):
    return torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_loss_on_forward_derivatives_is_trained_through(which):
    model = network(2, 1, 2)
    coords = 2 * torch.rand(9, 2, dtype=torch.float64) - 1
    results = []
    for method in (forward_laplacian, by_autograd):
        loss = (method(model, coords)[which] - 0.3).square().mean()
        results.append(weight_gradients(loss, model))
    pairs = [pair for pair in zip(*results, strict=True) if pair[1] is not None]
    assert len(pairs) >= 5
    for one, other in pairs:
        assert (one - other).abs().max() < 1e-10 * max(1, other.abs().max())


def test_forward_pass_compiles_with_its_backward():
    model = network(2, 3, 2)
    coords = torch.rand(9, 2, dtype=torch.float64)

    def loss(coords):
        return forward_laplacian(model, coords)[2].square().mean()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    plain, traced = (weight_gradients(f(coords), model) for f in (loss, compiled))
    for one, other in zip(plain, traced, strict=True):
        assert one is other is None or torch.allclose(one, other, rtol=1e-10)


def test_coordinates_may_ask_for_gradients_themselves():
    model, coords = network(2, 1, 1), torch.rand(5, 2, dtype=torch.float64)
    coords.requires_grad_()
    value, slopes, _ = forward_laplacian(model, coords)
    assert relative(gradient(value, coords), slopes[:, 0]) < 1e-12


def test_autocast_does_not_lower_the_precision_of_derivatives():
    model = Siren(2, 24, 2, 1)
    coords = torch.rand(9, 2)
    plain = forward_laplacian(model, coords)
    with torch.autocast("cpu", torch.bfloat16):
        lowered = forward_laplacian(model, coords)
    assert all(
        torch.equal(one, other) for one, other in zip(plain, lowered, strict=True)
    )


@devices
def test_forward_pass_runs_on_every_device(device):
    model = Siren(2, 24, 2, 1).to(device)
    coords = torch.rand(9, 2, device=device)
    assert all(t.device.type == device for t in forward_laplacian(model, coords))


@pytest.mark.parametrize(
    ("model", "coords", "message"),
    [
        (
            torch.nn.Linear(2, 1),
            torch.rand(3, 2),
            "a Siren or a Quilt, not Linear",
        ),
        (Siren(2, 4, 0, 1), torch.rand(3, 3), r"they must be \(N, 2\)"),
        (Siren(2, 4, 0, 1), torch.rand(2), r"they must be \(N, 2\)"),
    ],
)
def test_forward_pass_refuses_what_it_cannot_do(model, coords, message):
    with pytest.raises(ValueError, match=message):
        forward_laplacian(model, coords)
