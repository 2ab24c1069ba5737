"""The sound that a page plays: its numbers against 64 bits, its use as by a person."""

import copy
import json
import math

import browser
import numpy as np
import pytest
import torch
from browser import colors_in_the_dark, frames, pixels, run, show, watched

import sirenlib
from sirenlib.files import SavedNetwork
from sirenlib.quilt import Quilt
from sirenlib.signals import array_signal
from sirenlib.viewer import play_sound
from sirenlib.viewer.play_sound import packed_in_16_bits

ALT = "A tone that fades."
RATE, SAMPLES = 8000, 1200
BOUND = 1e-9


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def siren(width=32, hidden_layers=1, omega_0=3000.0, **settings):
    settings |= {"first_omega_0": omega_0, "generator": seeded()}
    return sirenlib.Siren(1, width, hidden_layers, 1, **settings)


def quilt(tiles, width=16, hidden_layers=1, **settings):
    settings |= {"first_omega_0": 500.0, "generator": seeded()}
    return Quilt((tiles,), width, hidden_layers, 1, **settings)


def linears(model):
    return [getattr(layer, "linear", layer) for layer in model.net]


def as_in_the_page(model):
    """The network in 64 bits, its hidden matrices rounded as they travel."""
    model = copy.deepcopy(model).double().requires_grad_(False)
    for linear in linears(model)[1:-1]:
        tiles = linear.weight.view(-1, *linear.weight.shape[-2:])
        for weight in tiles:
            unit = weight.float().abs().max() / 32767
            if unit:
                steps = (weight.float() / unit).round()
                weight.copy_(steps.double() * unit.double())
    return model


def evenly(first, last, count):
    return torch.linspace(first, last, count, dtype=torch.float64)[:, None]


# The numbers

VALUES = """
  const network = readNetwork(unrounded(given.network));
  return Array.from(valuesAlong(network, Float64Array.from(given.coords)));"""


def error(page, model, window=(-1.0, 1.0)) -> float:
    """How far the page is off, inside of the window and around it."""
    middle, half = sum(window) / 2, 0.6 * (window[1] - window[0])
    coords = evenly(middle - half, middle + half, 997)
    given = {"network": packed_in_16_bits(model), "coords": coords.flatten().tolist()}
    found = np.array(run(page, "line", VALUES, given))
    with torch.no_grad():
        expected = as_in_the_page(model)(coords)[:, 0].numpy()
    assert np.abs(expected).max() > 0.03
    return np.abs(found - expected).max()


@pytest.mark.parametrize(
    "model",
    [
        siren(),
        siren(hidden_layers=0),
        siren(hidden_layers=3, hidden_omega_0=7.0),
        siren(outermost_linear=False),
    ],
    ids=["one hidden layer", "none", "three", "sine at the end"],
)
def test_a_network_in_64_bits(page, model):
    assert error(page, model) < BOUND


@pytest.mark.parametrize("tiles", [1, 2, 31])
@pytest.mark.parametrize("overlap", [0.02, 0.125, 1.0])
@pytest.mark.parametrize("window", [(-1.0, 1.0), (3.0, -2.0)])
def test_a_quilt_in_64_bits(page, tiles, overlap, window):
    model = quilt(tiles, overlap=overlap, window=(window,))
    assert error(page, model, window) < BOUND


def test_a_quilt_without_hidden_layers(page):
    assert error(page, quilt(5, hidden_layers=0)) < BOUND


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("Float64Array.from(list", "Float32Array.from(list"),
        ("unit * steps[step++]", "steps[step++] / 32767"),
        ("+= share * found[i]", "= share * found[i]"),
        ("Math.floor(tile / behind(i + 1)) % count", "0"),
    ],
    ids=["32 bits", "no unit", "no blend", "one tile"],
)
def test_the_nearest_wrong_page_is_noticed(page, monkeypatch, right, wrong):
    joined = browser.joined
    assert right in joined("line")
    monkeypatch.setattr(
        browser, "joined", lambda *names: joined(*names).replace(right, wrong)
    )
    assert error(page, quilt(7)) > 1000 * BOUND


