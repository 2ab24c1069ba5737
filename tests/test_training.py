"""Training on any loss: the loop of the docstring, its stops and its errors."""

import math

import pytest
import torch
from torch import Generator, nn

from sirenlib import Siren, gradient, train


def network(seed=0):
    generator = Generator().manual_seed(seed)
    return Siren(1, 16, 1, 1, first_omega_0=6.0, generator=generator)


def slope_loss(model):
    """The slope is that of sin 3x; the value at 0 is 1."""

    def loss(generator):
        x = (2 * torch.rand(64, 1, generator=generator) - 1).requires_grad_()
        slope = gradient(model(x), x)
        value = model(torch.zeros(1, 1))
        return (slope - 3 * (3 * x).cos()).square().mean() + (value - 1).square().sum()

    return loss


def run(model, steps=40, **options):
    options = {"lr": 1e-2, "generator": Generator().manual_seed(3), **options}
    return train(model, slope_loss(model), steps=steps, **options)


def weights(model):
    return torch.cat([each.detach().flatten() for each in model.parameters()])


@pytest.mark.parametrize("clip", [None, 0.5])
def test_it_is_the_loop_of_its_docstring(clip):
    model, other = network(), network()
    history = run(model, clip=clip)
    seed = int(torch.randint(2**62, (), generator=Generator().manual_seed(3)))
    adam, losses = torch.optim.Adam(other.parameters()), []
    for step in range(40):
        for group in adam.param_groups:
            group["lr"] = 1e-2 * (1 - step / 40)
        adam.zero_grad()
        loss = slope_loss(other)(Generator().manual_seed(seed + step))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(other.parameters(), clip)
        adam.step()
        losses.append(float(loss.detach()))
    assert weights(model).allclose(weights(other), rtol=1e-3, atol=1e-5)
    assert history.step == list(range(1, 41))
    assert history.loss == pytest.approx(losses, rel=1e-3)
    assert history.psnr == [] and math.isnan(history.final_psnr)
    assert not history.interrupted


def test_a_slope_and_one_value_give_the_function():
    model = network()
    run(model, steps=600)
    x = torch.linspace(-1, 1, 50)[:, None]
    with torch.no_grad():
        error = (model(x) - 1 - (3 * x).sin()).abs().max()
    assert error < 0.1  # a slope that is wrong by a factor of 1.1 gives 0.1 and more


def test_unknown_numbers_are_learned_and_frozen_ones_are_not():
    model = nn.ModuleDict({"network": network()})
    model["network"].net[0].requires_grad_(False)
    model.register_parameter("speed", nn.Parameter(torch.tensor(1.0)))
    first = model["network"].net[0].linear.weight.detach().clone()

    def loss(generator):
        x = torch.rand(8, 1, generator=generator)
        return (model.speed - 2).square() + model["network"](x).square().mean()

    train(model, loss, steps=300, lr=3e-2)
    assert float(model.speed.detach()) == pytest.approx(2, abs=0.02)
    assert model["network"].net[0].linear.weight.equal(first)


def test_each_step_has_points_of_its_own():
    seen, model = [], network()

    def loss(generator):
        assert generator.device.type == "cpu"
        seen.append(torch.rand((), generator=generator).item())
        return model(torch.zeros(1, 1)).sum()

    train(model, loss, steps=9, lr=1e-3)
    assert len(set(seen)) == 9


class Stop:
    """A loss that is stopped by Ctrl-C once, or for good, at a call."""

    def __init__(self, model, at):
        self.loss, self.calls, self.at = slope_loss(model), 0, at

    def __call__(self, generator):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return self.loss(generator)


def test_ctrl_c_keeps_what_has_been_learned():
    model, shorter = network(), network()
    history = train(model, Stop(model, 11), steps=20, lr=1e-3)
    assert history.interrupted and history.step[-1] == 10
    assert not weights(model).equal(weights(shorter))


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    from sirenlib import checkpoints

    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)  # after every step
    whole, model, path = network(), network(), tmp_path / "state.pt"
    expected = run(whole)
    stopped = Stop(model, 20)
    train(
        model,
        stopped,
        steps=40,
        lr=1e-2,
        checkpoint=path,
        generator=Generator().manual_seed(3),
    )
    again = network()
    history = run(again, checkpoint=path)
    assert 0 < history.resumed_at < 20
    assert weights(again).equal(weights(whole))
    assert history.step == expected.step
    finished = run(network(), checkpoint=path)
    assert finished.resumed_at == 40 and finished.step == expected.step


@pytest.mark.parametrize(
    ("options", "word"),
    [({"lr": 2e-2}, "lr"), ({"clip": 1.0}, "clip"), ({"steps": 30}, "number of")],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, options, word):
    path = tmp_path / "state.pt"
    run(network(), checkpoint=path)
    with pytest.raises(ValueError, match=f"with another {word}"):
        run(network(), checkpoint=path, **options)
    wider = Siren(1, 17, 1, 1)
    with pytest.raises(ValueError, match=r"with another .*model"):
        run(wider, checkpoint=path)


def test_a_loss_that_is_no_longer_finite_gives_back_good_weights():
    model, calls = network(), 0
    good = slope_loss(model)

    def loss(generator):
        nonlocal calls
        calls += 1
        return good(generator) * (math.nan if calls > 5 else 1)

    with pytest.raises(FloatingPointError, match=r"lr=0\.01 is too large"):
        train(model, loss, steps=20, lr=1e-2)
    assert weights(model).isfinite().all()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda model: 1.0, "a real scalar tensor.*not a float"),
        (lambda model: model(torch.zeros(3, 1)), r"not a tensor of shape \(3, 1\)"),
        (lambda model: model(torch.zeros(1, 1)).sum().detach(), "without .detach"),
        (lambda model: model(torch.zeros(0, 1)).mean(), "nan before the first step"),
        (lambda model: model(torch.zeros(1, 1)).sum() / 0, "inf before the first"),
    ],
)
def test_a_loss_that_is_none_is_refused(loss, message):
    model = network()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        train(model, lambda generator: loss(model), steps=3, lr=1e-3)
    assert weights(model).equal(before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be a whole number from 1"),
        ({"steps": 1.5}, "steps must be a whole number from 1"),
        ({"lr": -1.0}, "lr must be a positive number"),
        ({"clip": 0.0}, "clip must be a positive number"),
    ],
)
def test_wrong_numbers_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run(network(), **options)


def test_a_model_with_nothing_to_learn_is_refused():
    model = network().requires_grad_(False)
    with pytest.raises(ValueError, match="no parameters that ask for gradients"):
        run(model)
