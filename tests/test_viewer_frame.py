"""What holds for every live output, wherever it is shown."""

import base64
import functools
import importlib
import inspect
import io
import math
import pickle
import re
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import HARMLESS, PATIENCE, frames, show, watched
from PIL import Image

import sirenlib
from sirenlib import viewer
from sirenlib.images import to_pixels
from sirenlib.links import to_link
from sirenlib.viewer.frame import LiveOutput, joined, png, rgb

ALT = "What the picture shows, in a sentence."
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\"> & '<!--"


@functools.cache
def network():
    generator = torch.Generator().manual_seed(0)
    return sirenlib.Siren(2, 16, 1, 1, generator=generator)


@functools.cache
def ball():
    """A network of three coordinates that is below zero around the middle."""
    model = sirenlib.Siren(3, 3, 0, 1, first_omega_0=1.0)
    with torch.no_grad():
        model.net[0].linear.weight.copy_(torch.eye(3))
        model.net[0].linear.bias.fill_(-math.pi / 2)
        model.net[1].weight.fill_(1.0)
        model.net[1].bias.fill_(2.8)
    return model


def states(model) -> dict:
    """Two steps of a fit."""
    halved = {name: weight / 2 for name, weight in model.state_dict().items()}
    return {0: halved, 10: model.state_dict()}


def quilts() -> dict:
    """Two settings."""
    generator = torch.Generator().manual_seed(0)
    model = sirenlib.Quilt((2, 2), 8, 1, 1, generator=generator)
    return dict.fromkeys([(2, 0.125, 1), (4, 0.125, 1)], model)


def sound(alt):
    generator = torch.Generator().manual_seed(0)
    model = sirenlib.Quilt((3,), 8, 1, 1, generator=generator)
    target = sirenlib.array_signal(np.sin(np.arange(900)))
    return viewer.play_sound(model, alt=alt, rate=8000, target=target)


SMALL = sirenlib.cameraman(16)
BLACK = png(np.zeros((1, 1), np.uint8))
SCRIPTS = {
    file.name.removesuffix(".js"): file.read_text(encoding="utf-8")
    for file in sorted(files("sirenlib.viewer").iterdir(), key=lambda file: file.name)
    if file.name.endswith(".js")
}
NAME = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
# Functions of frame, algebra, network, colors, view_picture and train_here.
IN_ORDER = ["timesTransposed", "readNetwork", "meanOf", "viewPicture", "trainHere"]
VIEWERS = {
    "picture": lambda alt: viewer.view_picture(network(), SMALL, alt=alt),
    "sound": sound,
    "shape": lambda alt: viewer.view_shape(ball(), alt=alt, size=96),
    "scrubber": lambda alt: viewer.scrub_training(
        network(), states(network()), SMALL, alt=alt
    ),
    "folding": lambda alt: viewer.explore_folding(alt=alt),
    "quilt": lambda alt: viewer.explore_quilt(quilts(), SMALL, alt=alt),
    "training": lambda alt: viewer.train_here(SMALL, alt=alt),
    "link": lambda alt: viewer.view_link(to_link(network(), SMALL), alt=alt),
    "race": lambda alt: viewer.race_here(sirenlib.cameraman(64), alt=alt, seconds=0.2),
    "activations": lambda alt: viewer.explore_activations(depth=2, alt=alt),
    "cobweb": lambda alt: viewer.explore_cobweb(alt=alt),
    "omega": lambda alt: viewer.explore_omega_0(alt=alt),
    "which": lambda alt: viewer.which_siren(alt=alt),
}
# A test that needs an output does not make it anew.
MAKERS = [functools.cache(make) for make in VIEWERS.values()]
every_viewer = pytest.mark.parametrize("make", MAKERS, ids=VIEWERS)


# The bundle


@every_viewer
def test_bundle_has_html_a_picture_and_words(make):
    output = make(ALT)
    bundle = output._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/png", "text/plain"]
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert max(picture.size) <= 900 and len(bundle["image/png"]) < 200_000
    assert bundle["text/plain"] == ALT
    assert f'<img alt="{ALT}" src="data:image/png;base64,' in bundle["text/html"]