def test_16_bits_of_hidden_layers_are_enough_and_of_others_are_not():
    model = siren(width=64, hidden_layers=2)
    coords = evenly(-1, 1, 4096)

    def ratio(changed) -> float:
        with torch.no_grad():
            return sirenlib.snr(changed.double()(coords), in_64_bits(coords))

    def halved(numbers):
        """In half precision the layers of those numbers."""
        changed = copy.deepcopy(model)
        for number in numbers:
            weight = linears(changed)[number].weight
            weight.data = weight.data.half().float()
        return changed

    in_64_bits = copy.deepcopy(model).double()
    travels = ratio(as_in_the_page(model))
    assert travels > 85
    assert travels > ratio(halved([1, 2])) + 10
    with torch.no_grad():
        in_32_bits = model(coords.float()).double()
        assert travels > sirenlib.snr(in_32_bits, in_64_bits(coords)) + 3
    assert ratio(halved([0])) < 30


def test_a_matrix_of_zeros(page):
    model = quilt(2)
    with torch.no_grad():
        model.net[1].linear.weight[0] = 0
    assert error(page, model) < BOUND


def test_room_in_the_page():
    """Of 62 networks of width 64, with 270,000 weights."""
    model = Quilt((62,), 64, 1, 1, generator=seeded())
    output = play_sound(model, alt=ALT, rate=RATE, samples=63_000)
    size = len(output.html())
    print(f"{size / 1000:.0f} KB")
    assert size < 850_000


# What is heard

LISTEN = """() => {
  window.heard = [];
  window.contexts = [];
  const copy = AudioBuffer.prototype.copyToChannel;
  AudioBuffer.prototype.copyToChannel = function (samples, channel) {
    heard.push({ samples: Array.from(samples), rate: this.sampleRate });
    return copy.call(this, samples, channel);
  };
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (when, from) {
    Object.assign(heard.at(-1), { from, speed: this.playbackRate.value });
    return start.call(this, when, from);
  };
  const Plain = AudioContext;
  window.AudioContext = class extends Plain {
    constructor() {
      super();
      contexts.push(this);
    }
  };
}"""


def target(samples=SAMPLES, peak=1.0):
    time = np.arange(samples) / RATE
    tone = np.sin(2 * np.pi * 440 * time) * np.exp(-4 * time)
    return array_signal(peak * tone, value_range=(-peak, peak))


def opened(page, model=None, **settings):
    """The page with a sound that is ready."""
    page.evaluate(LISTEN)
    settings = {"alt": ALT, "rate": RATE} | settings
    if "target" not in settings:
        settings.setdefault("samples", SAMPLES)
    show(page, play_sound(model or quilt(3), **settings))
    page.get_by_role("button", name="play", exact=True).wait_for()
    page.locator("[aria-busy=false]").wait_for()
    return page


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def place(page) -> float:
    """Of the line in the waveform, from 0 to 1."""
    left = page.locator(".playhead").evaluate("(line) => line.style.left")
    return float(left.removesuffix("%")) / 100


@pytest.mark.parametrize("model", [quilt(3), siren()], ids=["quilt", "siren"])
def test_play_gives_the_samples_of_the_network(page, model):
    opened(page, model)
    assert page.evaluate("contexts.length + heard.length") == 0  # not by itself
    press(page, "play")
    page.wait_for_function("contexts[0].state === 'running'")
    [heard] = page.evaluate("heard")
    with torch.no_grad():
        expected = as_in_the_page(model)(evenly(-1, 1, SAMPLES))[:, 0].numpy()
    assert np.abs(np.array(heard["samples"]) - expected).max() < 1e-6
    assert (heard["rate"], heard["speed"], heard["from"]) == (RATE, 1, 0)


@pytest.mark.parametrize(
    "rate, played", [(3000, 8000), (44100, 44100), (192000, 96000)]
)
def test_every_rate_can_be_played(page, rate, played):
    press(opened(page, rate=rate), "play")
    [heard] = page.evaluate("heard")
    assert heard["rate"] == played
    assert heard["speed"] * heard["rate"] == pytest.approx(rate)


def test_a_sound_outside_of_one_is_as_loud_as_its_range(page):
    model = siren()
    opened(page, model, target=target(peak=2.0))
    for name in ("recording", "network"):
        press(page, name)
        press(page, "play")
        page.get_by_role("button", name="play", exact=True).wait_for()
    recording, network = (np.array(each["samples"]) for each in page.evaluate("heard"))
    with torch.no_grad():
        expected = as_in_the_page(model)(evenly(-1, 1, SAMPLES))[:, 0].numpy() / 2
    assert np.abs(network - expected).max() < 1e-6
    assert np.abs(recording - target().array().flatten()).max() < 2e-5


