"""The neural picture: its numbers against 64 bits, and its use as by a person."""

import base64
import io
import json
import math
import re

import browser
import matplotlib
import numpy as np
import pytest
import torch
from browser import pixels, run, show, until, watched
from PIL import Image

import sirenlib
from sirenlib.derivatives import jacobian, laplace
from sirenlib.quilt import Quilt
from sirenlib.signals import grid_between
from sirenlib.viewer import view_picture
from sirenlib.viewer.frame import color_tables
from sirenlib.viewer.view_picture import packed

ALT = "A man behind a camera on a tripod."
FIELDS = ("value", "row slope", "column slope", "Laplacian")
PIXELS = sirenlib.cameraman(32)
PHONE = {"width": 390, "height": 800}
# The canvas is 256 pixels wide, 8 for each of PIXELS: software draws it soon.
SCALE = 256 / 576


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def page(chromium):
    """A page whose canvases are small."""
    size = {"width": 1100, "height": 900}
    with watched(chromium, viewport=size, device_scale_factor=SCALE) as page:
        yield page


@pytest.fixture(scope="module")
def trained():
    """A small network that has learned the cameraman."""
    settings = {"init": "fast", "generator": seeded()}
    model = sirenlib.Siren(2, 32, 2, 1, first_omega_0=32 / 3, **settings)
    sirenlib.fit(model, PIXELS, epochs=80, lr=2e-3, batch_size=256, generator=seeded())
    return model


@pytest.fixture(scope="module")
def small():
    """A smaller one that knows less of it, to be drawn in many ways."""
    settings = {"init": "fast", "generator": seeded()}
    model = sirenlib.Siren(2, 16, 1, 1, first_omega_0=32 / 3, **settings)
    sirenlib.fit(model, PIXELS, epochs=20, lr=2e-3, batch_size=256, generator=seeded())
    return model


def in_64_bits(model):
    """The same network in double precision."""
    wide = type(model)(**model.architecture()).double()
    wide.load_state_dict(model.state_dict())
    return wide.requires_grad_(False)


# The numbers

RAW = """
  const count = given.count;
  const network = readNetwork(given.network);
  const renderer = new ShaderRenderer(
    network, { pixels: null, colors: bytes(given.colors) });
  const gl = renderer.gl;
  if (!gl.getExtension("EXT_color_buffer_float")) throw new Error("no float target");
  const target = renderer.texture(5, gl.NEAREST);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, count, count, 0, gl.RGBA, gl.FLOAT, null);
  gl.bindFramebuffer(gl.FRAMEBUFFER, renderer.small);
  gl.framebufferTexture2D(
    gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
  const found = [];
  for (let channel = 0; channel < network.outputs; channel++) {
    renderer.fill({ mode: "raw", view: given.view, extent: [-1, -1, 2, 2],
      edges: [0, 1, 1, 1], cuts: [0, 0], split: 0, channel }, count, count);
    const numbers = new Float32Array(4 * count * count);
    gl.readPixels(0, 0, count, count, gl.RGBA, gl.FLOAT, numbers);
    found.push(Array.from(numbers));
  }
  return found;"""


COUNT = 24
WHOLE = [0.0, 0.0, 2.0, 2.0]
BOUND = 2e-6


def shader_numbers(page, model, view) -> np.ndarray:
    """What the shader computes in the middles of 24 x 24 cells of a view: (4, N, c)."""
    given = {"network": packed(model), "count": COUNT, "colors": color_tables()}
    given["view"] = view
    found = np.array(run(page, "view_picture", RAW, given))
    found = found.reshape(model.out_features, COUNT, COUNT, 4)[:, ::-1]  # from the top
    return found.transpose(3, 1, 2, 0).reshape(4, COUNT**2, -1)


def exact_numbers(model, view) -> np.ndarray:
    """The same in 64 bits."""
    row, column, rows, columns = view
    middles = (torch.arange(COUNT).double() + 0.5) / COUNT - 0.5
    coords = torch.cartesian_prod(row + rows * middles, column + columns * middles)
    coords.requires_grad_()
    value = in_64_bits(model)(coords)
    laplacian = torch.cat([laplace(each, coords) for each in value.split(1, 1)], 1)
    fields = [value, *jacobian(value, coords).unbind(-1), laplacian]
    return torch.stack(fields).detach().numpy()


def shader_errors(page, model, view=WHOLE, whole=WHOLE) -> np.ndarray:
    """The largest error of each field, relative to its largest value in the picture."""
    off = np.abs(shader_numbers(page, model, view) - exact_numbers(model, view))
    largest = np.abs(exact_numbers(model, whole)).max(axis=(1, 2))
    errors = off.max(axis=(1, 2)) / largest
    print({name: f"{error:.1e}" for name, error in zip(FIELDS, errors, strict=True)})
    return errors


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_features": 64, "hidden_layers": 2, "out_features": 1},
        {"hidden_features": 128, "hidden_layers": 3, "out_features": 3},
        {"hidden_features": 30, "hidden_layers": 0, "out_features": 2},
        {"hidden_features": 30, "hidden_layers": 1, "out_features": 1}
        | {"outermost_linear": False},
    ],
    ids=["64x2", "128x3 in color", "30x0, two outputs", "30x1, sine at the end"],
)
def test_shader_against_64_bits(page, settings):
    model = sirenlib.Siren(2, **settings, first_omega_0=40.0, generator=seeded())
    assert max(shader_errors(page, model)) < BOUND


