"""Quilts of other tiles, overlaps and depths, under three sliders."""

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
from sirenlib.viewer import explore_quilt

ALT = "The cameraman, fitted by one tile."
SIGNAL = sirenlib.cameraman(24)
TILES, OVERLAPS, LAYERS = (1, 2, 4), (0.125, 0.5), (0, 2)


@pytest.fixture(scope="module")
def fits():
    """A quilt for each setting, in another order than the sliders'."""
    found = {}
    for layers in LAYERS:
        for overlap in reversed(OVERLAPS):
            for tiles in TILES:
                generator = torch.Generator().manual_seed(0)
                settings = {"overlap": overlap, "first_omega_0": 12.0 / tiles}
                model = sirenlib.Quilt(
                    (tiles, tiles), 12, layers, 1, **settings, generator=generator
                )
                recipe = {"epochs": 15, "lr": 5e-3, "generator": generator}
                sirenlib.fit(model, SIGNAL, **recipe)
                found[tiles, overlap, layers] = model
    return found


def panel(page, index) -> np.ndarray:
    """The picture or the Laplacian: ``(24, 24, 3)`` in [0, 1]."""
    return pixels(page.locator("canvas").nth(index))


def choose(page, tiles: int, overlap: int, layers: int) -> None:
    """Move the sliders to those places."""
    names = ("tiles along a side", "overlap", "hidden layers")
    for name, place in zip(names, (tiles, overlap, layers), strict=True):
        page.get_by_role("slider", name=name).fill(str(place))


def all_settings():
    for i, tiles in enumerate(TILES):
        for j, overlap in enumerate(OVERLAPS):
            for k, layers in enumerate(LAYERS):
                yield (i, j, k), (tiles, overlap, layers)


def five_points(signal) -> float:
    """The scale of the Laplacian, by loops and by the book."""
    picture = signal.values.numpy().mean(1).reshape(signal.shape)
    (top, bottom), (left, right) = signal.corners()
    down = (bottom - top) / (len(picture) - 1)
    right = (right - left) / (picture.shape[1] - 1)
    found = []
    for i in range(1, len(picture) - 1):
        for j in range(1, picture.shape[1] - 1):
            rows = picture[i - 1, j] - 2 * picture[i, j] + picture[i + 1, j]
            columns = picture[i, j - 1] - 2 * picture[i, j] + picture[i, j + 1]
            found.append(abs(rows / down**2 + columns / right**2))
    return np.quantile(found, 0.99)


def test_every_setting_under_the_sliders(page, fits):
    show(page, explore_quilt(fits, SIGNAL, alt=ALT))
    for places, setting in all_settings():
        choose(page, *places)
        words = f"{sirenlib.signal_psnr(fits[setting], SIGNAL):.1f} dB on the pixels"
        assert page.locator("output").text_content() == words
        tiles, overlap, layers = setting
        label = page.locator("canvas").first.get_attribute("aria-label")
        assert label == (
            f"picture with tiles along a side: {tiles}, overlap: {overlap}, "
            f"hidden layers: {layers}; {words}"
        )
        target = (sirenlib.render(fits[setting], 24, 24)[..., 0].numpy() + 1) / 2
        off = np.abs(panel(page, 0) - target.clip(0, 1)[..., None])
        assert np.mean(off) < 0.03  # WebP loses a little


def test_laplacian_has_the_colors_of_the_picture(page, fits):
    """They are the same for all settings: by what the pixels themselves have."""
    show(page, explore_quilt(fits, SIGNAL, alt=ALT))
    scale = five_points(SIGNAL)
    for places, setting in all_settings():
        choose(page, *places)
        _, _, laplacian = sirenlib.evaluate(fits[setting], SIGNAL.coords)
        unit = 0.5 + 0.5 * laplacian.reshape(24, 24).numpy() / scale
        colors = matplotlib.colormaps["RdBu_r"](unit)[..., :3]
        assert np.abs(panel(page, 1) - colors).mean() < 0.03