def test_the_recording_goes_on_where_the_network_was(page):
    opened(page, target=target(60 * RATE))
    press(page, "play")
    page.wait_for_function("contexts[0].currentTime > 0.1")
    press(page, "recording")
    network, recording = page.evaluate("heard.map(({ from }) => from)")
    assert network == 0 and 0.05 < recording <= page.evaluate("contexts[0].currentTime")


def test_it_stops_at_the_end_and_begins_again(page):
    opened(page)
    press(page, "play")
    page.get_by_role("button", name="play", exact=True).wait_for()
    assert place(page) == pytest.approx(0.5 / SAMPLES, abs=1e-4)
    press(page, "play")
    assert page.evaluate("heard.map(({ from }) => from)") == [0, 0]


def test_pause_keeps_the_place(page):
    opened(page, samples=60 * RATE)
    press(page, "play")
    page.wait_for_function("contexts[0].currentTime > 0.1")
    press(page, "pause")
    before = place(page)
    assert before * 60 > 0.05
    frames(page, 4)
    assert place(page) == before
    press(page, "play")
    assert page.evaluate("heard[1].from") == pytest.approx(before * 60, abs=0.01)


def test_the_slider_and_a_click_set_the_place(page):
    opened(page, samples=60 * RATE)
    slider = page.get_by_role("slider", name="play from")
    slider.fill("50")
    assert slider.get_attribute("aria-valuetext") == "15.00 s"
    assert place(page) == pytest.approx(0.25, abs=1e-3)
    box = page.get_by_role("application").bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 20)
    assert slider.get_attribute("aria-valuetext") == "45.00 s"
    page.keyboard.press("Space")
    assert page.evaluate("heard[0].from") == pytest.approx(45, abs=0.1)


def test_the_line_goes_in_steps_where_less_motion_is_wanted(page):
    page.emulate_media(reduced_motion="reduce")
    opened(page, samples=60 * RATE)
    press(page, "play")
    moves, seconds = page.locator(".playhead").evaluate(
        """async (line) => {
          const start = performance.now();
          let [moves, last] = [0, ""];
          for (let i = 0; i < 40; i++) {
            await new Promise(requestAnimationFrame);
            if (line.style.left !== last) moves++;
            last = line.style.left;
          }
          return [moves, (performance.now() - start) / 1000];
        }"""
    )
    assert moves <= 2 + 2 * seconds


# What is seen

BLUE = np.array([0x1A, 0x73, 0xB8]) / 255
ORANGE = np.array([0xD9, 0x73, 0x1A]) / 255


def seen(page, color) -> np.ndarray:
    """Where the waveform has that color: ``(H, W)``."""
    page.locator("[aria-busy=false]").wait_for()
    return np.abs(pixels(page.locator("canvas")) - color).max(axis=2) < 0.02


def rows_of(values, height) -> np.ndarray:
    return height * (0.5 - 0.48 * np.asarray(values))


def test_the_whole_waveform(page):
    samples = 50_000
    signal = target(samples)
    model = quilt(3)
    blue = seen(opened(page, model, target=signal), BLUE)
    height, width = blue.shape
    with torch.no_grad():
        values = as_in_the_page(model)(evenly(-1, 1, samples))[:, 0].numpy()
    for column in range(5, width, 50):
        edges = -0.5 + np.array([column, column + 1]) / width * samples
        part = values[math.ceil(edges[0]) : math.ceil(edges[1])]
        rows = np.flatnonzero(blue[:, column])
        top, bottom = rows_of([part.max(), part.min()], height)
        assert rows[0] == pytest.approx(top, abs=2.5)
        assert rows[-1] + 1 == pytest.approx(bottom, abs=2.5)


def closer(page, times):
    page.get_by_role("application").focus()
    for _ in range(times):
        page.keyboard.press("+")