def test_shader_of_a_trained_network(page, trained):
    assert max(shader_errors(page, trained)) < BOUND


@pytest.mark.parametrize("zoom", [1e3, 1e6])
def test_shader_in_a_deep_zoom(page, trained, zoom):
    """At places that 32 bits can hardly tell apart."""
    assert max(shader_errors(page, trained, [0.3, -0.2, 2 / zoom, 2 / zoom])) < BOUND


def replace(monkeypatch, right: str, wrong: str) -> None:
    """Change the scripts of pages from now on."""
    joined = browser.joined
    assert right in joined("view_picture")
    monkeypatch.setattr(
        browser, "joined", lambda *names: joined(*names).replace(right, wrong)
    )


def test_the_built_in_sine_would_not_do(page, trained, monkeypatch):
    """Why the shader brings its own, and that these tests would notice."""
    head = "vec2 sineAndCosine(float coarse, float fine) {"
    built_in = f"{head} return vec2(sin(coarse + fine), cos(coarse + fine));"
    replace(monkeypatch, head, built_in)
    assert max(shader_errors(page, trained)) > 50 * BOUND


WINDOW = ((0.5, 2.0), (3.0, -1.0))  # of the quilts; the columns descend
INSIDE = [1.25, 1.0, 1.5, -4.0]  # the view that shows it whole


def quilt(tiles, outputs=1, overlap=0.125, hidden_features=14):
    settings = {"overlap": overlap, "window": WINDOW, "generator": seeded()}
    return Quilt(tiles, hidden_features, 1, outputs, **settings)


@pytest.mark.parametrize("tiles", [(1, 1), (3, 5), (1, 4)])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    "view",
    [INSIDE, [1.6, 0.4, 2.5, -6.5], [2.2, -2.0, 0.3, 0.5]],
    ids=["whole", "beyond the window", "outside"],
)
def test_shader_of_a_quilt(page, tiles, outputs, view):
    assert max(shader_errors(page, quilt(tiles, outputs), view, INSIDE)) < BOUND


@pytest.mark.parametrize("overlap", [0.02, 1.0])
def test_shader_of_narrow_and_of_wide_seams(page, overlap):
    assert max(shader_errors(page, quilt((3, 5), 1, overlap), INSIDE, INSIDE)) < BOUND


CROSSING = (
    1.0,
    0.6,
)  # of the seams behind tile 0 along the rows, tile 2 along the columns


@pytest.mark.parametrize("zoom", [30, 1e3, 1e6])
@pytest.mark.parametrize("place", [CROSSING, (1.6, 0.9)], ids=["seams", "a tile"])
def test_shader_of_a_quilt_in_a_deep_zoom(page, zoom, place):
    view = [*place, 1.5 / zoom, -4.0 / zoom]
    assert max(shader_errors(page, quilt((3, 5)), view, INSIDE)) < BOUND


def test_shader_of_many_tiles(page):
    """Their weights, and their first layers, fill many rows of the textures."""
    model = quilt((24, 20), hidden_features=30)
    assert max(shader_errors(page, model, INSIDE, INSIDE)) < BOUND
    few = [1.3, 0.2, 0.15, -0.5]
    assert max(shader_errors(page, model, few, INSIDE)) < BOUND


@pytest.mark.parametrize(
    "term, wrong",
    [
        ("+ 2.0 * dot(slopes, found.yz)", ""),
        ("(y.z * x.x + y.x * x.z) * found.x", "0.0"),
        ("slopes * found.x,", "0.0, 0.0,"),
        ("tile.x * COUNTS.y + tile.y", "tile.y * COUNTS.x + tile.x"),
    ],
    ids=["slopes' product", "share's bend", "share's slope", "order of tiles"],
)
def test_a_missing_term_of_a_seam_is_noticed(page, term, wrong, monkeypatch):
    replace(monkeypatch, term, wrong)
    errors = shader_errors(page, quilt((3, 5)), INSIDE, INSIDE)
    assert max(errors) > 1000 * BOUND


# The picture


def settled(page) -> np.ndarray:
    """The canvas once it is drawn to the end: ``(H, W, 3)`` in [0, 1]."""
    page.locator("[aria-busy=false]").wait_for()
    return pixels(page.locator("canvas"))


def wanted(model, height, width, window) -> np.ndarray:
    """The values of the network on the screen's pixels, as gray in [0, 1]."""
    (top, bottom), (left, right) = window
    rows, columns = (bottom - top) / height / 2, (right - left) / width / 2
    inner = ((top + rows, bottom - rows), (left + columns, right - columns))
    picture = sirenlib.render(model, height, width, inner)[..., 0].numpy()
    return ((picture + 1) / 2).clip(0, 1)


