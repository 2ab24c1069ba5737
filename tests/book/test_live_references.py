"""What prose refers to is linked, and shown beside the link."""

import re
from pathlib import Path

import prose
import pytest
import references
from browser import PATIENCE, listen
from references import equations, statements

slow = pytest.mark.slow


def said(found, text: str) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.id) for each in found]


# Reading


@pytest.mark.parametrize(
    ("text", "wanted"),
    {
        "By claim 4.15, u is": [("claim 4.15", "claim-4-15")],
        "See\nClaim\n4.15.": [("Claim\n4.15", "claim-4-15")],
        "Claims 4.3, 4.5 and 5.1:": [
            ("Claims 4.3", "claim-4-3"),
            ("4.5", "claim-4-5"),
            ("5.1", "claim-5-1"),
        ],
        "exercises 7.1 to 7.3": [
            ("exercises 7.1", "exercise-7-1"),
            ("7.3", "exercise-7-3"),
        ],
        "lemma 1.6, 1.5 times": [("lemma 1.6", "lemma-1-6")],
        "Theorem 1.8 and figure 6.2": [
            ("Theorem 1.8", "theorem-1-8"),
            ("figure 6.2", "figure-6-2"),
        ],
        "claim 4, chapter 4.1, reclaim 4.1, claims that 4.1 is": [],
    }.items(),
)
def test_numbered_statements_are_read(text, wanted):
    assert said(statements(text), text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    {
        "by (10), and": [("(10)", "equation-10")],
        "Equation (7) is": [("Equation (7)", "equation-7")],
        "the rules (3), (4) and (6)": [
            ("(3)", "equation-3"),
            ("(4)", "equation-4"),
            ("(6)", "equation-6"),
        ],
        "(11)-(15) or (21) to (25)": [
            ("(11)", "equation-11"),
            ("(15)", "equation-15"),
            ("(21)", "equation-21"),
            ("(25)", "equation-25"),
        ],
        # arguments, powers, signs, years, sizes
        "f(1), k''(0), g′(2), k\u2019(2), 2(3), x^(2), [0](1), -(4), 3·(2)": [],
        "Sitzmann et al. (2020), a layer (256), the origin (0), S(1) = 1": [],
        # a list that counts, and none
        "Two things: (1) the law, and (2) its width.": [],
        "(1) is the law, (2) is its width": [],
        "The same by (1) and, (2) put in": [
            ("(1)", "equation-1"),
            ("(2)", "equation-2"),
        ],
        "(1) says it. By (2) it ends.": [("(1)", "equation-1"), ("(2)", "equation-2")],
        "(19) and (21) are theirs": [("(19)", "equation-19"), ("(21)", "equation-21")],
    }.items(),
)
def test_numbers_of_displays_are_read(text, wanted):
    assert said(equations(text), text) == wanted


def test_chapter_behind_a_number_is_read():
    text = "by (8) and (9) of chapter 6, and (2)"
    assert [each.page for each in equations(text)] == ["06_", "06_", ""]
    assert [each.page for each in equations("by (7) of ", "07_layer")] == ["07_layer"]
    assert [each.page for each in equations("by (7), and of ", "07_layer")] == [""]


def test_number_in_a_table_follows_a_word():
    text = "slope by W, (2) and 12 (3), also (4)"
    assert said(equations(text, cell=True), text) == [
        ("(2)", "equation-2"),
        ("(4)", "equation-4"),
    ]


def test_paper_may_have_statements_that_the_book_has_not():
    [found] = statements("Lemma 1.5 of the SIREN paper")
    assert found.optional
    [found] = statements("Lemma 1.5 of chapter 3")
    assert not found.optional


# A small book

FIRST = r"""
# The first

> **Claim 4.15 (a phase).** For $x$ it is $\sin x$. See (1).

$$
a = b
\tag{1}
$$

$$
b = c
\tag{2}
$$

By (1), (2) and claim
5.1 it holds, by [the box](#claim-4-15) too, and (2) of
[chapter 5](05_second.md) is another, as (2) of chapter 5 is. But $f$(1) and f(1) are
not, and neither are these: `(1)`, `claim 4.15`, [what claim 4.15 says](05_second.md).

## Claim 4.15 in a heading

| n | what |
| --- | --- |
| (1) | claim 5.1, equation (2), 7 (2) |

> **Predict before you run 4.1.** What is claim 4.15?
>
> <details><summary>Hint</summary>
>
> Seven.
>
> </details>

> **Definition.** A word.

```{figure} logo.png
Figure 4.1. A logo. See figure 4.1 and exercise 4.1.
```
"""
SECOND = r"""
# The second

> **Claim 5.1 (a sum).** By [claim 4.15](04_first.md) and
> [claim 5.1](05_second.md) it is.

$$
\frac{p}{q}
\tag{2}
$$

**Figure 5.1.** It is as figure 5.1 says.

> **Exercise 5.1.** See exercise 4.1, figure 4.1, [a word](04_first.md#definition).
> And figure 5.1.
"""
INDEX = """
# A book

In claim 4.15 and (2) of chapter 5 and (3). Lemma 1.7 of the paper, and claim 5.1.
"""
PLAIN = "# No formulas\n\nBy claim 4.15 and (2) of chapter 5.\n"