@pytest.mark.parametrize("with_target", [True, False])
def test_between_the_samples_there_is_a_curve(page, with_target):
    model = quilt(3)
    opened(page, model, **({"target": target()} if with_target else {}))
    closer(page, 12)
    span = SAMPLES / 1.5**12
    start = SAMPLES / 2 - 0.5 - span / 2
    blue, orange = seen(page, BLUE), seen(page, ORANGE)
    height, width = blue.shape
    columns = np.arange(2, width - 2)
    places = start + (columns + 0.5) / width * span
    with torch.no_grad():
        coords = torch.tensor(2 * places / (SAMPLES - 1) - 1)[:, None]
        curve = as_in_the_page(model)(coords)[:, 0].numpy()
        coords = evenly(-1, 1, SAMPLES)
        dots = as_in_the_page(model)(coords)[:, 0].numpy()
    if with_target:
        dots = target().array().flatten()
    on_it = [
        (blue | orange)[max(0, int(row) - 2) : int(row) + 3, column].any()
        for column, row in zip(columns, rows_of(curve, height), strict=True)
    ]
    assert np.mean(on_it) > 0.99
    inside = np.arange(math.ceil(start + 0.2), math.floor(start + span - 0.2) + 1)
    assert len(inside) > 5
    for i in inside:
        row, column = rows_of(dots[i], height), (i - start) / span * width
        assert orange[int(row), int(column)]


def times(page) -> list[float]:
    texts = page.locator(".times span").all_text_contents()
    return [float(text.removesuffix(" s")) for text in texts]


def test_keys_move_and_zoom(page):
    opened(page, samples=60 * RATE)
    closer(page, 2)
    assert times(page) == pytest.approx([30 - 30 / 2.25, 30, 30 + 30 / 2.25], abs=0.02)
    page.keyboard.press("ArrowRight")
    assert times(page)[1] == pytest.approx(30 + 6 / 2.25, abs=0.02)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert times(page)[1] == pytest.approx(30 - 6 / 2.25, abs=0.02)
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert times(page) == pytest.approx([0, 30, 60], abs=0.02)
    closer(page, 40)  # and no closer than a few samples
    first, _, last = times(page)
    assert last - first == pytest.approx(4 / RATE, abs=1e-6)


def test_keys_and_buttons_zoom_where_the_waveform_was_clicked(page):
    opened(page, samples=60 * RATE)
    box = page.get_by_role("application").bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 20)
    for act in (lambda: page.keyboard.press("+"), lambda: press(page, "zoom in")):
        act()
        first, _, last = times(page)
        assert 0.75 * first + 0.25 * last == pytest.approx(15, abs=0.1)
    assert last - first == pytest.approx(60 / 1.5 / 2, abs=0.02)


def test_dragging_moves_and_does_not_set_the_place(page):
    opened(page, samples=60 * RATE)
    closer(page, 2)
    box = page.get_by_role("application").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 50, steps=4)
    page.mouse.up()
    assert times(page)[1] == pytest.approx(30 + 15 / 2.25, abs=0.1)
    slider = page.get_by_role("slider", name="play from")
    assert slider.get_attribute("aria-valuetext") == "0.00 s"


def test_wheel_zooms_at_the_cursor_once_the_waveform_has_the_focus(page):
    opened(page, samples=60 * RATE)
    box = page.get_by_role("application").bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    page.evaluate("""() => {
      window.turns = 0;  // of the wheel, that the waveform has heard
      addEventListener("wheel", () => { turns += 1; });
    }""")
    page.mouse.wheel(0, -400)
    page.wait_for_function("turns === 1")
    assert times(page) == pytest.approx([0, 30, 60], abs=0.02)
    page.get_by_role("application").focus()
    page.mouse.wheel(0, -400)
    page.wait_for_function("turns === 2")
    first, _, last = times(page)
    assert last - first == pytest.approx(60 / math.exp(0.6), abs=0.1)
    assert 0.75 * first + 0.25 * last == pytest.approx(15, abs=0.1)


def test_two_fingers_zoom_and_one_scrolls_the_page(chromium):
    phone = {"width": 390, "height": 800}
    with watched(chromium, has_touch=True, viewport=phone) as page:
        opened(page, samples=60 * RATE)
        stage = page.get_by_role("application")
        stage.tap()
        action = "(stage) => getComputedStyle(stage).touchAction"
        assert stage.evaluate(action) == "pan-y"
        box = stage.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        fingers = page.context.new_cdp_session(page)
        for kind, apart in [("touchStart", 20), ("touchMove", 40), ("touchMove", 60)]:
            points = [
                {"x": x - apart, "y": y, "id": 1},
                {"x": x + apart, "y": y, "id": 2},
            ]
            event = {"type": kind, "touchPoints": points}
            fingers.send("Input.dispatchTouchEvent", event)
        event = {"type": "touchEnd", "touchPoints": []}
        fingers.send("Input.dispatchTouchEvent", event)
        page.wait_for_function(
            "document.querySelector('.sirenlib > div').shadowRoot"
            ".querySelector('.times span').textContent.startsWith('20.')"
        )