HALF = 1 / 31  # of a pixel's width, by which the picture reaches beyond its coordinates


@pytest.fixture(params=["webgl", "cpu"])
def viewer(request, page, small):
    """The page with the viewer in it."""
    show(page, view_picture(small, PIXELS, alt=ALT, _renderer=request.param))
    page.locator("canvas").wait_for()
    return page


def edge(zoom=1.0):
    return (1 + HALF) / zoom


def test_the_whole_picture(viewer, small):
    picture = settled(viewer)
    e = edge()
    target = wanted(small, *picture.shape[:2], ((-e, e), (-e, e)))
    inner = (slice(2, -2), slice(2, -2))  # the line around it
    assert np.abs(picture[inner] - target[inner][..., None]).max() < 2 / 255


def test_keys_zoom_and_move(viewer, small):
    viewer.get_by_role("application").click()
    for key in ["+", "+", "+", "ArrowRight", "ArrowUp"]:
        viewer.keyboard.press(key)
    zoom = 1.25**3
    picture = settled(viewer)
    column, row, e = 0.2 * edge(zoom), -0.2 * edge(zoom), edge(zoom)
    window = ((row - e, row + e), (column - e, column + e))
    target = wanted(small, *picture.shape[:2], window)
    assert np.abs(picture - target[..., None]).max() < 2 / 255
    viewer.keyboard.press("0")
    viewer.keyboard.press("ArrowDown")
    assert "zoom 1.00×" in viewer.locator("output").text_content()


def test_wheel_zooms_at_the_cursor_once_the_picture_has_the_focus(viewer):
    box = viewer.get_by_role("application").bounding_box()
    at = box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"]
    viewer.evaluate("""() => {
      window.turns = 0;  // of the wheel, that the picture has heard
      addEventListener("wheel", () => { turns += 1; });
    }""")

    def turned(count: int) -> str:
        """What is read at that place after another turn."""
        viewer.mouse.wheel(0, -400 * SCALE)  # 400 pixels of the page
        viewer.wait_for_function(f"turns === {count}")
        viewer.mouse.move(at[0] + 1, at[1])
        viewer.mouse.move(*at)
        return viewer.locator("output").text_content()

    viewer.mouse.move(*at)
    before = turned(1)
    assert "zoom 1.00×" in before
    viewer.mouse.click(*at)
    after = turned(2)
    assert "zoom 1.82×" in after  # exp(0.6)
    place = "column 0.5161"
    assert place in before and place in after


def test_dragging_moves_what_is_under_the_cursor(viewer):
    box = viewer.get_by_role("application").bounding_box()
    start = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"]
    viewer.mouse.move(*start)
    viewer.mouse.down()
    end = start[0] - 0.25 * box["width"], start[1] + 0.1 * box["height"]
    viewer.mouse.move(*end, steps=4)
    assert "row 0.0000  column 0.0000" in viewer.locator("output").text_content()
    viewer.mouse.up()


def test_fingers(chromium, small):
    """One finger scrolls the page until the picture is tapped; two fingers zoom."""
    with watched(chromium, has_touch=True, viewport=PHONE) as page:
        show(page, view_picture(small, PIXELS, alt=ALT))
        stage = page.get_by_role("application")
        page.locator("canvas").wait_for()
        page.get_by_role("button", name="numbers").tap()
        action = "(stage) => getComputedStyle(stage).touchAction"
        assert stage.evaluate(action) == "pan-y"
        stage.tap()
        assert stage.evaluate(action) == "none"
        box = stage.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        fingers = page.context.new_cdp_session(page)
        for kind, apart in [("touchStart", 20), ("touchMove", 40), ("touchMove", 60)]:
            points = [
                {"x": x - apart, "y": y, "id": 1},
                {"x": x + apart, "y": y, "id": 2},
            ]
            fingers.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )
        fingers.send(
            "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
        )
        page.get_by_text("zoom 3.00×").wait_for()


def test_the_split_shows_the_training_pixels(viewer):
    before = settled(viewer)
    viewer.get_by_role("slider", name="pixels, from the left").fill("50")
    picture = settled(viewer)
    middle = picture.shape[1] // 2
    rows, columns = picture.shape[0] // 32, middle // 16
    training = ((PIXELS.array() + 1) / 2)[:, :16]
    at = (np.arange(32) + 0.5) * rows, (np.arange(16) + 0.5) * columns
    left = picture[np.ix_(*(each.astype(int) for each in at))]
    assert np.abs(left - training[..., None]).max() < 1.5 / 255
    right = (slice(2, -2), slice(middle + 2, -2))
    assert (picture[right] == before[right]).all()


@pytest.mark.parametrize("name", ["|gradient|", "Laplacian"])
def test_derivatives_are_drawn(viewer, small, name):
    assert_drawn(viewer, small, name)