@pytest.fixture(scope="module")
def small(small_book) -> Path:
    pages = {"04_first.md": FIRST, "05_second.md": SECOND, "plain.md": PLAIN}
    site, warnings = small_book({"index.md": INDEX, **pages})
    assert warnings == []
    return site


def links(site: Path, page: str) -> list[tuple[str, str]]:
    """The text of each reference, and where it leads."""
    text = (site / f"{page}.html").read_text("utf-8")
    pattern = r'<a class="[^"]*\bto\b[^"]*" href="([^"]*)">(.*?)</a>'
    return [
        (" ".join(re.sub("<.*?>", "", text).split()), to)
        for to, text in re.findall(pattern, text, re.S)
    ]


def test_references_are_links(small):
    assert links(small, "04_first") == [
        ("(1)", "#equation-1"),
        ("(1)", "#equation-1"),
        ("(2)", "#equation-2"),
        ("claim 5.1", "05_second.html#claim-5-1"),
        ("the box", "#claim-4-15"),
        ("(2)", "05_second.html#equation-2"),
        ("(2)", "05_second.html#equation-2"),
        ("claim 5.1", "05_second.html#claim-5-1"),
        ("equation (2)", "#equation-2"),
        ("claim 4.15", "#claim-4-15"),
        ("exercise 4.1", "#exercise-4-1"),
    ]
    assert links(small, "05_second") == [
        ("claim 4.15", "04_first.html#claim-4-15"),
        ("exercise 4.1", "04_first.html#exercise-4-1"),
        ("figure 4.1", "04_first.html#figure-4-1"),
        ("a word", "04_first.html#definition"),
        ("figure 5.1", "#figure-5-1"),
    ]
    text = (small / "05_second.html").read_text("utf-8")
    assert text.count('<p class="figure-caption" id="figure-5-1">') == 1


def test_page_that_is_no_chapter_has_no_displays_of_its_own(small):
    assert links(small, "index") == [
        ("claim 4.15", "04_first.html#claim-4-15"),
        ("(2)", "05_second.html#equation-2"),
        ("claim 5.1", "05_second.html#claim-5-1"),
    ]


def test_targets_have_their_ids_once(small):
    for page in ("04_first", "05_second"):
        tags = prose.tags((small / f"{page}.html").read_text("utf-8"))
        ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
        wanted = {to[1:] for _, to in links(small, page) if to[0] == "#"}
        assert wanted <= set(ids) and len(ids) == len(set(ids))


def test_reference_without_a_target_is_a_warning(small_book):
    pages = {
        "index.md": "# A book\n\nIn claim 9.1.",
        "04_first.md": "# 1\n\nBy (3), by (1) of chapter 5.\n\n> **Claim 4.1.** Yes.",
        "05_second.md": "# 2\n\nIn exercise 5.7.\n\n> **Claim 4.1.** Again.",
    }
    _, warnings = small_book(pages)
    assert [re.sub(r":\d+: WARNING|: WARNING", "", each) for each in warnings] == [
        "05_second.md: 'claim-4-1' is in 04_first, too",
        "04_first.md: '(3)' names nothing: there is no equation-3 in this chapter",
        "04_first.md: '(1)' names nothing: there is no equation-1 in chapter 5",
        "05_second.md: 'exercise 5.7' names nothing: there is no exercise-5-7 in any "
        "chapter",
        "index.md: 'claim 9.1' names nothing: there is no claim-9-1 in any chapter",
    ]


def test_previews_hold_the_targets_of_a_chapter(small):
    text = (small / "previews" / "04_first.js").read_text("utf-8")
    assert text.startswith('references.show("04_first", {')
    for name in (
        "claim-4-15",
        "equation-1",
        "exercise-4-1",
        "figure-4-1",
        "definition",
    ):
        assert f'"{name}": "<' in text
    assert r"\\sin x" in text and "_images/logo.png" in text
    assert not (small / "previews" / "index.js").exists()


def test_every_chapter_is_numbered_by_its_file():
    assert references.chapter_number("05_lemma_1_1") == 5
    assert references.chapter_number("12_many_small_networks") == 12
    assert references.chapter_number("claims") is None


# In a browser

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 800}
SHOWN = ".preview[data-state=shown]"