def test_numbers_under_the_cursor(page):
    model = quilt(3)
    opened(page, model)
    box = page.get_by_role("application").bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    text = page.locator("output").text_content()
    at = 0.25 * SAMPLES - 0.5
    assert text.startswith(f"at {at / RATE:.3f}"[:9])
    said = float(text.rsplit(" ", 1)[1].replace("−", "-"))
    near = evenly(at - 1, at + 1, 99) * 2 / (SAMPLES - 1) - 1
    with torch.no_grad():
        values = as_in_the_page(model)(near)
    assert values.min() - 1e-3 < said < values.max() + 1e-3


def test_the_line_can_be_seen_in_the_dark(page):
    output = play_sound(quilt(3), alt=ALT, rate=RATE, samples=SAMPLES)
    [color] = colors_in_the_dark(page, output, (".playhead", "background-color"))
    assert color == "rgb(221, 221, 221)"


def test_the_page_stays_free_while_a_large_network_is_computed(page):
    model = siren(width=512, hidden_layers=2)
    show(page, play_sound(model, alt=ALT, rate=RATE, samples=20_000))
    page.get_by_role("button", name="computing").wait_for()
    page.evaluate("() => new Promise((done) => setTimeout(done, 0))")
    frames(page, 3)
    assert page.get_by_role("button", name="computing").is_disabled()
    assert page.locator("[aria-busy=true]").count() == 1


# What it is given


def test_a_file_knows_its_samples_and_its_rate():
    model = siren()
    saved = SavedNetwork(model, (SAMPLES,), (-2.0, 2.0), ((0.0, 3.0),), 11025)
    spec = json.loads(play_sound(saved, alt=ALT).spec)
    assert (spec["samples"], spec["rate"], spec["peak"]) == (SAMPLES, 11025, 2.0)
    assert spec["window"] == [0.0, 3.0] and spec["target"] is None


def test_a_quilt_knows_its_window():
    model = quilt(3, window=((2.0, 5.0),))
    spec = json.loads(play_sound(model, alt=ALT, rate=RATE, samples=99).spec)
    assert spec["window"] == [2.0, 5.0]


@pytest.mark.parametrize("samples", [2, 3, 100, 719, 721, 100_000])
def test_a_sound_of_any_length_has_a_picture(samples):
    output = play_sound(quilt(3), alt=ALT, rate=RATE, samples=samples)
    assert len(output.picture) > 1000


def nan():
    model = siren()
    with torch.no_grad():
        model.net[1].linear.weight[0, 0] = math.nan
    return model


def scattered():
    coords = torch.tensor([[-1.0], [0.5], [1.0]])
    return sirenlib.Signal(coords, torch.zeros(3, 1), (3,))


@pytest.mark.parametrize(
    "model, settings, message",
    [
        (torch.nn.Linear(1, 1), {}, "takes a Siren, a Quilt or what load"),
        (sirenlib.Siren(2, 8, 1, 1), {}, "maps 2 coordinates to 1 outputs"),
        (sirenlib.Siren(1, 8, 1, 2), {}, "maps 1 coordinates to 2 outputs"),
        (sirenlib.Siren(1, 3000, 1, 1, device="meta"), {}, "a page holds up to"),
        (nan(), {}, "NaN or infinite"),
        (siren(), {"rate": None}, "does not say its rate: give rate="),
        (siren(), {"samples": None}, "does not say its samples: give samples="),
        (siren(), {"rate": 0}, "rate must be a whole number from 1"),
        (siren(), {"samples": 1}, "samples must be a whole number from 2"),
        (siren(), {"target": target(99)}, "has 99 samples, not 1200"),
        (siren(), {"target": [0.0]}, "target must be a Signal, not list"),
        (siren(), {"target": scattered(), "samples": None}, "evenly spaced"),
        (siren(), {"target": sirenlib.cameraman(8), "samples": None}, "evenly spaced"),
        (siren(), {"alt": " "}, "alt is empty"),
    ],
)
def test_what_is_no_sound(model, settings, message):
    with pytest.raises(ValueError, match=message):
        play_sound(model, **{"alt": ALT, "rate": RATE, "samples": SAMPLES} | settings)