@pytest.mark.parametrize("renderer", ["webgl", "cpu"])
def test_derivatives_in_color_are_those_of_the_mean(page, renderer):
    model = sirenlib.Siren(2, 16, 1, 3, first_omega_0=10.0, generator=seeded())
    show(page, view_picture(model, alt=ALT, _renderer=renderer))
    assert_drawn(page, model, "|gradient|", pixels_a_side=64)


def assert_drawn(viewer, model, name, pixels_a_side=32):
    """The picture has the colors of that field of the network."""
    viewer.get_by_role("button", name=name).click()
    picture = settled(viewer)
    colors = field_colors(viewer, model, *picture.shape[:2], pixels_a_side)[name]
    off = np.abs(picture - colors)[2:-2, 2:-2].max(axis=2)
    # The scale is printed rounded, and a table has 256 colors.
    assert np.quantile(off, 0.99) < 0.06


def field_colors(viewer, model, height, width, pixels_a_side=32) -> dict:
    """What the fields of the whole picture look like, on the scales that are shown."""
    e = pixels_a_side / (pixels_a_side - 1)
    y, x = e - e / height, e - e / width
    grid = grid_between([(-y, y, height), (-x, x, width)])
    value, slope, laplacian = (
        field.reshape(height, width, -1).numpy()
        for field in sirenlib.evaluate(model, grid)
    )
    text = viewer.locator(".note").first.text_content()
    scales = [float(high) for high in re.findall(r"([\d.]+) per unit", text)]
    steepest, sharpest = scales[0], scales[-1]
    slope = np.linalg.norm(slope, axis=2) / steepest
    signed = 0.5 + 0.5 * laplacian[..., 0] / sharpest
    return {
        "picture": (np.broadcast_to(value, (height, width, 3)) + 1).clip(0, 2) / 2,
        "|gradient|": matplotlib.colormaps["viridis"](slope.clip(0, 1))[..., :3],
        "Laplacian": matplotlib.colormaps["RdBu_r"](signed.clip(0, 1))[..., :3],
    }


def bands(fields: dict, cuts: tuple[float, float]) -> np.ndarray:
    """All three, cut along lines that lean by a tenth of the width."""
    colors = list(fields.values())
    height, width = colors[0].shape[:2]
    down, across = (np.arange(side) + 0.5 for side in (height, width))
    place = across / width + 0.1 * (down[:, None] / height - 0.5)
    return np.choose(np.digitize(place, cuts)[..., None], colors)


def border(page, name: str):
    return page.get_by_role("slider", name=f"border between {name}")


def test_all_three_are_drawn_side_by_side(viewer, small):
    """With borders that the keys and the mouse move, as far as the other one."""
    assert border(viewer, "picture").count() == 0
    viewer.get_by_role("button", name="all three").click()
    first, second = border(viewer, "picture"), border(viewer, "|gradient| and")
    assert_bands(viewer, small, (0.44, 0.66))
    first.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowDown"):
        viewer.keyboard.press(key)
    box = viewer.get_by_role("application").bounding_box()
    at = box["y"] + 0.2 * box["height"]  # where the line is 0.03 to the right
    viewer.mouse.move(box["x"] + 0.69 * box["width"], at)
    viewer.mouse.down()
    viewer.mouse.move(box["x"] + 0.83 * box["width"], at, steps=3)
    viewer.mouse.up()
    assert "zoom 1.00×" in viewer.locator("output").text_content()
    assert_bands(viewer, small, (0.40, 0.80))
    second.focus()
    for key, place in [("Home", 0.46), ("End", 0.94)]:
        viewer.keyboard.press(key)
        assert second.get_attribute("aria-valuenow") == f"{100 * place:.0f}"
        assert_bands(viewer, small, (0.40, place))
    assert second.get_attribute("aria-valuemin") == "46"
    assert first.get_attribute("aria-valuemax") == "88"


def assert_bands(page, model, cuts: tuple[float, float]) -> None:
    picture = settled(page)
    fields = field_colors(page, model, *picture.shape[:2])

    def wrong(cuts) -> float:
        off = np.abs(picture - bands(fields, cuts))[2:-2, 2:-2]
        return (off.max(axis=2) > 0.06).mean()

    assert wrong(cuts) < 0.01
    for shift in [(0.02, 0), (0, 0.02)]:  # and the test would notice another place
        assert wrong(np.add(cuts, shift)) > 0.01


@pytest.mark.parametrize("renderer", ["webgl", "cpu"])
@pytest.mark.parametrize("outputs", [2, 3])
def test_all_three_in_color(page, renderer, outputs):
    """The first band is in color, the others belong to the mean."""
    model = sirenlib.Siren(2, 16, 1, outputs, first_omega_0=10.0, generator=seeded())
    show(page, view_picture(model, alt=ALT, _renderer=renderer))
    before = settled(page)
    page.get_by_role("button", name="all three").click()
    picture = settled(page)
    fields = field_colors(page, model_of_the_mean(model), *picture.shape[:2], 64)
    target = bands({**fields, "picture": before}, (0.44, 0.66))
    off = np.abs(picture - target)[2:-2, 2:-2].max(axis=2)
    assert np.quantile(off, 0.99) < 0.06


