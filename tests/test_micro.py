"""The network of forty lines and the library's: the same numbers."""

import math
import re
import textwrap

import pytest
import torch

from sirenlib import Signal, Siren, coordinate_grid, fit
from sirenlib.micro import MicroSiren, micro_fit, micro_grid


def twins(dtype, d=2, channels=1, hidden_layers=1):
    """Both networks, with the same weights."""
    ours = Siren(d, 16, hidden_layers, channels, first_omega_0=9, hidden_omega_0=9)
    micro = MicroSiren(d, 16, hidden_layers, channels, omega_0=9)
    for weight, other in zip(ours.parameters(), micro.parameters(), strict=True):
        weight.data.copy_(other)
    return ours.to(dtype), micro.to(dtype)


@pytest.mark.parametrize("shape", [(2, 2), (5, 7), (64, 48)])
def test_grids_are_equal(shape):
    assert torch.equal(micro_grid(*shape), coordinate_grid(*shape))


@pytest.mark.parametrize(("d", "channels"), [(1, 1), (2, 1), (2, 3), (3, 1), (5, 2)])
@pytest.mark.parametrize("hidden_layers", [0, 3])
def test_networks_compute_the_same(d, channels, hidden_layers):
    ours, micro = twins(torch.float64, d, channels, hidden_layers)
    x = torch.rand(50, d, dtype=torch.float64) * 2 - 1
    assert torch.allclose(ours(x), micro(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float64, 1e-10), (torch.float32, 2e-5)]
)
@pytest.mark.parametrize("batch_size", [64, 100, 255, 272])
def test_fits_reach_the_same_weights(batches, batch_size, dtype, bound):
    coords = micro_grid(16, 17)
    values = 0.5 * torch.sin(3 * coords[:, :1]) * coords[:, 1:]
    coords, values = coords.to(dtype), values.to(dtype)
    ours, micro = twins(dtype)
    signal = Signal(coords, values, (16, 17))
    fit(ours, signal, epochs=5, batch_size=batch_size, lr=1e-3, engine="eager")
    assert len(batches) == math.ceil(5 * 272 / batch_size)
    start = [weight.clone() for weight in micro.parameters()]
    micro_fit(micro, coords, values, batches, lr=1e-3)
    for weight, other, first in zip(
        ours.parameters(), micro.parameters(), start, strict=True
    ):
        assert (weight - other).abs().max() < bound
        assert (other - first).abs().max() > 1e-3


def test_loop_of_the_docstring_reaches_the_weights_of_fit(batches):
    coords = micro_grid(16, 17).double()
    signal = Signal(coords, 0.5 * torch.sin(3 * coords[:, :1]), (16, 17))
    ours, model = twins(torch.float64)
    fit(ours, signal, epochs=5, batch_size=100, lr=1e-3, engine="eager")
    loop = re.search(
        r"it is this loop::\n\n(.*?)\n\n    Epochs", fit.__doc__, re.DOTALL
    )
    names = {"model": model, "signal": signal, "batches": batches, "lr": 1e-3}
    names |= {"steps": len(batches), "torch": torch, "math": math}
    exec(textwrap.dedent(loop[1]), names)
    for weight, other in zip(ours.parameters(), model.parameters(), strict=True):
        assert (weight - other).abs().max() < 1e-10


def test_micro_network_begins_as_the_official_one():
    micro = MicroSiren(2, 256, 3, 1, 30.0)
    bounds = [1 / 2, *[math.sqrt(6 / 256) / 30] * 4]
    for linear, bound in zip(micro.maps, bounds, strict=True):
        top = linear.weight.abs().max()
        assert top <= bound and top > 0.95 * bound
        assert linear.bias.abs().max() <= linear.in_features**-0.5
