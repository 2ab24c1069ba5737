"""The neural shape: its numbers against 64 bits, and its use as by a person."""

import base64
import io
import json
import math

import browser
import matplotlib
import numpy as np
import pytest
import torch
from browser import pixels, run, show, watched
from PIL import Image

import sirenlib
from sirenlib.derivatives import jacobian
from sirenlib.viewer import view_shape
from sirenlib.viewer.view_shape import (
    CUBE,
    TILT,
    TURN,
    WIDE,
    rays,
    scene_of,
    shaded,
    trace,
)

ALT = "A ball that is a little square."
PHONE = {"width": 390, "height": 800}
# The canvas is 128 pixels wide: software draws it soon.
SCALE = 128 / 480
BOX = ((-1.0, 1.5), (2.0, -1.0), (-1.25, 1.0))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def ball(level=2.8, scale=1.0):
    """scale (level - cos x - cos y - cos z), without an error, as a network."""
    model = sirenlib.Siren(3, 3, 0, 1, first_omega_0=1.0)
    with torch.no_grad():
        model.net[0].linear.weight.copy_(torch.eye(3))
        model.net[0].linear.bias.fill_(-math.pi / 2)
        model.net[1].weight.fill_(scale)
        model.net[1].bias.fill_(scale * level)
    return model


@pytest.fixture
def page(chromium):
    """A page whose canvases are small."""
    size = {"width": 1100, "height": 900}
    with watched(chromium, viewport=size, device_scale_factor=SCALE) as page:
        yield page


# The numbers

COUNT = 24
NUMBERS = """
  const spec = given.spec, count = given.count;
  const renderer = new ShapeShader(readNetwork(spec.network), spec);
  const gl = renderer.gl;
  if (!gl.getExtension("EXT_color_buffer_float")) throw new Error("no float target");
  const target = renderer.texture(5, gl.NEAREST);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, count, count, 0, gl.RGBA, gl.FLOAT, null);
  gl.bindFramebuffer(gl.FRAMEBUFFER, renderer.small);
  gl.framebufferTexture2D(
    gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
  renderer.fill({ ...given.scene, mode: given.mode }, count, count);
  const numbers = new Float32Array(4 * count * count);
  gl.readPixels(0, 0, count, count, gl.RGBA, gl.FLOAT, numbers);
  return Array.from(numbers);"""
FOLLOWED = """
  const spec = given.spec;
  const view = eyeAt(given.scene, spec);
  const left = boxOf(spec, given.scene, view.eye);
  const rays = given.through.map((through) =>
    ({ through, ...insideBox(left, view.eye, through) }));
  followRays(readNetwork(spec.network).tiles[0], spec, view.eye, rays);
  return rays.map(({ depth }) => (Number.isNaN(depth) ? -1 : depth));"""
SCENE = {"turn": TURN, "tilt": TILT, "zoom": 1, "cut": -1, "place": 0.5}


def spec_of(model, window=CUBE, **settings) -> dict:
    """What the page is told of a network."""
    output = view_shape(model, alt=ALT, size=2, window=window, **settings)
    return json.loads(output.spec)


def shader_numbers(page, spec, mode) -> np.ndarray:
    """Four numbers for each pixel, row by row from the top: ``(N, 4)``."""
    given = {"spec": spec, "count": COUNT, "mode": mode, "scene": SCENE}
    found = np.reshape(run(page, "view_shape", NUMBERS, given), (COUNT, COUNT, 4))
    return found[::-1].reshape(-1, 4)


