"""The built book in a browser: offline, from its files, at a desk and on a phone."""

import re
import time
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import drawings
import numpy as np
import prose
import pytest
from browser import listen, pixels
from chapters import ROOT, chapters
from PIL import Image

from sirenlib import figures
from sirenlib.viewer.frame import LiveOutput, png

slow = pytest.mark.slow

PAGES = sorted(path.stem for path in (ROOT / "book").glob("*.md"))
PAGES += [path.stem for path in chapters()]
every_page = pytest.mark.parametrize("name", PAGES)
URL = "https://github.com/owner/name"

DESK = {"width": 1100, "height": 900}
PHONE = {"width": 390, "height": 800}
HEAVIEST = 1.5e6

# docutils lists a bibliography in the manner of an older version of ARIA.
FOREIGN = {
    "aria-allowed-role": 'role="doc-biblioentry"',
    "aria-deprecated-role": 'role="doc-biblioentry"',
    "aria-required-children": 'class="citation-list"',
}

# True once MathJax is done, where a page has it.
TYPESET = "() => window.MathJax?.startup?.promise?.then(() => true) ?? true"
# Fonts are there, no color is on its way to another, and two pictures have been drawn.
SETTLED = """async () => {
  await document.fonts.ready;
  await Promise.allSettled(document.getAnimations().map((each) => each.finished));
  const drawn = () => new Promise((then) => requestAnimationFrame(then));
  await drawn();
  await drawn();
}"""
# Asked of a page once it is loaded.
LOOK = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const [times] = performance.getEntriesByType("navigation");
  return {
    broken: all("img").filter((each) => !each.complete || !each.naturalWidth)
      .map((each) => each.src.slice(0, 100)),
    formulas: all(".math").length,
    typeset: all(".math mjx-container").length,
    fonts: [...document.fonts].filter((each) => each.family.startsWith("MJXTEX"))
      .map((each) => each.status),
    wrong: all("mjx-merror, [data-mjx-error]").map((each) => each.textContent),
    live: all(".sirenlib").map((each) => each.dataset.state || "picture"),
    ready: times.domContentLoadedEventEnd,
    loaded: times.loadEventEnd,
  };
}"""

# What is wider than its place: the page, and the cells with live outputs.
WIDE = """() => {
  document.querySelectorAll("details").forEach((fold) => fold.open = true);
  const places = [document.scrollingElement,
    ...document.querySelectorAll(".cell_output:has(.sirenlib), .sirenlib")];
  return places.filter((each) => each.scrollWidth > each.clientWidth)
    .map((each) => `${each.className || each.tagName}: ` +
      `${each.scrollWidth} in ${each.clientWidth}`);
}"""

# The colors of code, each with what lies behind it: axe takes minutes for them.
CODE = """() => {
  const ground = (each) => {
    const { backgroundColor } = getComputedStyle(each);
    return /, 0[)]$/.test(backgroundColor) && each.parentElement
      ? ground(each.parentElement) : backgroundColor;
  };
  const words = [...document.querySelectorAll("article .highlight :is(pre, span)")];
  const pairs = words.filter((each) => each.textContent.trim()).map((each) =>
    `${getComputedStyle(each).color} on ${ground(each)}`);
  return [...new Set(pairs)];
}"""
LEFT_TO_CODE = """
axe.configure({ rules: [{
  id: "color-contrast", selector: "*:not(.highlight *, mjx-container *)" }] });
