"""One step of a fit: its optimizer, and what it sets and puts back."""

import copy

import pytest
import torch
from processes import needs_fork, require_in_a_process
from torch import nn

from sirenlib import Quilt, Signal, Siren, coordinate_grid, evaluate, fit, render
from sirenlib.steps import VERSION, Recipe, Stepper, adam_for, products_in

products = torch.backends.cuda.matmul
needs_new_settings = pytest.mark.skipif(
    not hasattr(products, "fp32_precision"), reason="needs PyTorch 2.9"
)


def grid_signal():
    coords = coordinate_grid(8, 8)
    return Signal(coords, coords[:, :1] * coords[:, 1:], (8, 8))


def network():
    return Siren(2, 8, 1, 1, generator=torch.Generator().manual_seed(0))


# Settings of PyTorch, each tried in a process of its own: they cannot all be undone.


def everything_works():
    model = network()
    model(coordinate_grid(3, 3)).sum().backward()
    for precision in ("float32", "bfloat16"):
        fit(model, grid_signal(), epochs=2, precision=precision)
    evaluate(model, coordinate_grid(3, 3))
    render(model, 3, 3)


@pytest.fixture(scope="module")
def loaded():
    """What the first step loads need not be loaded in every process."""
    everything_works()


def new_setting_of_products(value):
    products.fp32_precision = value
    everything_works()
    assert products.fp32_precision == value
    with products_in("tf32"):
        assert products.fp32_precision == "tf32"
        everything_works()
    assert products.fp32_precision == value


def new_setting_of_everything(value):
    torch.backends.fp32_precision = value
    before = products.fp32_precision
    everything_works()
    with products_in("tf32"):
        assert products.fp32_precision == "tf32"
        everything_works()
    assert torch.backends.fp32_precision == value and products.fp32_precision == before


def old_setting(value):
    torch.set_float32_matmul_precision(value)
    everything_works()
    with products_in("tf32"):
        everything_works()
    assert torch.get_float32_matmul_precision() == value
    assert products.allow_tf32 == (value != "highest")
    everything_works()


def old_setting_of_products(value):
    products.allow_tf32 = value
    with products_in("tf32"):
        everything_works()
    assert products.allow_tf32 == value


def both_settings(value):
    torch.set_float32_matmul_precision(value)
    products.fp32_precision = "ieee"
    everything_works()
    with products_in("tf32"):
        everything_works()
    assert products.fp32_precision == "ieee"


@needs_fork
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param(new_setting_of_products, "tf32", marks=needs_new_settings),
        pytest.param(new_setting_of_products, "ieee", marks=needs_new_settings),
        pytest.param(new_setting_of_everything, "tf32", marks=needs_new_settings),
        pytest.param(new_setting_of_everything, "ieee", marks=needs_new_settings),
        pytest.param(both_settings, "high", marks=needs_new_settings),
        (old_setting, "highest"),
        (old_setting, "high"),
        (old_setting, "medium"),
        (old_setting_of_products, True),
        (old_setting_of_products, False),
    ],
)
def test_settings_of_products_are_as_they_were(loaded, setting, value):
    require_in_a_process(setting, value)


def settings_after_an_error():
    name = "fp32_precision" if hasattr(products, "fp32_precision") else "allow_tf32"
    before = getattr(products, name)
    with pytest.raises(ZeroDivisionError), products_in("tf32"):
        assert getattr(products, name) != before
        raise ZeroDivisionError
    assert getattr(products, name) == before


@needs_fork
def test_settings_of_products_are_put_back_after_an_error():
    require_in_a_process(settings_after_an_error)


def settings_left_alone(precision):
    before = products.allow_tf32
    with products_in(precision):
        assert products.allow_tf32 == before


@needs_fork
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_other_precisions_leave_the_settings_alone(precision):
    require_in_a_process(settings_left_alone, precision)


# The optimizer


class Spied(torch.optim.Adam):
    """Adam that keeps what it was made with, and is made for this machine."""

    def __init__(self, weights, rate, **options):
        self.made_with = options
        super().__init__(weights, rate)


@pytest.mark.parametrize(
    ("model", "device", "fused"),
    [
        (nn.Linear(2, 1), "cuda", True),
        (nn.Linear(2, 1), "cpu", VERSION >= (2, 4)),
        (nn.Linear(2, 1, dtype=torch.complex64), "cuda", False),
        (nn.Linear(2, 1, dtype=torch.complex64), "cpu", False),
        (
            nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, dtype=torch.cfloat)),
            "cuda",
            False,
        ),
    ],
    ids=["cuda", "cpu", "complex", "complex on cpu", "partly complex"],
)
def test_real_weights_alone_are_fused(monkeypatch, model, device, fused):
    monkeypatch.setattr(torch.optim, "Adam", Spied)
    made = adam_for(model, torch.device(device))
    assert made.made_with["fused"] == fused


def test_frozen_weights_are_left_out():
    model = network()
    model.net[0].requires_grad_(False)
    step = Stepper(model, grid_signal(), Recipe(1), {})
    learned = step.adam.param_groups[0]["params"]
    assert [id(p) for p in learned] == [id(p) for p in [*model.parameters()][2:]]


def test_each_step_forgets_the_gradient_of_the_last():
    model, signal = network(), grid_signal()
    step = Stepper(model, signal, Recipe(1), {})
    step(torch.arange(64), 0.0)
    first = [weight.grad.clone() for weight in model.parameters()]
    step(torch.arange(64), 0.0)
    for weight, gradient in zip(model.parameters(), first, strict=True):
        assert torch.equal(weight.grad, gradient)


def test_moments_go_on_in_another_stepper():
    models = [network(), network()]
    signal, recipe, whole = grid_signal(), Recipe(1, 16), torch.arange(64).split(16)
    one = Stepper(models[0], signal, recipe, {})
    for index in whole:
        one(index, 1e-3)
    two = Stepper(models[1], signal, recipe, {})
    for index in whole[:2]:
        two(index, 1e-3)
    three = Stepper(models[1], signal, recipe, copy.deepcopy(two.moments()))
    for index in whole[2:]:
        three(index, 1e-3)
    pairs = zip(models[0].parameters(), models[1].parameters(), strict=True)
    assert all(torch.equal(first, second) for first, second in pairs)
    assert float(one.error) == pytest.approx(float(two.error + three.error))


def test_error_adds_up_the_squares_of_every_step():
    model, signal = network(), grid_signal()
    with torch.no_grad():
        squares = (model(signal.coords) - signal.values).square()
    step = Stepper(model, signal, Recipe(1, 48), {})
    for index in (torch.arange(48), torch.arange(16, 64)):
        step(index, 0.0)
    expected = squares[:48].sum() + squares[16:].sum()
    assert float(step.error) == pytest.approx(float(expected))


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_quilt_on_a_cpu_makes_as_much_room_as_each_batch_needs(engine):
    step = Stepper(
        Quilt((2, 2), 4, 0, 1), grid_signal(), Recipe(1, 16, engine=engine), {}
    )
    assert step.options == {}


def test_compiled_quilt_has_fixed_room(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: model)
    model, signal = Quilt((2, 2), 4, 0, 1), grid_signal()
    step = Stepper(model, signal, Recipe(1, 16, engine="compile"), {})
    # A coarser grid is 4 by 4, and a quarter of it in each tile.
    assert step.options == {"room": 4}
    assert Stepper(network(), signal, Recipe(1, 16, engine="compile"), {}).options == {}