def shader_errors(page, model) -> list[float]:
    """How far the value of a step, and the value and its slopes at a hit, are off where
    the rays enter the box, relative to the largest of each."""
    spec = spec_of(model, BOX) | {"steps": 1, "tolerance": 0.0}
    depths = shader_numbers(page, spec, 3)
    state = shader_numbers(page, spec, 4)
    eye, _, through = rays(scene_of(model, BOX), COUNT)
    low, high = np.array(spec["low"]), np.array(spec["high"])
    ends = (np.stack([low, high])[:, None] - eye) / through
    near, far = ends.min(0).max(1), ends.max(0).min(1)
    meets = near < far
    assert 100 < meets.sum() < COUNT**2
    coords = torch.from_numpy(eye + near[:, None] * through)[meets].requires_grad_()
    wide = sirenlib.Siren(**model.architecture()).double()
    wide.load_state_dict(model.state_dict())
    value = wide(coords)
    slopes = jacobian(value, coords)[:, 0].detach().numpy()
    value = value.detach().numpy()[:, 0]
    errors = [
        np.abs(found - wanted).max() / np.abs(wanted).max()
        for found, wanted in [
            (depths[meets, 1], value),
            (depths[meets, 2], near[meets]),
            (state[meets, 0], value),
            (state[meets, 1:], slopes),
        ]
    ]
    print(errors)
    return errors


# A place is rounded to 32 bits, and the first layer multiplies what is lost by 30.
BOUND = 3e-5


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_features": 64, "hidden_layers": 2},
        {"hidden_features": 128, "hidden_layers": 3},
        {"hidden_features": 30, "hidden_layers": 0},
        {"hidden_features": 30, "hidden_layers": 1, "outermost_linear": False},
    ],
    ids=["64x2", "128x3", "30x0", "30x1, sine at the end"],
)
def test_shader_against_64_bits(page, settings):
    model = sirenlib.Siren(3, out_features=1, generator=seeded(), **settings)
    assert max(shader_errors(page, model)) < BOUND


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("vec4(t.x, t.y * z.yzw)", "vec4(t.x, z.yzw)"),
        ("now[j] = bend(vec4(dot(w, vec4(point, 1.0)), w.xyz))", "now[j] = w"),
        ("row + ${r} * QUADS + k", "row + ${r} + 4 * k"),
        ("vec2 sineAndCosine(float coarse, float fine) {", None),
    ],
    ids=["chain rule", "first layer", "order of weights", "the built-in sine"],
)
def test_a_wrong_term_is_noticed(page, right, wrong, monkeypatch):
    wrong = wrong or f"{right} return vec2(sin(coarse + fine), cos(coarse + fine));"
    replace(monkeypatch, right, wrong)
    model = sirenlib.Siren(3, 32, 1, 1, generator=seeded())
    assert max(shader_errors(page, model)) > 5 * BOUND


def replace(monkeypatch, right: str, wrong: str) -> None:
    """Change the scripts of pages from now on."""
    joined = browser.joined
    assert right in joined("view_shape")
    monkeypatch.setattr(
        browser, "joined", lambda *names: joined(*names).replace(right, wrong)
    )


def exact_depths(level, eye, through) -> tuple[np.ndarray, np.ndarray]:
    """Where rays meet the ball, by bisection of its formula, and how steeply.

    From the eye the formula falls until the ray is nearest the middle.
    """

    def formula(t):
        return level - np.cos(eye + t[:, None] * through).sum(1)

    nearest = -(through @ eye)
    # A ball of radius 0.95 is around this one, and there the formula falls.
    sagitta = 0.95**2 - (eye @ eye - nearest**2)
    low, high = nearest - np.sqrt(sagitta.clip(0)), nearest.copy()
    meets = (sagitta > 0) & (formula(high) < 0)
    for _ in range(60):
        middle = (low + high) / 2
        outside = formula(middle) > 0
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    depth = np.where(meets, low, np.nan)
    points = eye + depth[:, None] * through
    steep = -(np.sin(points) * through).sum(1)
    return depth, steep


def depth_of(page, how, model, spec, scene, eye, through) -> np.ndarray:
    """How far the rays go: by the shader, by the processor's script, or in Python."""
    if how == "python":
        return trace(model, scene, eye, through)
    if how == "shader":
        found = shader_numbers(page, spec, 3)[:, 0]
    else:
        given = {"spec": spec, "scene": SCENE, "through": through.tolist()}
        found = np.array(run(page, "view_shape", FOLLOWED, given))
    return np.where(found < 0, np.nan, found)


