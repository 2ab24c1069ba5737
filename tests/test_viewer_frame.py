"""What holds for every live output, wherever it is shown."""

import base64
import functools
import io
import re

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import HARMLESS, show, watched
from PIL import Image

import sirenlib
from sirenlib import viewer
from sirenlib.viewer.frame import joined, png

ALT = "What the picture shows, in a sentence."
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\"> & '<!--"


@functools.cache
def network():
    generator = torch.Generator().manual_seed(0)
    return sirenlib.Siren(2, 16, 1, 1, generator=generator)


def states(model) -> dict:
    """Two steps of a fit."""
    halved = {name: weight / 2 for name, weight in model.state_dict().items()}
    return {0: halved, 10: model.state_dict()}


SMALL = sirenlib.cameraman(16)
VIEWERS = {
    "picture": lambda alt: viewer.view_picture(network(), SMALL, alt=alt),
    "scrubber": lambda alt: viewer.scrub_training(
        network(), states(network()), SMALL, alt=alt
    ),
    "folding": lambda alt: viewer.explore_folding(alt=alt),
    "training": lambda alt: viewer.train_here(SMALL, alt=alt),
    "activations": lambda alt: viewer.explore_activations(depth=2, alt=alt),
}
every_viewer = pytest.mark.parametrize("make", VIEWERS.values(), ids=VIEWERS)


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
    assert make(ALT).html() == make(ALT).html()
    assert make(ALT).html() != make(f"{ALT} More.").html()


@every_viewer
def test_html_needs_nothing_else(make):
    text = make(ALT).html()
    addresses = set(re.findall(r"\w+://[^\s\"'`)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"\bimport\b\s*[({\"']|fetch\(|XMLHttpRequest", text)


def test_names_of_all_scripts_differ():
    """They are joined in one function."""
    folder = sirenlib.viewer.frame.files(viewer.__name__)
    names = [file.name for file in folder.iterdir() if file.name.endswith(".js")]
    text = joined(*(name.removesuffix(".js") for name in names))
    found = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", text, re.M)
    assert len(found) > 20 and len(found) == len(set(found))
    assert not re.search(r"</script|<!--", text, re.IGNORECASE)


def test_alt_must_say_something():
    with pytest.raises(ValueError, match="alt is empty"):
        viewer.LiveOutput("mount", [], {}, png([[0.0]]), "  ")


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
    page.wait_for_timeout(200)
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
    broken = viewer.LiveOutput("nothing.of.the.kind", [], {}, png([[0.5]]), ALT)
    said = []
    page = chromium.new_page()
    page.on("console", lambda line: said.append(line.text))
    page.set_content(broken.html())
    page.locator(".sirenlib[data-state=picture]").wait_for()
    assert page.get_by_alt_text(ALT).is_visible()
    assert page.locator(".sirenlib > div").count() == 0
    assert "the picture is shown instead" in said[0]
    page.close()


@every_viewer
@pytest.mark.parametrize("width", [320, 390, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_and_no_wider_than_the_page(chromium, make, width, scheme):
    size = {"width": width, "height": 800}
    with watched(chromium, viewport=size, color_scheme=scheme) as page:
        page.set_content(make(ALT).page("A page"))
        page.locator(".sirenlib[data-state=live]").wait_for()
        page.wait_for_timeout(300)
        wide = "document.scrollingElement.scrollWidth"
        assert page.evaluate(wide) <= width
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
