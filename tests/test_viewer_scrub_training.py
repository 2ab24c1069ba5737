"""The steps of a fit under a slider."""

import base64
import io
import json
import math

import matplotlib
import numpy as np
import pytest
import torch
from browser import pixels, show, watched
from PIL import Image

import sirenlib
from sirenlib.viewer import scrub_training

ALT = "The cameraman after forty steps."


@pytest.fixture(scope="module")
def fit():
    """A model, its states at three steps, and its picture."""
    signal = sirenlib.cameraman(24)
    generator = torch.Generator().manual_seed(0)
    model = sirenlib.Siren(2, 24, 1, 1, init="fast", generator=generator)
    states = {}
    for step in (0, 10, 40):
        if step:
            sirenlib.fit(model, signal, epochs=step, lr=2e-3, generator=generator)
        states[step] = {name: w.clone() for name, w in model.state_dict().items()}
    return model, states, signal


def quality(model, state, signal):
    model = sirenlib.Siren(**model.architecture())
    model.load_state_dict(state)
    return sirenlib.signal_psnr(model, signal)


def panel(page, index) -> np.ndarray:
    """The picture, the gradient or the Laplacian: ``(24, 24, 3)`` in [0, 1]."""
    return pixels(page.locator("canvas").nth(index))


def test_every_step_under_the_slider(page, fit):
    model, states, signal = fit
    show(page, scrub_training(model, states, signal, alt=ALT))
    for place, (step, state) in enumerate(states.items()):
        page.get_by_role("slider", name="step").fill(str(place))
        words = f"step {step}, {quality(model, state, signal):.1f} dB"
        assert page.locator("output").text_content() == words
        label = page.locator("canvas").first.get_attribute("aria-label")
        assert label == f"picture at {words}"
        model.load_state_dict(state)
        target = (sirenlib.render(model, 24, 24)[..., 0].numpy() + 1) / 2
        off = np.abs(panel(page, 0) - target.clip(0, 1)[..., None])
        assert np.mean(off) < 0.015  # WebP loses a little


def test_panels_differ_and_change_with_the_step(page, fit):
    show(page, scrub_training(*fit, alt=ALT))
    last = [panel(page, i) for i in range(3)]
    page.get_by_role("slider", name="step").press("Home")
    first = [panel(page, i) for i in range(3)]
    for a, b in zip(first, last, strict=True):
        assert np.abs(a - b).mean() > 0.01
    assert np.ptp(last[1] - last[1][..., :1]) > 0.2  # colors, not grays


def test_derivatives_have_the_colors_of_their_sizes(page, fit):
    model, states, signal = fit
    show(page, scrub_training(model, states, signal, alt=ALT))
    model.load_state_dict(states[40])
    _, slope, laplacian = sirenlib.evaluate(model, signal.coords)
    slope, laplacian = slope.norm(dim=1).numpy(), laplacian[:, 0].numpy()
    slope = slope / np.quantile(slope, 0.99)
    laplacian = 0.5 + 0.5 * laplacian / np.quantile(np.abs(laplacian), 0.99)
    for i, name, unit in [(1, "viridis", slope), (2, "RdBu_r", laplacian)]:
        colors = matplotlib.colormaps[name](unit.reshape(24, 24))[..., :3]
        assert np.abs(panel(page, i) - colors).mean() < 0.03


def test_play_goes_from_the_first_step_to_the_last(page, fit):
    show(page, scrub_training(*fit, alt=ALT))
    page.get_by_role("button", name="play").click()
    assert "step 0," in page.locator("output").text_content()
    page.get_by_role("button", name="pause").wait_for()
    page.get_by_text("step 40,").wait_for()
    page.get_by_role("button", name="play").wait_for()


def test_nothing_moves_by_itself_for_who_asked_for_stillness(chromium, fit):
    with watched(chromium, reduced_motion="reduce") as page:
        show(page, scrub_training(*fit, alt=ALT))
        assert page.get_by_role("button").count() == 0
        assert page.get_by_role("slider", name="step").is_visible()


def test_the_model_is_left_as_it_is(fit):
    model, states, signal = fit
    before = {name: w.clone() for name, w in model.state_dict().items()}
    scrub_training(model, states, signal, alt=ALT)
    assert all((before[k] == w).all() for k, w in model.state_dict().items())