def model_of_the_mean(model):
    """Its one output is the mean of the outputs."""
    last = model.net[-1]
    mean = torch.nn.Linear(last.in_features, 1)
    with torch.no_grad():
        mean.weight.copy_(last.weight.mean(0, keepdim=True))
        mean.bias.copy_(last.bias.mean(0, keepdim=True))
    return torch.nn.Sequential(*model.net[:-1], mean)


def test_a_finger_drags_a_border(chromium, small):
    with watched(chromium, has_touch=True, viewport=PHONE) as page:
        show(page, view_picture(small, PIXELS, alt=ALT))
        page.get_by_role("button", name="all three").tap()
        handle = border(page, "picture")
        box = handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        fingers = page.context.new_cdp_session(page)
        for kind, places in [
            ("touchStart", [0]),
            ("touchMove", [-20]),
            ("touchMove", [-60]),
            ("touchEnd", []),
        ]:
            points = [{"x": x + place, "y": y} for place in places]
            fingers.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )
        wide = page.get_by_role("application").bounding_box()["width"]
        place = f"{100 * (0.44 - 60 / wide):.0f}"
        until(page, lambda: handle.get_attribute("aria-valuenow") == place)


def test_the_picture_fills_the_page(chromium, small):
    """Up to a height, with a pixel for each of the screen's, also in a new size."""
    wide = sirenlib.Signal(
        grid_between([(-1, 1, 8), (-1, 1, 16)]), torch.zeros(128, 1), (8, 16)
    )
    size = {"width": 416, "height": 800}
    with watched(chromium, viewport=size, device_scale_factor=2) as page:
        show(page, view_picture(small, wide, alt=ALT, _renderer="webgl"))
        page.add_style_tag(content="body { margin: 8px; }")
        canvas = page.locator("canvas")
        for width, drawn in [(416, 400), (316, 300)]:
            page.set_viewport_size({**size, "width": width})
            page.locator(f"canvas[width='{2 * drawn}']").wait_for()
            assert canvas.get_attribute("height") == f"{drawn}"
            assert canvas.bounding_box()["width"] == drawn
            assert settled(page).shape == (drawn, 2 * drawn, 3)


def test_nothing_jumps_while_the_picture_loads(page, small):
    html = view_picture(small, PIXELS, alt=ALT).html()
    page.set_content(f"<main>{html}<p id=below>What stands below.</p></main>")
    page.locator(".sirenlib[data-state=live]").wait_for(state="attached")
    place = page.locator("#below").bounding_box()
    settled(page)
    assert page.locator("#below").bounding_box() == place


def test_where_the_processor_draws_a_large_network_is_coarse(page):
    model = sirenlib.Siren(2, 256, 3, 1, generator=seeded())
    show(page, view_picture(model, alt=ALT, _renderer="cpu"))
    page.locator("canvas").wait_for()
    width, height = (
        int(page.locator("canvas").get_attribute(side)) for side in ("width", "height")
    )
    assert width == height == 173  # of 256, and 173² is 30,000


def test_numbers_are_behind_a_switch(viewer):
    switch = viewer.get_by_role("button", name="numbers")
    for shown in (False, True, False):
        assert switch.get_attribute("aria-pressed") == str(shown).lower()
        assert viewer.locator("output").is_visible() == shown
        assert viewer.get_by_text("Black is -1, white is 1.").is_visible() == shown
        switch.click()


# Places

PLACES = {
    "the head": ((-0.6, -0.1), (-0.2, 0.2)),
    "past the edge": ((-1.5, 1.5), (0.5, 2.5)),
}


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_buttons_lead_to_places(page, small, motion):
    page.emulate_media(reduced_motion=motion)
    output = view_picture(small, PIXELS, alt=ALT, places=PLACES, _renderer="cpu")
    show(page, output)
    whole = settled(page)
    e = edge(1)
    for name, row, column, span in [
        ("the head", -0.35, 0.0, 0.25),  # the larger side of a window fits
        ("past the edge", 0.0, 1.5, 1.5),
    ]:
        page.get_by_role("button", name=name).click()
        zoom = e / span
        words = f"zoom {zoom:.2f}×" if zoom >= 1 else f"zoom {zoom:.3f}×"
        page.get_by_text(words).wait_for(state="attached")
        picture = settled(page)
        if span < e:
            window = ((row - span, row + span), (column - span, column + span))
            target = wanted(small, *picture.shape[:2], window)
            assert np.abs(picture - target[..., None]).max() < 2 / 255
        text = page.locator("output").text_content()
        assert f"row {row:.4f}  column {column:.4f}" in text
    page.get_by_role("button", name="whole picture").click()
    page.get_by_text("zoom 1.00×").wait_for(state="attached")
    assert (settled(page) == whole).all()