def depth_error(page, how, model, level=2.8, **settings) -> float:
    """The largest distance between a ray's end and the surface; infinite where one ends
    that should not, or the other way round."""
    scene = scene_of(model, CUBE, **settings)
    eye, _, through = rays(scene, COUNT)
    wanted, steep = exact_depths(level, eye, through)
    assert np.isfinite(wanted).sum() > 10
    found = depth_of(page, how, model, spec_of(model, **settings), scene, eye, through)
    clear = ~(steep < 0.1)  # a ray that grazes the surface may pass
    if (np.isfinite(found) != np.isfinite(wanted))[clear].any():
        return math.inf
    return float(np.nanmax(np.abs(found - wanted)[clear]))


every_tracer = pytest.mark.parametrize("how", ["shader", "processor", "python"])
NEAR = 0.01


@every_tracer
@pytest.mark.parametrize("scale", [1.0, 20.0, 0.01])
def test_rays_end_on_the_surface(page, how, scale):
    """Also of a function that is no distance at all."""
    assert depth_error(page, how, ball(scale=scale)) < NEAR


@every_tracer
def test_a_bound_that_is_too_small_steps_over_the_shape(page, how):
    assert depth_error(page, how, ball(level=2.95, scale=20.0), 2.95) < NEAR
    assert depth_error(page, how, ball(level=2.95, scale=20.0), 2.95, bound=1.0) > NEAR


def test_the_bound_is_the_longest_gradient_and_a_tenth():
    scene = scene_of(ball(scale=3.0), CUBE)
    assert scene.bound == pytest.approx(1.1 * 3 * math.sqrt(3) * math.sin(1), rel=1e-5)
    assert scene.edge == pytest.approx(3 * (2.8 - 3 * math.cos(1)), rel=1e-5)
    assert scene.spacing == 0.5
    assert scene_of(ball(), CUBE, bound=7).bound == 7


@every_tracer
def test_where_the_box_cuts_the_shape_rays_end_on_the_box(page, how):
    """All of a box that is inside."""
    model = ball(level=9.0, scale=-1.0)
    scene = scene_of(model, CUBE)
    eye, _, through = rays(scene, COUNT)
    found = depth_of(page, how, model, spec_of(model), scene, eye, through)
    ends = (np.array([-1.0, 1.0])[:, None, None] - eye) / through
    near, far = ends.min(0).max(1), ends.max(0).min(1)
    assert (np.isfinite(found) == (near < far)).all()
    assert np.nanmax(np.abs(found - near)) < 1e-5


# What is drawn


@pytest.fixture(params=["webgl", "cpu"])
def viewer(request, page):
    """The page with the ball in it."""
    show(page, view_shape(ball(), alt=ALT, size=32, _renderer=request.param))
    page.locator("canvas").wait_for()
    return page


def settled(page) -> np.ndarray:
    """The canvas once it is drawn to the end: ``(H, W, 3)`` in [0, 1]."""
    page.locator("[aria-busy=false]").wait_for()
    return pixels(page.locator("canvas"))


def opacity(page) -> np.ndarray:
    """How opaque each pixel of it is, from 0 to 1, row by row."""
    data = page.locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    file = io.BytesIO(base64.b64decode(data.split(",")[1]))
    return np.asarray(Image.open(file).convert("RGBA"))[..., 3].flatten() / 255


def state(page) -> str:
    return page.locator("output").text_content()


