"""A network at many points: what it gives, where, in which mode, in how much memory."""

import math

import pytest
import torch
from devices import devices
from torch import nn

from sirenlib import (
    Signal,
    Siren,
    coordinate_grid,
    evaluate,
    evaluation,
    gradient,
    laplace,
    psnr,
    render,
    signal_psnr,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(out_features=1, hidden_layers=1, **options):
    return Siren(
        2, 8, hidden_layers, out_features, generator=seeded(), **options
    ).double()


def relu_network():
    layers = nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)
    return nn.Sequential(*layers).double()


@pytest.fixture
def x():
    return torch.rand(40, 2, generator=seeded(), dtype=torch.float64) * 2 - 1


def close(a, b, atol=1e-12):
    return a.shape == b.shape and torch.allclose(a, b, atol=atol, rtol=0)


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.fixture
def chunk(monkeypatch):
    """Set how many points are computed at a time."""
    return lambda size: monkeypatch.setattr(evaluation, "chunk_of", lambda _: size)


# Value, gradient and Laplacian


@devices
@pytest.mark.parametrize("size", [1, 7, 40, 4096])
@pytest.mark.parametrize("model", [network(3), nn.Sequential(network(3))])
def test_chunks_do_not_change_the_result(x, chunk, model, size, device):
    model, coords = model.to(device), x.to(device)
    whole = evaluate(model, coords)
    chunk(size)
    chunked = evaluate(model, coords)
    assert all(close(a, b, atol=1e-9) for a, b in zip(whole, chunked, strict=True))


def test_evaluate_gives_value_gradient_and_laplacian(x):
    model = network()
    value, slope, curvature = evaluate(model, x)
    x.requires_grad_()
    assert close(value, model(x))
    assert close(slope, gradient(model(x), x), atol=1e-10)
    assert close(curvature, laplace(model(x), x), atol=1e-8)


def test_evaluate_differentiates_the_mean_of_the_outputs(x):
    model = network(out_features=3)
    value, slope, curvature = evaluate(model, x)
    assert value.shape == (40, 3)
    x.requires_grad_()
    assert close(slope, gradient(model(x), x) / 3, atol=1e-10)
    assert close(curvature, laplace(model(x), x) / 3, atol=1e-8)


@pytest.mark.parametrize("asks", [True, False])
def test_evaluate_leaves_no_graph_and_no_gradients(x, asks):
    model = network()
    x.requires_grad_(asks)
    assert not any(field.requires_grad for field in evaluate(model, x))
    assert all(p.grad is None for p in model.parameters()) and x.grad is None
    assert x.requires_grad == asks


def test_evaluate_takes_a_relu_network(x):
    assert not evaluate(relu_network(), x)[2].any()


def test_evaluate_of_a_siren_is_that_of_autograd(x):
    model = network(3, 2)
    hidden = nn.Sequential(model)  # no Siren any more: takes the other way
    for one, other in zip(evaluate(model, x), evaluate(hidden, x), strict=True):
        assert relative(one, other) < 1e-10