def test_a_flight_shows_what_is_between_and_ends_when_a_hand_moves(page, small):
    page.emulate_media(reduced_motion="no-preference")
    show(page, view_picture(small, PIXELS, alt=ALT, places=PLACES, _renderer="cpu"))
    settled(page)
    found = page.evaluate(
        """async () => {
          const root = document.querySelector(".sirenlib > div").shadowRoot;
          const read = () => Number(/zoom ([\\d.]+)/.exec(
            root.querySelector("output").textContent)[1]);
          const press = (name) => [...root.querySelectorAll("button")]
            .find((each) => each.textContent === name).click();
          const zooms = [read()];
          press("the head");
          while (zooms[zooms.length - 1] < 1.2) {
            await new Promise(requestAnimationFrame);
            zooms.push(read());
          }
          press("+");
          zooms.push(read());
          for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
          return [...zooms, read()];
        }"""
    )
    assert found == sorted(found)
    assert found[0] == 1 and found[-1] == found[-2]
    assert found[-2] == pytest.approx(1.5 * found[-3], rel=0.02)


def test_places_of_a_picture_whose_coordinates_descend(page, small):
    coords = grid_between([(*UP, 32), (*DOWN, 32)])
    signal = sirenlib.Signal(coords, PIXELS.values, (32, 32))
    places = {"the corner": ((0.75, 0.25), (-0.75, -0.25))}
    page.emulate_media(reduced_motion="reduce")
    output = view_picture(small, signal, alt=ALT, places=places, _renderer="cpu")
    show(page, output)
    page.get_by_role("button", name="the corner").click()
    picture = settled(page)
    target = wanted(small, *picture.shape[:2], places["the corner"])
    assert np.abs(picture - target[..., None]).max() < 2 / 255


@pytest.mark.parametrize(
    "window",
    [(0, 1), ((0, 1), (0, 0)), ((0, 1), (0, math.inf)), ((0, 1), (0, 1), (0, 1))],
    ids=["numbers", "no width", "infinite", "three axes"],
)
def test_a_place_that_is_no_window(small, window):
    with pytest.raises(ValueError, match="place 'there' must be a window"):
        view_picture(small, alt=ALT, places={"there": window})