@every_viewer
def test_html_is_the_same_each_time(make):
    assert make(ALT).html() == make.__wrapped__(ALT).html()
    assert make(ALT).html() != make(f"{ALT} More.").html()


@every_viewer
def test_html_needs_nothing_else(make):
    text = make(ALT).html()
    addresses = set(re.findall(r"\w+://[^\s\"'`)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"\bimport\b\s*[({\"']|fetch\(|XMLHttpRequest", text)


def test_names_of_all_scripts_differ():
    """They are joined in one function."""
    text = joined(*SCRIPTS)
    found = NAME.findall(text)
    assert len(found) > 20 and len(found) == len(set(found))
    assert not re.search(r"</script|<!--", text, re.IGNORECASE)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_say_what_they_need(script):
    """No more and no less: whose names they use."""
    first, text = SCRIPTS[script].split("\n", 1)
    needs = re.fullmatch(r"/\* needs:((?: \w+)*) \*/", first)[1].split()
    code = re.sub(r'/\*[^/]*\*/|//[^\n]*|"[^"\n]*"', "", text)
    own, used = set(NAME.findall(text)), set()
    for other, content in SCRIPTS.items():
        for name in set(NAME.findall(content)) - own:
            called = rf"(?<![\w.]){name}\b" + ("" if name.isupper() else r"[(),;]")
            called += rf"|extends {name}\b"
            used |= {other} if re.search(called, code) else set()
    assert sorted(needs) == sorted(used)


def test_what_a_script_needs_comes_before_it_and_once():
    places = [joined("train_here").index(f"function {name}(") for name in IN_ORDER]
    assert places == sorted(places)
    assert joined("adam", "adam") == joined("adam")
    assert "class Plot" not in joined("view_picture")


def test_alt_must_say_something():
    with pytest.raises(ValueError, match="alt is empty"):
        LiveOutput("frame", {}, BLACK, "  ")


def test_a_spec_that_is_no_json():
    with pytest.raises(ValueError, match="JSON compliant"):
        LiveOutput("frame", {"psnr": math.inf}, BLACK, ALT)


# The package


def fresh(monkeypatch, first: str):
    """The package as it is after one module of it was imported first."""
    for name in [each for each in sys.modules if each.startswith("sirenlib.viewer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sirenlib, "viewer", viewer)  # and back to it
    importlib.import_module(first)
    return importlib.import_module("sirenlib.viewer")


@pytest.mark.parametrize("name", viewer.__all__)
@pytest.mark.parametrize("module_first", [False, True], ids=["name", "module"])
def test_the_name_of_a_viewer_is_its_function(monkeypatch, name, module_first):
    full = f"sirenlib.viewer.{name}"
    package = fresh(monkeypatch, full if module_first else "sirenlib.viewer")
    scope = {}
    exec(f"from sirenlib.viewer import {name}", scope)
    module = importlib.import_module(full)
    exec(f"from sirenlib.viewer import {name} as again", scope)
    assert inspect.isfunction(scope[name]) and scope[name].__module__ == full
    assert scope[name] is scope["again"] is getattr(package, name)
    assert scope[name] is getattr(module, name)
    assert pickle.loads(pickle.dumps(scope[name])) is scope[name]


def test_a_viewer_brings_no_other(monkeypatch):
    package = fresh(monkeypatch, "sirenlib.viewer")
    assert package.explore_folding
    loaded = {
        name for name in package.__all__ if f"{package.__name__}.{name}" in sys.modules
    }
    assert loaded == {"explore_folding"}
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'explore_nothing'"):
        _ = package.explore_nothing


# Pixels


def test_values_as_pixels():
    values = [-9.0, -1.0, -0.5, 0.0, 0.498, 1.0, 3.0]
    assert to_pixels(values).tolist() == [0, 0, 64, 128, 191, 255, 255]
    assert to_pixels([[0.0, 0.1], [0.2, 0.3]], (0, 0.2)).tolist() == [
        [0, 128],
        [255, 255],
    ]
    assert to_pixels(torch.zeros(2, 1, 3)).shape == (2, 1, 3)
    assert to_pixels(values).dtype == np.uint8


def test_two_channels_are_red_and_green():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert (rgb(pixels) == pixels).all()
    assert (rgb(pixels[..., :2])[..., :2] == pixels[..., :2]).all()
    assert (rgb(pixels[..., :2])[..., 2] == 0).all()
    assert rgb(pixels[..., :1]).shape == rgb(pixels[..., 0]).shape == (2, 2)


# Where it is shown


@every_viewer
def test_strings_never_become_html(page, make):
    output = make(HOSTILE)
    page.set_content(output.page(HOSTILE))
    page.locator(".sirenlib[data-state=live]").wait_for()
    assert page.locator("img[src=x], img[onerror]").count() == 0
    assert page.title() == page.locator("h1").text_content() == HOSTILE
    assert page.locator(".sirenlib > img").get_attribute("alt") == HOSTILE


@every_viewer
def test_many_on_one_page(page, make):
    one, other = make(ALT), make(f"{ALT} Another one.")
    show(page, one, other, one)
    assert page.locator(".sirenlib > div").count() == 3
    visible = [img.is_visible() for img in page.locator(".sirenlib > img").all()]
    assert visible == [False] * 3


@every_viewer
def test_in_a_sandbox(page, make):
    """As in Colab: a frame of its own that may run scripts and nothing else."""
    page.set_content('<iframe sandbox="allow-scripts" width=800 height=700></iframe>')
    page.locator("iframe").evaluate(
        "(frame, text) => { frame.srcdoc = text; }", make(ALT).page("A page")
    )
    frame = page.frame_locator("iframe")
    frame.locator(".sirenlib[data-state=live]").wait_for()
    assert not frame.locator(".sirenlib > img").is_visible()


@every_viewer
def test_the_script_may_run_before_its_host_is_there(page, make):
    host, script = make(ALT).html().split("\n", 1)
    page.set_content("<main></main>")
    page.evaluate(
        "(text) => { (0, eval)(text); }",
        re.search("<script>(.*)</script>", script, re.DOTALL)[1],
    )
    append = "(main, text) => main.insertAdjacentHTML('beforeend', text)"
    page.locator("main").evaluate(append, host)
    page.locator(".sirenlib[data-state=live]").wait_for()


@every_viewer
def test_without_scripts_it_is_a_picture(chromium, make):
    with watched(chromium, java_script_enabled=False) as page:
        page.set_content(make(ALT).page("A page"))
        assert page.get_by_alt_text(ALT).is_visible()


@every_viewer
def test_on_paper_it_is_a_picture(page, make):
    show(page, make(ALT))
    page.emulate_media(media="print")
    assert page.get_by_alt_text(ALT).is_visible()
    assert not page.locator(".sirenlib > div").is_visible()


def test_where_building_fails_the_picture_comes_back(chromium):
    broken = LiveOutput("frame", {}, BLACK, ALT)  # it has no function of this name
    said = []
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda line: said.append(line.text))
    page.set_content(broken.html())
    page.locator(".sirenlib[data-state=picture]").wait_for()
    assert page.get_by_alt_text(ALT).is_visible()
    assert page.locator(".sirenlib > div").count() == 0
    assert "the picture is shown instead" in said[0]
    page.close()


@every_viewer
@pytest.mark.parametrize("width", [320, 390, 1100])
def test_readable_and_no_wider_than_the_page(chromium, make, width):
    with watched(chromium, viewport={"width": width, "height": 800}) as page:
        page.set_content(make(ALT).page("A page"))
        page.locator(".sirenlib[data-state=live]").wait_for()
        page.locator("[aria-busy=true]").first.wait_for(state="detached")
        frames(page, 4)  # what a new size asks for is drawn in the next one
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            violations = Axe().run(page).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []


@every_viewer
def test_buttons_are_large_enough_for_a_finger(chromium, make):
    with watched(chromium, viewport={"width": 390, "height": 800}) as page:
        show(page, make(ALT))
        for control in page.locator("button:visible, input:visible").all():
            assert control.bounding_box()["height"] >= 32


def test_the_watch_notices(chromium):
    assert HARMLESS.search("an error of ours") is None
    with pytest.raises(AssertionError, match="an error of ours"):
        with watched(chromium) as page:
            page.evaluate("console.error('an error of ours')")