def assert_drawn(page, turn=TURN, tilt=TILT, model=None, window=CUBE) -> None:
    """The picture has the colors that Python gives, but for the lines of the box."""
    picture = settled(page)
    model = ball() if model is None else model
    wanted = shaded(model, scene_of(model, window), len(picture), turn, tilt)
    shape = (wanted < 1).any(axis=2)
    off = np.abs(picture - wanted)[shape].max(axis=1)
    assert shape.sum() > 500
    assert np.quantile(off, 0.9) < 2 / 255


def test_it_is_drawn_as_in_python(viewer):
    assert_drawn(viewer)


def test_keys_turn_and_start_over(viewer):
    viewer.get_by_role("application").click()
    for key in ["ArrowRight", "ArrowRight", "ArrowUp", "+", "-"]:
        viewer.keyboard.press(key)
    assert_drawn(viewer, TURN + math.pi / 12, TILT + math.pi / 24)
    viewer.keyboard.press("+")
    assert "zoom 1.25×" in state(viewer)
    viewer.keyboard.press("0")
    assert "zoom 1.00×" in state(viewer)
    assert_drawn(viewer)


def test_dragging_turns(viewer):
    """Half a turn for the width of the drawing."""
    box = viewer.get_by_role("application").bounding_box()
    start = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"]
    viewer.mouse.move(*start)
    viewer.mouse.down()
    end = start[0] - 0.25 * box["width"], start[1] - 0.125 * box["height"]
    viewer.mouse.move(*end, steps=4)
    viewer.mouse.up()
    assert_drawn(viewer, TURN + math.pi / 4, TILT - math.pi / 8)


def test_it_does_not_turn_over_the_top(viewer):
    viewer.get_by_role("application").click()
    for _ in range(20):
        viewer.keyboard.press("ArrowUp")
    assert_drawn(viewer, TURN, math.pi / 2)


def test_buttons_zoom(viewer):
    viewer.get_by_role("button", name="zoom in").click()
    viewer.get_by_role("button", name="zoom in").click()
    assert "zoom 1.56×" in state(viewer)
    larger = (settled(viewer).sum(axis=2) > 0).sum()
    viewer.get_by_role("button", name="start over").click()
    assert "zoom 1.00×" in state(viewer)
    assert larger > 1.5 * (settled(viewer).sum(axis=2) > 0.8).sum()


def test_wheel_zooms_once_the_shape_has_the_focus(viewer):
    stage = viewer.get_by_role("application")
    viewer.get_by_role("button", name="numbers").click()
    viewer.evaluate("""() => {
      window.turns = 0;  // of the wheel, that the page has heard
      addEventListener("wheel", () => { turns += 1; });
    }""")
    stage.hover()
    viewer.mouse.wheel(0, -400 * SCALE)  # 400 pixels of the page
    viewer.wait_for_function("turns === 1")
    assert "zoom 1.00×" in state(viewer)
    stage.click()
    viewer.mouse.wheel(0, -400 * SCALE)
    viewer.get_by_text("zoom 1.82×").wait_for()  # exp(0.6)


def test_fingers(chromium):
    """One finger scrolls the page until the shape is tapped; two fingers zoom."""
    with watched(chromium, has_touch=True, viewport=PHONE) as page:
        show(page, view_shape(ball(), alt=ALT, size=32, _renderer="cpu"))
        stage = page.get_by_role("application")
        page.locator("canvas").wait_for()
        action = "(stage) => getComputedStyle(stage).touchAction"
        assert stage.evaluate(action) == "pan-y"
        stage.tap()
        assert stage.evaluate(action) == "none"
        page.get_by_role("button", name="numbers").tap()
        box = stage.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        fingers = page.context.new_cdp_session(page)
        kinds = [("touchStart", [20]), ("touchMove", [60]), ("touchEnd", [])]
        for kind, aparts in kinds:
            points = [
                {"x": x + side * apart, "y": y, "id": side}
                for apart in aparts
                for side in (-1, 1)
            ]
            points = [point | {"id": i} for i, point in enumerate(points)]
            fingers.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )
        page.get_by_text("zoom 3.00×").wait_for()