@pytest.fixture
def visit(chromium, small):
    """Opens a page of the small book; at the end nothing may have gone wrong."""
    contexts, said = [], []

    def opened(name: str, viewport=DESK, **settings):
        contexts.append(
            chromium.new_context(offline=True, viewport=viewport, **settings)
        )
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        said.append(listen(page))
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto((small / f"{name}.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [each for each in said if each] == []


def inside(page) -> bool:
    """The preview lies within the window and does not cover its link."""
    return page.evaluate(
        """() => {
          const box = document.querySelector(".preview").getBoundingClientRect();
          const { clientWidth, clientHeight, scrollWidth } = document.documentElement;
          return box.left >= 0 && box.right <= clientWidth && box.top >= 0 &&
            box.bottom <= clientHeight && scrollWidth <= clientWidth;
        }"""
    )


@slow
@pytest.mark.parametrize("viewport", [DESK, PHONE])
@pytest.mark.parametrize("name", ["index", "04_first", "05_second", "plain"])
def test_each_target_is_shown_on_focus(name, viewport, visit, small):
    page = visit(name, viewport)
    for number, (text, _) in enumerate(links(small, name)):
        link = page.locator("a.to").nth(number)
        link.scroll_into_view_if_needed()
        page.keyboard.press("Shift")  # what has the focus next has it by the keyboard
        link.focus()
        page.locator(SHOWN).wait_for()
        assert inside(page), text
        assert page.locator(".preview mjx-merror").count() == 0
        bare = page.locator(".preview .math:not(:has(mjx-container))")
        assert bare.count() == 0, text
        page.keyboard.press("Escape")
        assert page.locator(".preview").count() == 0
    assert [url for url in page.asked if not re.match("file:|data:|blob:", url)] == []


@slow
def test_target_on_another_page_is_shown_to_a_pointer(visit):
    page = visit("05_second")
    assert not any("previews" in url for url in page.asked)
    link = page.locator("a.to", has_text="exercise 4.1")
    link.hover()
    preview = page.locator(SHOWN)
    preview.wait_for()
    assert "What is claim 4.15?" in preview.text_content()
    assert "Seven" not in preview.text_content()  # a hint is for who looks for it
    assert link.get_attribute("aria-describedby") == preview.get_attribute("id")
    preview.hover()  # the pointer may go there
    inner = preview.locator("a.to", has_text="claim 4.15")
    assert inner.evaluate("(link) => link.href").endswith("04_first.html#claim-4-15")
    page.mouse.move(5, 5)
    preview.wait_for(state="detached")


@slow
def test_focus_that_goes_on_takes_the_preview_along(visit):
    page = visit("05_second")
    page.locator("a.to", has_text="exercise 4.1").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.locator(SHOWN, has_text="Predict").wait_for()
    page.keyboard.press("Tab")
    page.locator(SHOWN).locator("img").wait_for()
    assert page.locator(".preview").count() == 1
    loaded = page.locator(".preview img").evaluate("(image) => image.decode()")
    assert loaded is None


@slow
def test_preview_that_comes_too_late_does_not_appear(visit):
    page = visit("05_second")
    page.keyboard.press("Tab")  # from here on the focus is the keyboard's
    page.locator("a.to", has_text="exercise 4.1").evaluate(
        "(link) => { link.focus(); link.blur(); link.focus(); }"
    )
    page.locator(SHOWN).wait_for()
    assert page.locator(".preview").count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".preview").count() == 0


@slow
def test_page_without_formulas_sets_those_of_a_preview(visit):
    page = visit("plain")
    assert not any("mathjax" in url for url in page.asked)
    page.locator("a.to", has_text="(2)").hover()
    page.locator(SHOWN).locator("mjx-container").wait_for()


@slow
def test_tap_shows_the_target_and_the_way_to_it(visit):
    page = visit("05_second", PHONE, has_touch=True)
    page.locator("a.to", has_text="claim 4.15").tap()
    preview = page.locator(SHOWN)
    preview.wait_for()
    assert page.url.endswith("05_second.html") and inside(page)
    page.locator("article h1").tap()
    preview.wait_for(state="detached")
    page.locator("a.to", has_text="claim 4.15").tap()
    page.get_by_role("link", name="Go to claim 4.15").tap()
    page.wait_for_url("**/04_first.html#claim-4-15")


@slow
def test_click_follows_the_link(visit):
    page = visit("05_second")
    page.locator("a.to", has_text="figure 4.1").click()
    page.wait_for_url("**/04_first.html#figure-4-1")


@slow
def test_references_are_links_without_scripts_and_plain_text_on_paper(visit):
    page = visit("05_second", java_script_enabled=False)
    link = page.locator("a.to", has_text="claim 4.15")
    page.emulate_media(media="print")
    style = link.evaluate(
        """(link) => [link, link.closest("p")].map((each) => getComputedStyle(each))
          .map((style) => `${style.color} ${style.textDecorationLine}`)"""
    )
    assert style[0] == style[1] and style[0].endswith("none")
    page.emulate_media(media="screen")
    link.click()
    page.wait_for_url("**/04_first.html#claim-4-15")