@pytest.mark.parametrize("shape, ends", [((5, 9), (1.0, -2.0)), ((9, 5), (0.5, 0.7))])
def test_scale_of_a_picture_that_is_not_square(page, shape, ends):
    """By a network whose Laplacian is half of the scale everywhere."""
    rng = np.random.default_rng(0)
    grid = sirenlib.signals.grid_between([(*ends, shape[0]), (-1, 1, shape[1])])
    values = torch.from_numpy(rng.uniform(-1, 1, (45, 3)).astype(np.float32))
    signal = sirenlib.Signal(grid, values, shape)
    size = 0.5 * five_points(signal)

    class Bowl(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(size / 4))

        def forward(self, x):
            return (self.factor * x.square().sum(-1, keepdim=True)).expand(-1, 3)

    show(page, explore_quilt({(1, 0.5, 1): Bowl()}, signal, alt=ALT))
    page.get_by_text("on the pixels").wait_for()
    color = matplotlib.colormaps["RdBu_r"](0.75)[:3]
    assert np.abs(panel(page, 1) - color).mean() < 0.02


def test_the_first_is_shown_first(page, fits):
    output = explore_quilt(fits, SIGNAL, alt=ALT)
    show(page, output)
    first = next(iter(fits))
    assert first == (1, 0.5, 0)
    words = f"{sirenlib.signal_psnr(fits[first], SIGNAL):.1f} dB on the pixels"
    page.get_by_text(words, exact=True).wait_for()
    said = page.locator(".number").all_text_contents()
    assert said == ["1", "0.5", "0"]
    target = (sirenlib.render(fits[first], 24, 24)[..., 0].numpy() + 1) / 2
    file = io.BytesIO(base64.b64decode(output.picture))
    picture = np.asarray(Image.open(file).convert("RGB")) / 255
    assert picture.shape == (24, 48, 3)
    still = np.abs(picture[:, :24] - target.clip(0, 1)[..., None])
    assert still.mean() < 0.02  # a palette of 128 colors
    assert np.abs(
        picture - np.concatenate([panel(page, 0), panel(page, 1)], 1)
    ).mean() < (0.03)


def test_all_numbers_in_one_line(page, fits):
    finer = sirenlib.cameraman(47)
    seconds = {setting: 0.5 + i for i, setting in enumerate(fits)}
    show(page, explore_quilt(fits, SIGNAL, alt=ALT, between=finer, seconds=seconds))
    for places, setting in all_settings():
        choose(page, *places)
        on, off = (sirenlib.signal_psnr(fits[setting], s) for s in (SIGNAL, finer))
        assert page.locator("output").text_content() == (
            f"{on:.1f} dB on the pixels, {off:.1f} dB between them, "
            f"{seconds[setting]:.1f} s on a CPU"
        )


def test_keys_move_the_sliders(page, fits):
    show(page, explore_quilt(fits, SIGNAL, alt=ALT))
    slider = page.get_by_role("slider", name="tiles along a side")
    for key, said in [("End", "4"), ("ArrowLeft", "2"), ("Home", "1")]:
        slider.press(key)
        assert slider.get_attribute("aria-valuetext") == said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_phone(chromium, fits, scheme):
    settings = {"viewport": {"width": 390, "height": 800}, "color_scheme": scheme}
    with watched(chromium, **settings) as page:
        show(page, explore_quilt(fits, SIGNAL, alt=ALT))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        boxes = [page.locator("canvas").nth(i).bounding_box() for i in (0, 1)]
        assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["width"] > 160