def test_what_moves_all_the_time_is_seen(page):
    """On a slow machine the processor shows a coarse picture of it in between."""
    show(page, view_shape(ball(), alt=ALT, size=32, _renderer="cpu"))
    page.locator("canvas").wait_for()
    seen = page.evaluate("""async () => {
      const root = document.querySelector(".sirenlib > div").shadowRoot;
      const stage = root.querySelector(".stage");
      const canvas = root.querySelector("canvas");
      const pictures = new Set();
      for (let i = 0; i < 60; i++) {
        stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        pictures.add(canvas.toDataURL());
        await new Promise(requestAnimationFrame);
      }
      return pictures.size;
    }""")
    assert seen > 3


@pytest.mark.parametrize("name", ["normals", "|gradient|"])
def test_normals_and_the_gradient_are_drawn(viewer, name):
    viewer.get_by_role("button", name=name).click()
    picture = settled(viewer)
    size, model = len(picture), ball()
    scene = scene_of(model, CUBE)
    eye, _, through = rays(scene, size)
    points = eye + trace(model, scene, eye, through)[:, None] * through
    seen = np.isfinite(points[:, 0])
    slopes = np.sin(points[seen])
    length = np.linalg.norm(slopes, axis=1, keepdims=True)
    wanted = 0.5 + 0.5 * slopes / length
    if name == "|gradient|":
        wanted = matplotlib.colormaps["RdBu_r"](0.5 * length[:, 0])[:, :3]
    off = np.abs(picture.reshape(-1, 3)[seen] - wanted).max(axis=1)
    assert np.quantile(off, 0.9) < 0.02


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_cut_shows_the_values_of_the_network(viewer, axis):
    """Inside in full color, outside the rest of the box shines through."""
    viewer.get_by_role("button", name=f"cut {'xyz'[axis]}").click()
    viewer.get_by_role("slider", name="cut at").fill("55")
    assert viewer.get_by_text(f"{'xyz'[axis]} = 0.10").count() == 1
    picture = settled(viewer)
    scene = scene_of(ball(), CUBE)
    eye, _, through = rays(scene, len(picture))
    near = (0.1 - eye[axis]) / through[:, axis]
    points = eye + near[:, None] * through
    value = 2.8 - np.cos(points).sum(1)
    colors = matplotlib.colormaps["RdBu_r"](0.5 + 0.5 * value / scene.edge)[:, :3]
    off = np.abs(picture.reshape(-1, 3) - colors).max(axis=1)
    in_box = np.abs(points).max(axis=1) < 0.95
    inside = in_box & (value < -0.05) & (value > -0.18)  # not beside a line
    assert inside.sum() > 100
    assert np.quantile(off[inside], 0.9) < 0.02
    alpha = opacity(viewer)
    assert (alpha[inside] == 1).all()
    alone = np.abs(alpha - 0.7) < 0.01  # where nothing is behind the cut
    outside = in_box & (value > 0.05)
    assert alone[outside].mean() > 0.3 and not alone[inside].any()
    assert np.quantile(off[outside & alone], 0.5) < 0.02
    middle = eye + (0.1 - eye[axis]) / -eye[axis] * -eye
    assert f"value {2.8 - np.cos(middle).sum():.4f}" in state(viewer)
    assert f"{'xyz'[axis]} 0.1000" in state(viewer)
    assert "a line every 0.2" in viewer.locator(".note").first.text_content()


def test_the_line_on_a_cut_is_where_the_network_is_0(viewer):
    viewer.get_by_role("button", name="cut z").click()
    viewer.get_by_role("application").click()
    for _ in range(20):
        viewer.keyboard.press("ArrowUp")  # to look from above
    picture = settled(viewer)
    eye, _, through = rays(scene_of(ball(), CUBE), len(picture), TURN, math.pi / 2)
    points = eye + -eye[2] / through[:, 2:] * through
    value = 2.8 - np.cos(points).sum(1)
    slope = np.linalg.norm(np.sin(points), axis=1)
    pixel = 2 * WIDE * eye[2] / len(picture)
    dark = picture.reshape(-1, 3).max(axis=1) < 0.05
    on = np.abs(value) < 0.8 * slope * pixel
    off = (np.abs(value) > 3 * slope * pixel) & (np.abs(points).max(axis=1) < 0.9)
    assert dark[on].mean() > 0.9 and not dark[off].any()