"""


def color(css: str) -> np.ndarray:
    """``#1a73b8`` or ``rgb(26, 115, 184)`` as three numbers between 0 and 1."""
    if css.startswith("#"):
        return np.array([int(css[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.array([float(part) for part in re.findall(r"[\d.]+", css)[:3]]) / 255


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The ratio of the Web Content Accessibility Guidelines, 1 to 21."""
    lights = []
    for values in (one, other):
        linear = np.where(
            values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4
        )
        lights.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(lights) / min(lights)


def open_page(chromium, address: str, viewport: dict, **settings):
    """A loaded page, its formulas typeset; what it asked for and what it said."""
    context = chromium.new_context(offline=True, viewport=viewport, **settings)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.asked, page.said = [], listen(page)
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    page.wait_for_function(TYPESET)
    return page


def visit(chromium, address: str) -> SimpleNamespace:
    """What a reader at a desk gets."""
    page = open_page(chromium, address, DESK)
    page.evaluate(SETTLED)
    seen = SimpleNamespace(**page.evaluate(LOOK))
    seen.outside = [url for url in page.asked if not re.match("file:|data:|blob:", url)]
    seen.files = {url.split("?")[0] for url in page.asked if url.startswith("file:")}
    seen.said = page.said
    page.context.close()
    return seen


def wide(chromium, address: str) -> list[str]:
    """What scrolls sideways on a phone, with every fold open."""
    page = open_page(chromium, address, PHONE)
    found = page.evaluate(WIDE)
    page.context.close()
    return found


def violations(chromium, address: str) -> dict[str, list]:
    """What axe finds in the article, and code that is hard to read, by theme."""
    from axe_playwright_python.base import AXE_SCRIPT

    page = open_page(chromium, address, DESK)
    page.evaluate(WIDE)
    page.evaluate(AXE_SCRIPT + LEFT_TO_CODE)
    found = {}
    for theme in ("light", "dark"):
        page.evaluate(
            "(theme) => document.documentElement.dataset.theme = theme", theme
        )
        page.evaluate(SETTLED)
        only = {"runOnly": ["color-contrast"]} if theme == "dark" else {}
        result = page.evaluate(
            "(options) => axe.run('article', options)",
            {"preload": False, "resultTypes": ["violations"], **only},
        )
        found[theme] = [
            (each["id"], node["html"][:200])
            for each in result["violations"]
            for node in each["nodes"]
            if FOREIGN.get(each["id"], "nothing") not in node["html"]
        ]
        pairs = [pair.split(" on ") for pair in page.evaluate(CODE)]
        found[theme] += [pair for pair in pairs if contrast(*map(color, pair)) < 4.5]
    page.context.close()
    return found


@pytest.fixture(scope="module")
def seen(chromium, site):
    """`visit` by a page's name; each page is loaded once."""
    return cache(lambda name: visit(chromium, address(site, name)))


def address(site: Path, name: str) -> str:
    return (site / f"{name}.html").as_uri()


@slow
@every_page
def test_nothing_comes_from_another_host(name, seen):
    assert seen(name).outside == []


@slow
@every_page
def test_nothing_goes_wrong(name, seen):
    assert seen(name).said == []
    assert seen(name).broken == []


@slow
@every_page
def test_mathematics_is_typeset(name, seen):
    page = seen(name)
    assert page.typeset == page.formulas
    assert page.wrong == []
    assert set(page.fonts) <= {"loaded", "unloaded"}
    assert not page.formulas or "loaded" in page.fonts


@slow
@every_page
def test_live_outputs_are_alive(name, seen):
    assert set(seen(name).live) <= {"live"}


@slow
@every_page
def test_nothing_scrolls_sideways_on_a_phone(name, chromium, site):
    assert wide(chromium, address(site, name)) == []


# For each figure: how much smaller it is than its file, how wide it is, and its box. A
# formula begins in its place. What scrolls is a stop of the Tab key with a name.
SIDEWAYS = """() => {
  const all = (selector) => [...document.querySelectorAll(`.bd-article ${selector}`)];
  const inside = (each) => !each.closest("details:not([open])");
  const boxes = all(":is(.drawing, div.math)").filter(inside);
  const scroll = boxes.filter((each) => each.scrollWidth > each.clientWidth + 1);
  return {
    figures: all(".drawing img").filter(inside).map((each) =>
      [each.naturalWidth, each.clientWidth, each.closest(".drawing").clientWidth]),
    cut: all("div.math mjx-container").filter((each) => inside(each) &&
      each.querySelector("mjx-math").getBoundingClientRect().left + 1 <
      each.closest("div.math").getBoundingClientRect().left).length,
    small: all("div.math mjx-container").filter((each) => inside(each) &&
      !each.closest(".preview") && parseFloat(getComputedStyle(each).fontSize) <
      parseFloat(getComputedStyle(each.closest("div.math")).fontSize)).length,
    scroll: scroll.length,
    named: scroll.filter((each) => each.tabIndex === 0 && each.role === "group" &&
      each.dataset.more === "right" && each.ariaLabel.length > 20).length,
    stops: boxes.filter((each) => each.tabIndex === 0).length };
}"""


@slow
@every_page
def test_letters_and_formulas_can_be_read_on_a_phone(name, chromium, site):
    sizes = {}
    for width in (390, 320, 1100):
        page = open_page(chromium, address(site, name), {"width": width, "height": 800})
        page.evaluate(SETTLED)
        seen = sizes[width] = page.evaluate(SIDEWAYS)
        page.context.close()
        assert (seen["cut"], seen["small"]) == (0, 0)
        assert seen["scroll"] == seen["named"] == seen["stops"]
        for natural, shown, box in seen["figures"]:
            assert shown >= min(natural, box)
            # 12 points, the size of the style. Cells that set a smaller one: below.
            assert 12 / 72 * 120 * shown / natural >= drawings.SMALLEST - 0.05
    assert all(shown <= box for _, shown, box in sizes[1100]["figures"])


@slow
@every_page
def test_everybody_can_read_it(name, chromium, site):
    assert violations(chromium, address(site, name)) == {"light": [], "dark": []}


@slow
def test_pages_are_light(seen, site, capsys):
    """A page and its pictures; the theme, MathJax and fonts are stored once for all."""
    weights = {}
    lines = [f"{'':32}{'kB':>6}{'ready':>8}{'loaded':>8}"]
    for name in PAGES:
        own = [
            url for url in seen(name).files if re.search(f"/_images/|/{name}.html", url)
        ]
        files = [site / url.removeprefix(f"{site.as_uri()}/") for url in own]
        weights[name] = sum(file.stat().st_size for file in files)
        times = f"{seen(name).ready:6.0f}ms{seen(name).loaded:6.0f}ms"
        lines.append(f"{name:32}{weights[name] / 1e3:6.0f}{times}")
    with capsys.disabled():
        print("\n", *lines, sep="\n")
    assert {name: w for name, w in weights.items() if w > HEAVIEST} == {}


# Of a chapter: the share of its height that is code one can see, and where its first
# picture begins.
FIRST_LOOK = """() => {
  const shown = (each) => !each.closest("details:not([open])");
  const high = (each) => each.getBoundingClientRect().height;
  const code = [...document.querySelectorAll(".bd-article div.cell_input")];
  const first = document.querySelector(
    ".bd-article .cell_output img, .bd-article .cell_output .sirenlib");
  return {
    share: code.filter(shown).reduce((sum, each) => sum + high(each), 0)
      / high(document.querySelector(".bd-article")),
    top: first.getBoundingClientRect().top + scrollY };
}"""


@slow
def test_pictures_come_before_code(chromium, site, capsys):
    """In the first screen of a desk; and in the chapters of the proof code is rare."""
    found = {}
    for path in chapters():
        viewport = {"width": 1280, "height": 900}
        page = open_page(chromium, address(site, path.stem), viewport)
        found[path.stem] = page.evaluate(FIRST_LOOK)
        page.context.close()
    with capsys.disabled():
        for name, seen in found.items():
            print(
                f"\n{name:32} code {100 * seen['share']:4.1f} %, "
                f"first picture at {seen['top']:.0f} px",
                end="",
            )
    proof = [seen for name, seen in found.items() if "02" <= name[:2] <= "08"]
    assert max(seen["share"] for seen in proof) < 0.12
    assert max(seen["top"] for seen in proof) < 900


def found_by(word: str, chromium, site) -> list[str]:
    """The pages that the search lists for a word."""
    page = open_page(chromium, address(site, "search") + f"?q={word}", DESK)
    page.wait_for_selector("#search-results > p:has-text('found')")
    links = page.locator("#search-results a").evaluate_all(
        "(links) => links.map((link) => link.getAttribute('href').split('#')[0])"
    )
    page.context.close()
    return links


@slow
def test_search_finds_chapters_first(chromium, site):
    """What explains a word comes before what only uses it, and before a module."""
    assert set(found_by("arcsine", chromium, site)[:2]) == {
        "03_arcsin.html",
        "05_lemma_1_1.html",
    }
    found = found_by("initialization", chromium, site)
    about = ["06_through_the_layers.html", "07_sine_layer.html"]
    assert found[:3] == [*about, "08_what_omega_0_does.html"]
    assert "reference.html" in found_by("evaluate", chromium, site)[:2]


@slow
def test_index_of_names_fits_a_phone(chromium, site):
    assert wide(chromium, address(site, "genindex")) == []


@slow
def test_buttons_open_their_chapters_in_colab_and_in_kaggle(chromium, build):
    published = build(URL)
    hosts = [
        "https://colab.research.google.com/github/owner/name/blob/main/book/",
        f"https://www.kaggle.com/kernels/welcome?src={URL}/blob/main/book/",
    ]
    for path in chapters():
        text = (published / f"{path.stem}.html").read_text("utf-8")
        links = [attributes.get("href") or "" for _, attributes in prose.tags(text)]
        for host in hosts:
            found = {link for link in links if link.startswith(host)}
            assert found == {f"{host}{path.name}"}
    assert visit(chromium, address(published, path.stem)).outside == []


# The first page


@slow
def test_first_page_is_in_the_readers_hands_at_once(chromium, site, capsys):
    """On a phone, offline, without a graphics processor."""
    start = time.perf_counter()
    page = open_page(chromium, address(site, "index"), PHONE, has_touch=True)
    page.locator(".stage[aria-busy=false]").wait_for()
    drawn = time.perf_counter() - start
    before = pixels(page.locator(".stage canvas"))
    page.get_by_role("button", name="zoom in").tap()
    page.locator(".stage[aria-busy=false]").wait_for()
    zoomed = time.perf_counter() - start
    assert np.abs(pixels(page.locator(".stage canvas")) - before).mean() > 0.01
    train = page.get_by_role("button", name="train", exact=True)
    train.scroll_into_view_if_needed()
    train.tap()
    page.get_by_text(re.compile(r"^sine +(2[5-9]|[3-9]\d)\.\d dB")).wait_for()
    trained = time.perf_counter() - start
    page.context.close()
    with capsys.disabled():
        print(
            f"\nfirst page: drawn {drawn:.1f} s, zoomed {zoomed:.1f} s, "
            f"25 dB {trained:.1f} s after it was asked for"
        )
    assert zoomed < 10 and trained < 30  # twice what it should take, and more


# Figures and live outputs in the dark


def in_the_dark(chromium, site: Path, name: str):
    page = open_page(chromium, address(site, name), DESK, color_scheme="dark")
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    return page


@slow
@every_page
def test_figures_keep_their_colors_in_the_dark(name, chromium, site):
    page = in_the_dark(chromium, site, name)
    pictures = page.locator("article img").evaluate_all(
        """(images) => images.filter((each) => !each.closest(".sirenlib")).map((each) =>
          [each.classList.contains("dark-light"), getComputedStyle(each).filter,
           getComputedStyle(each).mixBlendMode, each.getAttribute("src")])"""
    )
    page.context.close()
    for exempt, filtered, blended, source in pictures:
        if exempt:
            assert filtered == "none", source
        else:  # a plot: its white ground becomes black, and adds nothing to the page's
            corner = np.asarray(Image.open(site / source).convert("RGBA"))[0, 0]
            assert corner.tolist() == [255] * 4, source
            assert filtered == "invert(1) hue-rotate(180deg)", source
            assert blended == "screen", source


@slow
def test_lines_stand_out_on_both_grounds(chromium, site):
    page = in_the_dark(chromium, site, "index")
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.context.close()
    for line in map(color, figures.COLORS):
        assert contrast(line, np.ones(3)) > 3
        assert contrast(line, color(dark)) > 3


WHITE = png(np.full((8, 8), 255, np.uint8))
SMALL = LiveOutput("frame", {}, WHITE, "A white square.")
# What a cell shows, put below the last output of a page.
PUT = """(html) => {
  const place = [...document.querySelectorAll(".cell_output")].pop();
  const output = document.createElement("div");
  output.className = "output text_html";
  output.append(document.createRange().createContextualFragment(html));
  place.append(output);
  const [plate, image] = [output, output.querySelector(".sirenlib > img")]
    .map((each) => getComputedStyle(each));
  const around = getComputedStyle(place);
  return { plate: plate.backgroundColor, color: plate.color, around: around.color,
    filter: image.filter, ground: image.backgroundColor };
}"""


@slow
def test_live_outputs_have_the_dark_ground_of_the_page(chromium, site):
    page = in_the_dark(chromium, site, "05_lemma_1_1")
    found = page.evaluate(PUT, SMALL.html().replace("<script>", "<script type='none'>"))
    page.context.close()
    assert found["plate"] == "rgba(0, 0, 0, 0)"
    assert found["color"] == found["around"]
    assert (found["filter"], found["ground"]) == ("none", "rgb(255, 255, 255)")


# Paper, and hosts that allow less


# What is on the paper: an event of ours follows those of the page.
ON_PAPER = """() => addEventListener("beforeprint", () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (each) => each.checkVisibility(
    { contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true });
  window.paper = {
    colors: [...new Set(all("article :is(h1, h2, p, li, td, pre, span)").filter(seen)
      .map((each) => getComputedStyle(each).color))],
    folded: all("article details:not(.hide, [open])").length,
    folds: all("article details:not(.hide) > summary").filter(seen)
      .map((each) => each.textContent),
  };
})"""
STATE = """() => [document.documentElement.dataset.theme,
  document.querySelectorAll("article details[open]").length]"""


@slow
def test_paper_is_white_and_unfolded(chromium, site):
    """Printed from the dark theme; afterwards the page is what it was."""
    page = in_the_dark(chromium, site, "03_arcsin")
    before = page.evaluate(STATE)
    page.evaluate(ON_PAPER)
    page.pdf()
    paper, after = page.evaluate("() => window.paper"), page.evaluate(STATE)
    page.emulate_media(media="print")
    code = page.locator("article details.hide").filter(visible=True).count()
    page.context.close()
    pale = [each for each in paper["colors"] if contrast(color(each), np.ones(3)) < 4.5]
    assert len(paper["colors"]) > 3 and pale == []
    assert (paper["folded"], code) == (0, 0)
    assert paper["folds"].count("Solution") >= 3
    assert before == after == ["dark", 0]


@slow
def test_formulas_are_set_where_pages_may_hold_no_scripts(chromium, site):
    """A strict Content-Security-Policy. Live outputs are their pictures there."""
    context = chromium.new_context(viewport=DESK)
    page = context.new_page()

    def answer(route):
        path = site / urlsplit(route.request.url).path.lstrip("/")
        policy = {"Content-Security-Policy": "script-src 'self'"}
        route.fulfill(path=path, headers=policy) if path.is_file() else route.abort()

    page.route("**/*", answer)
    page.goto("http://book.example/03_arcsin.html")
    page.wait_for_function(TYPESET)
    seen = page.evaluate(LOOK)
    context.close()
    assert seen["typeset"] == seen["formulas"] > 0 and seen["wrong"] == []
    assert seen["live"] == ["picture"]


@slow
@pytest.mark.parametrize("name", ["03_arcsin", "references"])
def test_formulas_without_scripts_are_explained(name, chromium, site):
    context = chromium.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(address(site, name))
    said = page.evaluate(
        "() => getComputedStyle(document.querySelector('article'), '::before').content"
    )
    context.close()
    assert ("JavaScript" in said) == (name == "03_arcsin")


# What these tests look for is found where it is


BROKEN = """<!DOCTYPE html><html lang="en"><head><title>Broken</title>
<script src="https://example.org/script.js"></script></head><body><article>
<img src="missing.png" alt="nothing">
<p style="width: 500px">Wide.</p> <p style="color: #999; background: #fff">Pale.</p>
<span class="math">\\(x</span> <mjx-merror>Missing }</mjx-merror>
<div class="highlight"><pre style="color: #aaa; background: #fff">x = 1</pre></div>
<div class="sirenlib"><img alt="" src="data:image/png;base64,%s"></div>
<script>throw new Error("thrown"); </script></article></body></html>"""


@pytest.fixture
def broken(tmp_path) -> str:
    (tmp_path / "broken.html").write_text(BROKEN % SMALL.picture)
    return address(tmp_path, "broken")


def test_a_broken_page_is_seen(chromium, broken):
    page = visit(chromium, broken)
    assert page.outside == ["https://example.org/script.js"]
    assert "thrown" in page.said
    assert len(page.broken) == 1
    assert (page.formulas, page.typeset, page.wrong) == (1, 0, ["Missing }"])
    assert page.live == ["picture"]


def test_a_wide_page_is_seen(chromium, broken):
    assert wide(chromium, broken) != []


def test_pale_text_and_pale_code_are_seen(chromium, broken):
    found = violations(chromium, broken)["light"]
    rules = [each[0] for each in found]
    assert "color-contrast" in rules
    assert "rgb(170, 170, 170)" in rules


def test_contrast():
    assert contrast(color("#000000"), color("rgb(255, 255, 255)")) == pytest.approx(21)
    assert contrast(color("#777777"), np.ones(3)) == pytest.approx(4.48, abs=0.01)