class Square(nn.Module):
    """|x|², a function without weights."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, coords):
        self.seen.append(len(coords))
        return coords.square().sum(-1, keepdim=True)


def test_values_alone_are_those_of_the_network(x, chunk):
    model = network(3)
    chunk(7)
    found = evaluation.values_at(model, x)
    assert close(found, model(x).detach()) and not found.requires_grad


def test_evaluate_never_holds_more_than_a_chunk():
    function = Square()
    evaluate(function, torch.zeros(10_000, 2))
    assert max(function.seen) <= 4096 and sum(function.seen) == 10_000


def test_function_without_weights_is_evaluated_in_float32():
    value, slope, curvature = evaluate(Square(), torch.tensor([[1.0, 2.0]]))
    assert value.tolist() == [[5]] and slope.tolist() == [[2, 4]]
    assert curvature.tolist() == [[4]] and value.dtype == torch.float32


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("model", [network(3), nn.Sequential(network(3))])
def test_evaluate_gives_derivatives_where_gradients_are_off(x, context, model):
    wanted = evaluate(model, x)
    with context():
        found = evaluate(model, x)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@devices
def test_results_lie_where_the_coordinates_lie(device):
    model = Siren(2, 8, 1, 1).to(device)
    assert {field.device.type for field in evaluate(model, torch.rand(5, 2))} == {"cpu"}
    there = evaluate(model, torch.rand(5, 2).to(device))
    assert {field.device.type for field in there} == {device}


@pytest.mark.parametrize(
    ("weights", "results"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
    ],
)
@pytest.mark.parametrize("coords", [torch.float64, torch.float32, torch.float16])
def test_coordinates_of_any_floating_type_are_taken(weights, results, coords):
    model = Siren(2, 8, 1, 1).to(weights)
    for asked in (model, nn.Sequential(model)):
        fields = evaluate(asked, torch.rand(5, 2).to(coords))
        assert {field.dtype for field in fields} == {results}
    picture = render(model, 3, 4)
    assert picture.dtype == results and picture.shape == (3, 4, 1)


# Modes


class Noisy(nn.Module):
    """A network with a part of its own mode, dropout, and learned statistics."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 1)
        )
        self.frozen = nn.BatchNorm1d(1).eval()

    def forward(self, x):
        return self.frozen(self.inner(x))


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: evaluate(model, coordinate_grid(4, 4)),
        lambda model: render(model, 4, 4),
        lambda model: signal_psnr(
            model, Signal(coordinate_grid(4, 4), torch.zeros(16, 1), (4, 4))
        ),
        lambda model: evaluation.values_at(model, coordinate_grid(4, 4)),
    ],
    ids=["evaluate", "render", "signal_psnr", "values_at"],
)
def test_network_is_asked_in_evaluation_mode_and_each_part_put_back(ask):
    model = Noisy()
    modes = [part.training for part in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    ask(model)
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_mode_is_put_back_after_an_error():
    model = Noisy()
    modes = [part.training for part in model.modules()]
    with pytest.raises(RuntimeError):
        evaluate(model, torch.rand(4, 3))
    assert [part.training for part in model.modules()] == modes


# PSNR


def test_psnr_of_a_signal_is_that_of_the_whole():
    signal = Signal(coordinate_grid(70, 70), torch.zeros(4900, 1), (70, 70), (-3, 1))
    model = Siren(2, 8, 1, 1)
    expected = psnr(model(signal.coords), signal.values, 4.0)
    assert math.isclose(signal_psnr(model, signal), expected, rel_tol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_counts_each_value_by_its_weight(channels):
    values = torch.rand(4900, 3, generator=seeded())
    counts = torch.rand(4900, channels, generator=seeded(1))
    grid = coordinate_grid(70, 70)
    signal = Signal(grid, values, (70, 70), weights=counts)
    model = Siren(2, 8, 1, 3)
    squares = (model(grid).detach() - values).double().square()
    mean = (squares * counts).sum() / counts.expand_as(squares).sum()
    expected = 10 * math.log10(2**2 / mean)
    assert math.isclose(signal_psnr(model, signal), expected, rel_tol=1e-6)


# Pictures


def test_rendered_picture_can_be_changed_and_trained_with():
    model = Siren(2, 8, 1, 1)
    picture = render(model, 4, 5)
    picture.clamp_(-1, 1)
    (model(coordinate_grid(4, 5)) * picture.reshape(20, 1)).sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize(
    ("height", "width"), [(65_536, 2), (2, 65_536), (3_000_000, 1)]
)
def test_picture_with_too_long_a_side_is_refused_at_once(height, width):
    with pytest.raises(ValueError, match="must be at most 65535, not"):
        render(Siren(2, 8, 1, 1), height, width)