def test_the_part_away_from_the_eye_is_left(viewer):
    """So the cut is seen from every side."""
    viewer.get_by_role("button", name="cut z").click()
    assert "z 0.0000" in state(viewer)
    viewer.get_by_role("application").click()
    for _ in range(8):
        viewer.keyboard.press("ArrowDown")  # to look from below
    assert "z 0.0000" in state(viewer)
    viewer.get_by_role("button", name="whole").click()
    assert "z 0.0000" not in state(viewer)
    assert viewer.get_by_role("slider", name="cut at").is_disabled()


def test_readout_is_on_the_surface(viewer):
    """Of the middle, and then of what is under the cursor."""
    assert "value 0.000" in state(viewer).replace("-", "")
    viewer.get_by_role("button", name="numbers").click()
    box = viewer.get_by_role("application").bounding_box()
    viewer.mouse.move(box["x"] + 2, box["y"] + 2)
    viewer.get_by_text("nothing here").wait_for()
    viewer.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.45 * box["height"])
    viewer.get_by_text("|gradient| 0.6").first.wait_for()


def test_numbers_are_behind_a_switch(viewer):
    switch = viewer.get_by_role("button", name="numbers")
    for shown in (False, True, False):
        assert switch.get_attribute("aria-pressed") == str(shown).lower()
        assert viewer.locator("output").is_visible() is shown
        switch.click()


def test_another_box(page):
    """Its sides differ, and one axis descends, which the shape does not."""
    model = ball(2.6)
    show(page, view_shape(model, alt=ALT, size=32, window=BOX, _renderer="webgl"))
    page.locator("canvas").wait_for()
    assert_drawn(page, model=model, window=BOX)


def test_names_of_the_axes_stay_beside_the_box(page):
    show(page, view_shape(ball(), alt=ALT, size=32, _renderer="cpu"))
    page.locator("canvas").wait_for()
    names = page.locator(".stage span")
    assert names.all_text_contents() == ["x", "y", "z"]
    before = names.first.bounding_box()
    page.get_by_role("application").click()
    page.keyboard.press("ArrowRight")
    assert names.first.bounding_box() != before


def test_without_webgl_the_processor_draws(chromium):
    """Which is so where WebGL is computed by software."""
    with watched(chromium) as page:
        show(page, view_shape(ball(), alt=ALT, size=32))
        page.locator("canvas").wait_for()
        assert len(settled(page)) == 192
        assert_drawn(page)


def test_a_pixel_for_each_of_the_screens(page):
    """Also once the page is narrower."""
    show(page, view_shape(ball(), alt=ALT, size=32, _renderer="webgl"))
    for width in (1100, 360):
        page.set_viewport_size({"width": width, "height": 900})
        stage = page.get_by_role("application").bounding_box()["width"]
        page.locator(f"canvas[width='{round(stage * SCALE)}']").wait_for()
        assert_drawn(page)
    assert stage < 360


def test_nothing_moves_on_its_own(page):
    show(page, view_shape(ball(), alt=ALT, size=32, _renderer="cpu"))
    page.locator("canvas").wait_for()
    before = settled(page)
    browser.frames(page, 20)
    assert (settled(page) == before).all()
    assert page.evaluate("document.getAnimations().length") == 0


def test_in_the_dark_the_ground_is_the_page(page):
    found = browser.colors_in_the_dark(
        page,
        view_shape(ball(), alt=ALT, size=32, _renderer="cpu"),
        (".stage span", "color"),
        (".stage", "backgroundColor"),
    )
    assert found == ["rgb(221, 221, 221)", "rgba(0, 0, 0, 0)"]


