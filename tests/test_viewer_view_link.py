"""A picture in the address of a page: the bytes as in Python, and the page in use."""

import re
import struct

import numpy as np
import pytest
import torch
from browser import frames, pixels, run, until, watched
from test_links import FORGED, LINK, content_of, saved, siren, text_of

import sirenlib
from sirenlib.files import SavedNetwork
from sirenlib.links import from_link, to_link
from sirenlib.viewer import train_here, view_link
from sirenlib.viewer.view_picture import packed

ALT = "A checkered face."
READ = """
  try {
    const { network, ...picture } = readLink(given);
    return { ...network, ...picture, weights: Array.from(network.weights) };
  } catch (error) {
    return error.message;
  }"""
WRITE = """
  const network = { ...given.network, weights: floats(given.network.weights) };
  return writeLink(network, given.picture);"""
MODELS = {
    "color": siren(outputs=3),
    "flat": siren(hidden_layers=0, first_omega_0=40.0, hidden_omega_0=40.0),
    "sine at the end": siren(outputs=2, outermost_linear=False, hidden_omega_0=7.0),
    "zeros": siren(width=3, init="zero-bias"),
    "large": siren(64, 1),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


# The bytes


@every_model
def test_page_reads_what_python_reads(page, model):
    link = to_link(saved(model))
    wanted, found = from_link(link), run(page, "links", READ, link)
    parts = [part.detach().numpy() for part in wanted.model.parameters()]
    weights = np.concatenate([part.ravel() for part in parts])
    assert np.array_equal(np.float32(found["weights"]), weights)
    form = packed(wanted.model)
    assert (found["widths"], found["omegas"]) == (form["widths"], form["omegas"])
    assert tuple(found["shape"]) == wanted.shape
    assert tuple(found["range"]) == wanted.value_range
    assert tuple(map(tuple, found["window"])) == wanted.window


@every_model
def test_page_writes_what_python_writes(page, model):
    network = saved(model)
    picture = {"shape": network.shape, "range": network.value_range}
    given = {"network": packed(model), "picture": picture | {"window": network.window}}
    assert run(page, "links", WRITE, given) == to_link(network)


def test_page_says_that_a_network_is_too_large(page):
    body = f"try {{ {WRITE} }} catch (error) {{ return error.message; }}"
    picture = {"shape": [8, 8], "range": [-1, 1], "window": [[-1, 1], [-1, 1]]}
    given = {"network": packed(siren(76, 1)), "picture": picture}
    said = run(page, "links", body, given)
    assert re.fullmatch(r"The link would have 8,\d+ characters, and 8,000 are .*", said)


@pytest.mark.parametrize(("place", "kind", "number", "words"), FORGED)
def test_page_refuses_forged_bytes(page, place, kind, number, words):
    content = content_of(LINK)
    struct.pack_into(kind, content, place, number)
    assert words in run(page, "links", READ, text_of(bytes(content)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no picture"),
        ("siren", "no picture"),
        ("siren-<img src=x>", "no picture"),
        ("siren-AAAAA", "damaged"),
        (LINK[:-1], "damaged"),
        (LINK[:60], "damaged"),
        (LINK.replace("A", "B", 1), "damaged"),
        ("siren-" + "A" * 8000, "at most 8,000 are read"),
    ],
)
def test_page_refuses_what_is_damaged(page, text, words):
    assert words in run(page, "links", READ, text)


# The page


@pytest.fixture(scope="module")
def shown():
    """A network that is white at the left and black at the right, and one turned."""
    model = sirenlib.Siren(2, 1, 0, 1, first_omega_0=1.0)
    turned = sirenlib.Siren(2, 1, 0, 1, first_omega_0=1.0)
    with torch.no_grad():
        for each, weights in [(model, [0.0, -1.5]), (turned, [0.0, 1.5])]:
            each.net[0].linear.weight[:] = torch.tensor([weights])
            each.net[0].linear.bias.zero_()
            each.net[1].weight.fill_(1.0)
            each.net[1].bias.zero_()
    window = ((-1.0, 1.0), (-1.0, 1.0))
    return [
        to_link(SavedNetwork(each, (8, 8), (-1.0, 1.0), window))
        for each in (model, turned)
    ]


@pytest.fixture
def address(tmp_path, shown):
    """A page with a link's example, in a file."""
    html = view_link(shown[0], alt=ALT, _renderer="cpu").page("A picture")
    (tmp_path / "picture.html").write_text(html, encoding="utf-8")
    return (tmp_path / "picture.html").as_uri()


def sides(page) -> tuple[float, float]:
    """How bright the left and the right side are, once they are drawn."""
    page.locator('.stage[aria-busy="false"] canvas').wait_for()
    frames(page)
    drawn = pixels(page.locator("canvas"))
    return drawn[:, 2:8].mean(), drawn[:, -8:-2].mean()


def status(page) -> str:
    return page.get_by_role("status").first.inner_text()


def test_page_without_a_picture_shows_the_example(page, address):
    page.goto(address)
    left, right = sides(page)
    assert left > 0.8 > 0.2 > right
    assert "no picture in this page's address" in status(page)
    assert page.get_by_label(re.compile(f"^{ALT}")).count() == 1


def test_page_draws_its_fragment_and_the_next_one(page, address, shown):
    page.goto(f"{address}#{shown[1]}")
    left, right = sides(page)
    assert left < 0.2 < 0.8 < right
    assert status(page) == "This picture came in the link."
    page.get_by_text("5 numbers for 8 × 8 pixels, in ").wait_for()
    page.evaluate("(text) => { location.hash = text; }", shown[0])
    until(page, lambda: sides(page)[0] > 0.8)


def test_page_says_that_a_link_is_damaged(page, address, shown):
    page.goto(f"{address}#{shown[1][:-3]}")
    left, right = sides(page)
    assert left > 0.8 > 0.2 > right
    assert "damaged" in status(page) and "an example instead" in status(page)


def test_fragment_of_another_kind_is_left_alone(page, address):
    page.goto(f"{address}#a-heading")
    assert "no picture in this page's address" in status(page)


# The trainer's button


TRAINER = train_here(sirenlib.cameraman(16), alt="A man.", page="picture.html")


def open_trainer(page, tmp_path) -> None:
    (tmp_path / "index.html").write_text(TRAINER.page("Train"), encoding="utf-8")
    page.goto((tmp_path / "index.html").as_uri())


def test_trained_network_becomes_a_link(page, tmp_path):
    open_trainer(page, tmp_path)
    copy = page.get_by_role("button", name="copy a link to it")
    copy.click()
    page.get_by_text("Train it first.").wait_for()
    page.get_by_role("button", name="train", exact=True).click()
    page.get_by_text(re.compile(r"step [1-9]\d\d")).first.wait_for()
    page.get_by_role("button", name="pause").click()
    copy.click()
    page.get_by_text(re.compile(r"The link has 6,\d\d\d characters\.")).wait_for()
    link = page.get_by_label("the link").input_value()
    assert link.startswith(f"{tmp_path.as_uri()}/picture.html#siren-")
    again = from_link(link)
    assert again.shape == (16, 16)
    assert sirenlib.signal_psnr(again.model, sirenlib.cameraman(16)) > 20


def test_link_is_marked_where_it_cannot_be_copied(page, tmp_path):
    page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
    )
    open_trainer(page, tmp_path)
    page.get_by_role("button", name="train", exact=True).click()
    page.get_by_text(re.compile(r"step [1-9]\d")).first.wait_for()
    page.get_by_role("button", name="copy a link to it").click()
    page.get_by_text("It is marked here: copy it.").wait_for()
    field = page.get_by_label("the link")
    marked = field.evaluate("(field) => field.selectionEnd - field.selectionStart")
    assert marked == len(field.input_value()) > 6_000


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(chromium, address, shown, width):
    size = {"width": width, "height": 800}
    with watched(chromium, viewport=size) as page:
        page.goto(f"{address}#{shown[1]}")
        sides(page)
        wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= width