@pytest.mark.parametrize("renderer", ["webgl", "cpu"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_quilt_is_drawn(page, renderer, outputs):
    """In its own window, with its seams; also what is behind the buttons."""
    model = quilt((3, 5), outputs)
    ends = [(*pair, side) for pair, side in zip(WINDOW, (12, 32), strict=True)]
    values = torch.zeros(12 * 32, outputs)
    signal = sirenlib.Signal(grid_between(ends), values, (12, 32))
    show(page, view_picture(model, signal, alt=ALT, _renderer=renderer))
    picture = settled(page)
    height, width = picture.shape[:2]
    (top, bottom), (left, right) = WINDOW
    y, x = ((bottom - top) / 11, (right - left) / 31)  # a pixel of the signal
    y, x = (y * (1 - 12 / height) / 2, x * (1 - 32 / width) / 2)
    window = ((top - y, bottom + y), (left - x, right + x))
    target = (sirenlib.render(model, height, width, window) + 1) / 2
    off = np.abs(picture - target.clamp(0, 1).numpy())[2:-2, 2:-2]
    assert off.max() < 2 / 255
    for name in ("|gradient|", "Laplacian"):
        page.get_by_role("button", name=name).click()
        before, picture = picture, settled(page)
        assert np.abs(picture - before).mean() > 0.05
    page.get_by_role("application").click()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    text = page.locator("output").text_content()
    column = 1.0 - 0.4 * (32 / 31) / 1.25  # a tenth of what is seen
    middle = torch.tensor([[1.25, column]]).double()
    value, slope, laplacian = sirenlib.evaluate(in_64_bits(model), middle)
    assert f"value {value[0, 0]:.6f}" in text
    row, column = slope[0].tolist()
    assert f"gradient ({row:.3f}, {column:.3f})" in text
    assert f"Laplacian {laplacian.item():.2f}" in text


def test_a_quilt_from_a_file(tmp_path):
    ends = [(*pair, side) for pair, side in zip(WINDOW, (12, 32), strict=True)]
    signal = sirenlib.Signal(grid_between(ends), torch.zeros(12 * 32, 1), (12, 32))
    model = quilt((3, 5))
    sirenlib.save(model, tmp_path / "network.pt", signal)
    found = view_picture(sirenlib.load(tmp_path / "network.pt"), alt=ALT)
    assert json.loads(found.spec)["network"]["tiles"] == [3, 5]
    assert found.picture == view_picture(model, signal, alt=ALT).picture


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_quilts_of_other_precisions(kind):
    model = quilt((3, 5)).to(kind)
    plain = quilt((3, 5))
    plain.load_state_dict(model.state_dict())
    wanted = view_picture(plain, alt=ALT).html()
    assert view_picture(model, alt=ALT).html() == wanted


def test_readout_is_exact(viewer, small):
    stage = viewer.get_by_role("application")
    stage.focus()
    viewer.keyboard.press("+")
    text = viewer.locator("output").text_content()
    middle = torch.zeros(1, 2).double()
    value, slopes, laplacian = sirenlib.forward_laplacian(in_64_bits(small), middle)
    assert f"value {value.item():.6f}" in text
    row, column = slopes[0, 0].tolist()
    assert f"gradient ({row:.3f}, {column:.3f})" in text
    assert f"Laplacian {laplacian.item():.2f}" in text


# What it does not draw


@pytest.mark.parametrize(
    "settings, message",
    [
        ((1, 8, 1, 1), "1 coordinates to 1 outputs"),
        ((2, 8, 1, 4), "2 coordinates to 4 outputs"),
        ((2, 257, 0, 1), "257 wide: a page draws up to 256"),
    ],
)
def test_networks_that_are_no_picture(settings, message):
    with pytest.raises(ValueError, match=message):
        view_picture(sirenlib.Siren(*settings), alt=ALT)


@pytest.mark.parametrize(
    "model, message",
    [
        (lambda: Quilt((4,), 8, 1, 1), "1 coordinates to 1 outputs"),
        (lambda: Quilt((2, 2), 8, 1, 4), "2 coordinates to 4 outputs"),
        (lambda: Quilt((2, 2), 257, 0, 1), "257 wide: a page draws up to 256"),
        (
            lambda: Quilt((31, 31), 64, 1, 1),
            r"4,244,737 weights: a page holds up to 4,000,000",
        ),
    ],
)
def test_quilts_that_a_page_does_not_draw(model, message):
    with pytest.raises(ValueError, match=message):
        view_picture(model(), alt=ALT)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_quilt_that_is_not_finite(number):
    model = quilt((3, 5))
    with torch.no_grad():
        model.net[1].linear.weight[7, 3, 2] = number
    with pytest.raises(ValueError, match="the network holds NaN or infinite numbers"):
        view_picture(model, alt=ALT)


def test_wrong_arguments(trained):
    with pytest.raises(ValueError, match="takes a Siren, a Quilt or"):
        view_picture(torch.nn.Linear(2, 1), alt=ALT)
    with pytest.raises(ValueError, match="pixels must be a Signal, not ndarray"):
        view_picture(trained, PIXELS.array(), alt=ALT)
    with pytest.raises(ValueError, match="pixels have 1 channels, the network has 3"):
        view_picture(sirenlib.Siren(2, 8, 1, 3), PIXELS, alt=ALT)
    with pytest.raises(ValueError, match="alt is empty"):
        view_picture(trained, alt=" ")


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_network_that_is_not_finite(number):
    model = sirenlib.Siren(2, 8, 1, 1, generator=seeded())
    with torch.no_grad():
        model.net[1].linear.weight[3, 2] = number
    with pytest.raises(ValueError, match="the network holds NaN or infinite numbers"):
        view_picture(model, alt=ALT)


def test_a_weight_that_32_bits_do_not_hold():
    model = sirenlib.Siren(2, 8, 1, 1, generator=seeded()).double()
    with torch.no_grad():
        model.net[1].linear.weight[3, 2] = 1e300
    with pytest.raises(ValueError, match="the network holds NaN or infinite numbers"):
        view_picture(model, alt=ALT)


# Networks and grids of every kind


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_networks_of_other_precisions(tmp_path, kind):
    """They are drawn as the network of their weights in 32 bits is."""
    model = sirenlib.Siren(2, 8, 1, 1, generator=seeded()).to(kind)
    plain = sirenlib.Siren(**model.architecture())
    plain.load_state_dict(model.state_dict())
    wanted = view_picture(plain, PIXELS, alt=ALT).html()
    assert view_picture(model, PIXELS, alt=ALT).html() == wanted
    assert next(model.parameters()).dtype == kind
    sirenlib.save(model, tmp_path / "network.pt", PIXELS)
    saved = sirenlib.load(tmp_path / "network.pt")
    found = view_picture(saved, alt=ALT)
    assert found.picture == view_picture(plain, PIXELS, alt=ALT).picture


UP = (1.0, -1.0)
DOWN = (-1.0, 1.0)


@pytest.mark.parametrize(
    "source, renderer", [("signal", "webgl"), ("signal", "cpu"), ("file", "cpu")]
)
@pytest.mark.parametrize("window", [(UP, UP), (UP, DOWN)], ids=["descending", "mixed"])
def test_descending_coordinates(page, tmp_path, small, window, source, renderer):
    """The first row is above, the first column left, and both stay in a zoom."""
    coords = grid_between([(*ends, 32) for ends in window])
    signal = sirenlib.Signal(coords, PIXELS.values, (32, 32))
    given = small, signal
    if source == "file":
        sirenlib.save(small, tmp_path / "network.pt", signal)
        saved = sirenlib.load(tmp_path / "network.pt")
        given = (saved._replace(window=window),)
    show(page, view_picture(*given, alt=ALT, _renderer=renderer))
    picture = settled(page)
    edges = np.array(window) * edge()
    inner = (slice(2, -2), slice(2, -2))  # the line around it
    target = wanted(small, *picture.shape[:2], edges)
    assert np.abs(picture[inner] - target[inner][..., None]).max() < 2 / 255
    page.get_by_role("application").click()
    for key in ("+", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    picture = settled(page)
    # A tenth of what is seen, towards the first row and the first column.
    edges = edges / 1.25 + 0.2 * edges[:, :1] / 1.25
    target = wanted(small, *picture.shape[:2], edges)
    assert np.abs(picture - target[..., None]).max() < 2 / 255
    row, column = (f"{ends.mean():.4f}" for ends in edges)
    assert page.get_by_text(f"row {row}  column {column}").count() == 1
    page.get_by_role("button", name="zoom in").click()
    assert page.get_by_text(f"row {row}  column {column}").count() == 1


def test_descending_pixels_stand_upright(page, small):
    coords = grid_between([(*UP, 32), (*DOWN, 32)])
    signal = sirenlib.Signal(coords, PIXELS.values, (32, 32))
    show(page, view_picture(small, signal, alt=ALT, _renderer="cpu"))
    page.get_by_role("slider", name="pixels, from the left").fill("100")
    picture = settled(page)[4::8, 4::8]
    assert np.abs(picture - (PIXELS.array()[..., None] + 1) / 2).max() < 1.5 / 255


@pytest.mark.parametrize("renderer", ["webgl", "cpu"])
@pytest.mark.parametrize("shape", [(1, 64), (64, 1)], ids=["row", "column"])
def test_one_row_or_column(page, small, shape, renderer):
    """It is as high as its pixels are wide, and drawn higher than that."""
    ends = [(-1, 1, n) if n > 1 else (0.3, 0.3, 1) for n in shape]
    signal = sirenlib.Signal(grid_between(ends), torch.zeros(64, 1), shape)
    output = view_picture(small, signal, alt=ALT, _renderer=renderer)
    show(page, output)
    picture = settled(page)
    high, wide = picture.shape[:2]
    assert max(high, wide) / min(high, wide) == pytest.approx(12, rel=0.05)
    half = 1 / 63  # of a pixel
    long, short = (-1 - half, 1 + half), (0.3 - half, 0.3 + half)
    window = (short, long) if shape[0] == 1 else (long, short)
    inner = (slice(2, -2), slice(2, -2))
    target = wanted(small, high, wide, window)
    assert np.abs(picture[inner] - target[inner][..., None]).max() < 2 / 255
    page.get_by_role("application").click()
    page.keyboard.press("+")
    page.get_by_role("button", name="|gradient|").click()
    settled(page)
    text = page.locator("output").text_content()
    assert "NaN" not in text and "zoom 1.25×" in text and "0.3000" in text
    file = Image.open(io.BytesIO(base64.b64decode(output.picture)))
    assert sorted(file.size) == [32, 384]


def test_one_pixel(page, small):
    signal = sirenlib.Signal(torch.zeros(1, 2), torch.zeros(1, 1), (1, 1))
    show(page, view_picture(small, signal, alt=ALT))
    picture = settled(page)
    target = wanted(small, *picture.shape[:2], ((-1, 1), (-1, 1)))
    assert np.abs(picture - target[..., None])[2:-2, 2:-2].max() < 2 / 255


@pytest.mark.parametrize("down", [DOWN, UP], ids=["down", "up"])
def test_the_line_is_as_thick_on_every_side(page, small, down):
    coords = grid_between([(*down, 8), (-1, 1, 32)])
    signal = sirenlib.Signal(coords, torch.zeros(8 * 32, 1), (8, 32))
    show(page, view_picture(small, signal, alt=ALT, _renderer="webgl"))
    page.locator("canvas").wait_for()
    page.get_by_role("button", name="zoom out").click()
    picture = settled(page)
    orange = np.abs(picture - [0.85, 0.45, 0.1]).max(axis=2) < 0.02
    middle = [side // 2 for side in orange.shape]
    assert orange[middle[0]].sum() in (2, 3, 4)
    assert orange[:, middle[1]].sum() in (2, 3, 4)


def test_a_saved_network_keeps_its_frame(page, tmp_path):
    signal = sirenlib.image_signal(
        np.zeros((20, 30, 3)), centers=True, keep_aspect=True
    )
    model = sirenlib.Siren(2, 8, 1, 3, generator=seeded())
    sirenlib.save(model, tmp_path / "network.pt", signal)
    saved = sirenlib.load(tmp_path / "network.pt")
    show(page, view_picture(saved, alt=ALT))
    picture = settled(page)
    assert picture.shape[:2] == (256, 384)
    ratio = 2 / 3
    target = sirenlib.render(
        model, 20, 30, ((-ratio * 0.95, ratio * 0.95), (-29 / 30, 29 / 30))
    )
    rows = ((np.arange(20) + 0.5) * 12.8).astype(int)
    columns = ((np.arange(30) + 0.5) * 12.8).astype(int)
    off = np.abs(picture[np.ix_(rows, columns)] - (target.numpy() + 1) / 2)
    assert off[1:-1, 1:-1].max() < 0.1