# The picture where scripts do not run


def test_the_picture_is_the_shape():
    output = view_shape(ball(), alt=ALT, size=100)
    file = Image.open(io.BytesIO(base64.b64decode(output.picture))).convert("RGB")
    found = np.asarray(file) / 255
    wanted = shaded(ball(), scene_of(ball(), CUBE), 100)
    assert found.shape == (100, 100, 3)
    assert np.abs(found - wanted).max() < 0.05  # a palette of 64 colors
    assert 0.05 < (wanted < 1).any(axis=2).mean() < 0.5


def test_a_shape_from_a_file_has_its_box(tmp_path):
    ends = [(*pair, 3) for pair in BOX]
    coords = sirenlib.signals.grid_between(ends)
    signal = sirenlib.Signal(coords, torch.zeros(27, 1), (3, 3, 3))
    sirenlib.save(ball(), tmp_path / "network.pt", signal)
    saved = sirenlib.load(tmp_path / "network.pt")
    found = view_shape(saved, alt=ALT, size=32)
    assert found.html() == view_shape(ball(), alt=ALT, size=32, window=BOX).html()
    assert json.loads(found.spec)["low"] == [-1.0, -1.0, -1.25]
    other = view_shape(saved, alt=ALT, size=32, window=CUBE)
    assert other.html() == view_shape(ball(), alt=ALT, size=32).html()


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_networks_of_other_precisions(kind):
    model = ball().to(kind)
    found = view_shape(model, alt=ALT, size=8)
    assert next(model.parameters()).dtype == kind
    plain = sirenlib.Siren(**model.architecture())
    plain.load_state_dict(model.state_dict())
    wanted = view_shape(plain, alt=ALT, size=8)
    assert found.html() == wanted.html()


# What it does not draw


@pytest.mark.parametrize(
    "model, message",
    [
        (lambda: sirenlib.Siren(2, 8, 1, 1), "2 coordinates to 1 outputs: a shape has"),
        (lambda: sirenlib.Siren(3, 8, 1, 3), "3 coordinates to 3 outputs: a shape has"),
        (lambda: sirenlib.Siren(3, 257, 0, 1), "257 wide: a page draws up to 256"),
        (lambda: sirenlib.Quilt((2, 2, 2), 8, 1, 1), "does not draw a Quilt: fit a Si"),
        (lambda: torch.nn.Linear(3, 1), "takes a Siren or what load"),
    ],
)
def test_networks_that_are_no_shape(model, message):
    with pytest.raises(ValueError, match=message):
        view_shape(model(), alt=ALT)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"window": ((-1, 1), (-1, 1))}, "must have the first and the last coordinate"),
        ({"window": ((-1, 1), (0, 0), (-1, 1))}, "finite and not the same"),
        ({"window": ((-1, 1), (-1, math.inf), (-1, 1))}, "finite and not the same"),
        ({"bound": 0.0}, "bound"),
        ({"size": 1}, "size"),
        ({"turn": math.nan}, "must be angles in radians"),
        ({"tilt": 1.6}, "tilt from -pi/2 to pi/2"),
        ({"alt": " "}, "alt is empty"),
    ],
)
def test_wrong_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        view_shape(ball(), **{"alt": ALT, "size": 8} | settings)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_network_that_is_not_finite(number):
    model = ball()
    with torch.no_grad():
        model.net[0].linear.weight[1, 2] = number
    with pytest.raises(ValueError, match="the network holds NaN or infinite numbers"):
        view_shape(model, alt=ALT)


def test_a_network_that_is_zero_everywhere():
    """There is something to divide by, and the box is drawn."""
    model = ball(scale=0.0)
    spec = spec_of(model)
    assert spec["bound"] == spec["edge"] == 1.0