def test_many_settings_are_not_heavy(fits):
    """A page of 48 pictures of 96 x 96 pixels."""
    signal = sirenlib.cameraman(96)
    models = list(fits.values())
    many = {}
    for i in range(48):
        many[1 + i // 12, (1 + i // 3 % 4) / 8, i % 3] = models[i % len(models)]
    assert len(explore_quilt(many, signal, alt=ALT).html()) < 1.2e6


def test_color(page):
    rng = np.random.default_rng(0)
    signal = sirenlib.image_signal(rng.random((24, 24, 3)))
    model = sirenlib.Quilt((2, 2), 8, 0, 3)
    show(page, explore_quilt({(2, 0.125, 0): model}, signal, alt=ALT))
    page.get_by_text("on the pixels").wait_for()
    target = (sirenlib.render(model, 24, 24).numpy() + 1) / 2
    assert np.abs(panel(page, 0) - target.clip(0, 1)).mean() < 0.025


def test_the_networks_are_left_as_they_are(fits):
    before = [{k: w.clone() for k, w in m.state_dict().items()} for m in fits.values()]
    explore_quilt(fits, SIGNAL, alt=ALT)
    for model, state in zip(fits.values(), before, strict=True):
        assert all((state[k] == w).all() for k, w in model.state_dict().items())


def test_a_setting_that_is_missing(fits):
    part = {setting: model for setting, model in fits.items() if setting != (2, 0.5, 0)}
    with pytest.raises(ValueError, match=r"all 12 .*: \(2, 0.5, 0\) is missing"):
        explore_quilt(part, SIGNAL, alt=ALT)
    seconds = dict.fromkeys(part, 1.0)
    with pytest.raises(ValueError, match=r"seconds must .*: \(2, 0.5, 0\) is missing"):
        explore_quilt(fits, SIGNAL, alt=ALT, seconds=seconds)
    with pytest.raises(ValueError, match="fits is empty"):
        explore_quilt({}, SIGNAL, alt=ALT)


@pytest.mark.parametrize(
    "setting, message",
    [
        (4, "fits has the key 4: it must be"),
        ((4, 0.5), "it must be"),
        ((0, 0.5, 1), "tiles along a side must be a whole number from 1, not 0"),
        ((4, 0.0, 1), "overlap must be a positive number"),
        ((4, 0.5, 1.5), "hidden layers must be a whole number from 0"),
    ],
)
def test_keys_that_are_no_settings(setting, message):
    model = sirenlib.Quilt((2, 2), 4, 0, 1)
    with pytest.raises(ValueError, match=message):
        explore_quilt({setting: model}, SIGNAL, alt=ALT)


def test_what_a_page_does_not_show(fits):
    model = sirenlib.Quilt((2, 2), 4, 0, 1)
    sound = sirenlib.Signal(torch.zeros(4, 1), torch.zeros(4, 1), (4,))
    with pytest.raises(ValueError, match="a picture has two axes"):
        explore_quilt({(2, 0.5, 0): model}, sound, alt=ALT)
    thin = sirenlib.image_signal(np.zeros((2, 9)))
    with pytest.raises(ValueError, match=r"shape \(2, 9\): .* at least 3 x 3"):
        explore_quilt({(2, 0.5, 0): model}, thin, alt=ALT)
    wide = sirenlib.Signal(torch.zeros(27_000, 2), torch.zeros(27_000, 1), (3, 9000))
    with pytest.raises(ValueError, match=r"1 settings of 3 x 9000 pixels .* holds 0"):
        explore_quilt({(2, 0.5, 0): model}, wide, alt=ALT)
    with torch.no_grad():
        model.net[0].linear.weight[1, 0, 2] = math.nan
    with pytest.raises(ValueError, match=r"the setting \(2, 0.5, 0\) holds NaN"):
        explore_quilt({(2, 0.5, 0): model}, SIGNAL, alt=ALT)


def test_a_flat_picture_and_a_perfect_fit(page):
    """JSON has no infinity: it stands as 200 dB; and nothing is divided by zero."""
    signal = sirenlib.image_signal(np.zeros((8, 8)))
    model = sirenlib.Quilt((1, 1), 4, 0, 1)
    with torch.no_grad():
        model.net[-1].weight.zero_()
        model.net[-1].bias.fill_(-1)
    output = explore_quilt({(1, 0.5, 0): model}, signal, alt=ALT)
    assert json.loads(output.spec)["psnr"] == [[200.0]]
    show(page, output)
    page.get_by_text("200.0 dB on the pixels").wait_for()