def test_color(page):
    rng = np.random.default_rng(0)
    signal = sirenlib.image_signal(rng.random((24, 24, 3)))
    model = sirenlib.Siren(2, 8, 0, 3)
    output = scrub_training(
        model, {0: model.state_dict(), 1: model.state_dict()}, signal, alt=ALT
    )
    show(page, output)
    target = (sirenlib.render(model, 24, 24).numpy() + 1) / 2
    assert np.abs(panel(page, 0) - target).mean() < 0.025


def grays(shape, count):
    """A network whose picture is all of one gray, another one at each step."""
    signal = sirenlib.image_signal(np.zeros(shape))
    model = sirenlib.Siren(2, 4, 0, 1)
    levels = np.linspace(-0.9, 0.9, count)
    states = {}
    for step, level in enumerate(levels):
        state = {name: w.clone() for name, w in model.state_dict().items()}
        state["net.1.weight"].zero_()
        state["net.1.bias"].fill_(level)
        states[step] = state
    return model, states, signal, (levels + 1) / 2


def test_more_steps_than_one_column_holds(page):
    """17 times 1024 pixels are more than WebP's 16383."""
    model, states, signal, levels = grays((1024, 8), 17)
    output = scrub_training(model, states, signal, alt=ALT)
    sheet = base64.b64decode(json.loads(output.spec)["sheet"].split(",")[1])
    assert Image.open(io.BytesIO(sheet)).size == (2 * 24, 9 * 1024)
    show(page, output)
    slider = page.get_by_role("slider", name="step")
    for place in (0, 8, 9, 16):  # the ends of both columns
        slider.fill(str(place))
        page.get_by_text(f"step {place},").wait_for()
        assert np.abs(panel(page, 0) - levels[place]).max() < 0.02
        white = panel(page, 2)  # a Laplacian of 0 everywhere
        assert np.abs(white - matplotlib.colormaps["RdBu_r"](0.5)[:3]).max() < 0.02


def test_more_steps_than_a_page_holds():
    model, states, _, _ = grays((8, 8), 5)
    wide = sirenlib.Signal(torch.zeros(10_000, 2), torch.zeros(10_000, 1), (2, 5000))
    tall = sirenlib.Signal(torch.zeros(8192, 2), torch.zeros(8192, 1), (8192, 1))
    assert scrub_training(model, dict([*states.items()][:2]), tall, alt=ALT)
    long = sirenlib.Signal(torch.zeros(20_000, 2), torch.zeros(20_000, 1), (20_000, 1))
    with pytest.raises(ValueError, match=r"5 steps of 20000 x 1 pixels .* holds 0"):
        scrub_training(model, states, long, alt=ALT)
    assert scrub_training(model, states, wide, alt=ALT)
    many = dict.fromkeys(range(8192), states[0])
    with pytest.raises(ValueError, match=r"8192 steps .* holds 8191 of that size"):
        scrub_training(model, many, wide, alt=ALT)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_step_that_is_not_finite(fit, number):
    model, states, signal = fit
    broken = {name: w.clone() for name, w in states[10].items()}
    broken["net.0.linear.weight"][2, 1] = number
    with pytest.raises(ValueError, match="the network at step 10 holds NaN"):
        scrub_training(model, {**states, 10: broken}, signal, alt=ALT)


def test_a_perfect_fit(page):
    """JSON has no infinity: it stands as 200 dB."""
    model, states, signal, _ = grays((8, 8), 2)
    states[1]["net.1.bias"].fill_(-1)  # all black, as the picture is
    show(page, scrub_training(model, states, signal, alt=ALT))
    page.get_by_text("step 1, 200.0 dB").wait_for()


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_precisions(fit, kind):
    _, states, signal = fit
    model = sirenlib.Siren(**fit[0].architecture()).to(kind)
    states = {k: {n: w.to(kind) for n, w in each.items()} for k, each in states.items()}
    plain = {k: {n: w.float() for n, w in each.items()} for k, each in states.items()}
    wanted = scrub_training(fit[0], plain, signal, alt=ALT)
    assert scrub_training(model, states, signal, alt=ALT).html() == wanted.html()


def test_wrong_input(fit):
    model, states, signal = fit
    with pytest.raises(ValueError, match="two steps or more"):
        scrub_training(model, {0: states[0]}, signal, alt=ALT)
    sound = sirenlib.Signal(torch.zeros(4, 1), torch.zeros(4, 1), (4,))
    with pytest.raises(ValueError, match="a picture has two axes"):
        scrub_training(model, states, sound, alt=ALT)
