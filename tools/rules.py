"""The rules that every chapter keeps.

A rule is a small generator: it gets a chapter and yields pairs of a cell number
and a sentence that says what is wrong and what to do. `problems` runs them all.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
import prose
from chapters import Chapter, is_set_up, public_address, set_up_cell
from nbformat.reader import NotJSONError

# Anything else in the metadata is left by an editor and only makes diffs.
KEPT_IN_NOTEBOOK = {"accelerator", "kernelspec", "language_info", "sirenlib"}
KEPT_IN_CELL = {"cellView", "jupyter", "mystnb", "tags"}
CHECK_OF_EXERCISE = "#@title Check of exercise "
# The cell in which a reader writes down a number, and its tags: the site has a field.
PREDICTION = "prediction = ...  # exercise {}: your number, before you look"
PREDICTION_TAGS = ["remove-cell", "prediction"]
SUBJECT = "subject"  # the tag of code that the reader is meant to read

Problems = Iterator[tuple[int, str]]
RULES = []


def problems(path: Path) -> list[str]:
    """Everything that is wrong with a chapter; the rule stands in brackets."""
    try:
        chapter = Chapter(path, nbformat.read(path, as_version=4))
        nbformat.validate(chapter.notebook)
    except (nbformat.ValidationError, NotJSONError) as error:
        reason = str(error).splitlines()[0]
        return [f"{path.name}, cell 1: no valid notebook: {reason} [valid_file]"]
    return [
        f"{path.name}, cell {number}: {what} [{rule.__name__}]"
        for rule in RULES
        for number, what in rule(chapter)
    ]


def _rule(function):
    RULES.append(function)
    return function


# The file


@_rule
def kernel(chapter: Chapter) -> Problems:
    name = chapter.notebook.metadata.get("kernelspec", {}).get("name")
    if name != "python3":
        yield 1, f"the kernel is {name!r}, not 'python3'; run `make execute`"


@_rule
def metadata(chapter: Chapter) -> Problems:
    for key in sorted(set(chapter.notebook.metadata) - KEPT_IN_NOTEBOOK):
        yield 1, f"stray notebook metadata {key!r}; run `make execute`"
    for number, cell in enumerate(chapter.notebook.cells, 1):
        for key in sorted(set(cell.metadata) - KEPT_IN_CELL):
            yield number, f"stray cell metadata {key!r}; run `make execute`"


@_rule
def empty_cells(chapter: Chapter) -> Problems:
    for number, cell in enumerate(chapter.notebook.cells, 1):
        if not cell.source.strip():
            yield number, "the cell is empty; delete it"


# Code and outputs


@_rule
def set_up(chapter: Chapter) -> Problems:
    number, cell = next(iter(chapter.cells("code")), (1, {"source": ""}))
    if cell["source"] != set_up_cell(public_address(chapter.path.parent.parent)):
        yield (
            number,
            "the first code cell is not the set-up cell; print it with `python "
            "tools/chapters.py`, or renew all with `python tools/chapters.py --write`",
        )
    if "hide-input" not in cell.get("metadata", {}).get("tags", []):
        yield number, "the set-up cell is not folded; copy its metadata too"


@_rule
def counts(chapter: Chapter) -> Problems:
    for expected, (number, cell) in enumerate(chapter.cells("code"), 1):
        if cell.execution_count != expected:
            found = cell.execution_count
            yield number, f"execution count {found}, not {expected}; run `make execute`"
            return


@_rule
def errors(chapter: Chapter) -> Problems:
    for number, output in chapter.outputs():
        if output.output_type == "error":
            yield number, f"an error was committed ({output.ename}); mend the cell"


@_rule
def warnings(chapter: Chapter) -> Problems:
    for number, output in chapter.outputs():
        if output.get("name") == "stderr":
            text = output.text.strip().splitlines()[0]
            yield number, f"output on stderr ({text}); remove its cause"


@_rule
def width(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("code"):
        for row, line in enumerate(cell.source.splitlines(), 1):
            if len(line) > 79:
                yield number, f"line {row} has {len(line)} columns; break it at 79"


@_rule
def semicolon(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("code"):
        if cell.source.rstrip().endswith(";"):
            yield (
                number,
                "nbval prints the value in spite of the last `;`; assign the "
                "value, or end with plt.show()",
            )


FORBIDDEN_CODE = {
    r"^\s*(!|%%?\w)": "a shell line or magic; only the set-up cell has one",
    r"clear_output": "nbval cannot follow clear_output; print once",
    r"\.cuda\(": ".cuda() fails without a GPU; use .to(device)",
    r"""["'](/|~/|[A-Za-z]:[\\/])\w""": "an absolute path; use one beside the chapter",
    r"https?://|urlopen|urlretrieve": "a chapter runs without a network; link in prose",
}


@_rule
def forbidden_code(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("code"):
        for pattern, remedy in FORBIDDEN_CODE.items():
            found = re.search(pattern, cell.source, re.MULTILINE)
            if found and not is_set_up(cell.source):
                yield number, f"`{found[0].strip()}`: {remedy}"


@_rule
def alt_texts(chapter: Chapter) -> Problems:
    seen = set()
    for number, cell in chapter.cells("code"):
        kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
        if not any(kind.startswith("image/") for kind in kinds):
            continue
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        # The picture of a live output stands in its HTML, and so does its alt text.
        pages = [output.get("data", {}).get("text/html", "") for output in cell.outputs]
        for tag, attributes in prose.tags("".join(pages)):
            alt = attributes.get("alt", "") if tag == "img" else alt
        if len(alt) < 40 or alt.endswith(".png"):
            yield (
                number,
                "the figure has no real alt text; say in metadata "
                "mystnb.image.alt what it shows and what follows (40 characters on)",
            )
        elif alt in seen:
            yield number, "the alt text of another figure; describe this one"
        seen.add(alt)


@_rule
def live_alt_texts(chapter: Chapter) -> Problems:
    labels = ("alt", "aria-label", "aria-labelledby", "title", "aria-hidden")
    for number, output in chapter.outputs():
        for tag, attributes in prose.tags(output.get("data", {}).get("text/html", "")):
            if tag in ("img", "canvas", "svg", "iframe"):
                if not any(attributes.get(label) for label in labels):
                    yield number, f"<{tag}> in the output has no label; give it one"


# Markdown that reads the same in the book, JupyterLab, GitHub and Colab

NOT_PORTABLE = {
    "colon_fence": "a ::: directive",
    "myst_role": "a {role}",
    "myst_target": "a (target)=",
    "myst_line_comment": "a % comment",
    "myst_block_break": "a +++ block break",
    "substitution_inline": "a {{ substitution }}",
    "substitution_block": "a {{ substitution }}",
    "dl_open": "a definition list",
    "footnote_ref": "a footnote",
    "math_block_label": "a labeled display",
}


@_rule
def portable(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("markdown"):
        for token in prose.tokens(cell.source):
            what = NOT_PORTABLE.get(token.type)
            if token.type == "fence" and token.info.startswith("{"):
                what = f"a {token.info} directive"
            if what:
                yield number, f"{what} shows raw outside the book; use plain Markdown"


@_rule
def formulas(chapter: Chapter) -> Problems:
    numbered = r"\\begin\{(align|alignat|equation|flalign|gather|multline)\*?\}"
    for number, cell in chapter.cells("markdown"):
        for display in prose.displays(cell.source):
            if re.search(numbered, display):
                yield number, "an align-like environment; use $$ and one step a display"
            if r"\tag" in display and re.search(r"\\\\|\n\s*\n", display):
                yield number, r"\tag in a multi-line display; one step a display"


@_rule
def raw_html(chapter: Chapter) -> Problems:
    allowed = {"details", "/details", "summary", "/summary"}
    for number, cell in chapter.cells("markdown"):
        for token in prose.tokens(cell.source):
            if token.type in ("html_block", "html_inline"):
                names = {tag for tag, _ in prose.tags(token.content)}
                for name in sorted(names - allowed):
                    yield number, f"raw HTML <{name}>; only details and summary work"


@_rule
def folds(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("markdown"):
        for token in prose.blocks(cell.source):
            if token.type == "html_block" and "<summary>" in token.content:
                summary, _, rest = token.content.partition("</summary>")
                if rest.strip():
                    yield number, "no blank line after </summary>; add one"
                if "$" in summary:
                    yield number, "mathematics in <summary> stays raw; use words"


@_rule
def pictures(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("markdown"):
        if any(token.type == "image" for token in prose.tokens(cell.source)):
            yield number, "Colab has no picture file; show the picture from a code cell"


@_rule
def links(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("markdown"):
        for token in prose.tokens(cell.source):
            if token.type == "link_open":
                wrong = _wrong_link(chapter.path, unquote(token.attrs["href"]))
                if wrong:
                    yield number, f"link to {token.attrs['href']}: {wrong}"


def _wrong_link(page: Path, link: str) -> str:
    if re.match(r"https://[\w-]+\.", link):
        return ""
    target, _, anchor = link.partition("#")
    if re.match(r"\w+:|/|\.\.", target):
        return "use https:// or a file of book/"
    file = page.parent / target if target else page
    if not file.is_file():
        return "there is no such file in book/"
    if anchor and anchor not in prose.anchors(file):
        return f"{file.name} has no heading with that anchor"
    return ""


# What is stated is measured


@_rule
def statements(chapter: Chapter) -> Problems:
    checked = {check.statement for _, check in chapter.checks()}
    seen = set()
    for number, name in [(box.cell, box.name) for box in chapter.statements()]:
        if name not in checked:
            yield (
                number,
                f"no output has a check of {name}; add "
                f'check("{name}", ...) and run `make execute`',
            )
        if name in seen:
            yield number, f"a second {name}; give it another number"
        seen.add(name)


# The shape of a chapter

OPENING = {
    "The question.": r"\S",
    "After this chapter you can": r"\S",
    "What you need.": r"\S",
    "Time.": r"\d+ minutes? to read.*\d+ seconds? to run.*\b2 CPU cores",
}
ENDING = ["The chapter in five lines", "Exercises", "Where to go next"]


@_rule
def title(chapter: Chapter) -> Problems:
    found = [
        (number, level, position)
        for number, cell in chapter.cells("markdown")
        for position, (level, _) in enumerate(prose.headings(cell.source))
        if level == 1
    ]
    opened = f"# {chapter.number}. "
    if found != [(1, 1, 0)] or not chapter.notebook.cells[0].source.startswith(opened):
        yield 1, f"the first cell begins with `{opened}Title`, the chapter's only one"


@_rule
def opening(chapter: Chapter) -> Problems:
    paragraphs = re.split(r"\n\s*\n", chapter.notebook.cells[0].source)
    for label, pattern in OPENING.items():
        mark = f"**{label}"
        texts = [text.split(mark, 1)[1] for text in paragraphs if mark in text]
        if not any(re.search(pattern, text, re.DOTALL) for text in texts):
            wanted = f"**{label}** … N minutes to read, M seconds to run on 2 CPU cores"
            wanted = wanted if label == "Time." else f"**{label}**"
            yield 1, f"the first cell does not say `{wanted}`"


@_rule
def ending(chapter: Chapter) -> Problems:
    found = [
        (number, heading)
        for number, cell in chapter.cells("markdown")
        for level, heading in prose.headings(cell.source)
        if level == 2 and heading in ENDING
    ]
    if [heading for _, heading in found] != ENDING:
        wanted = ", ".join(f"`## {heading}`" for heading in ENDING)
        yield len(chapter.notebook.cells), f"the ending is not {wanted}, in this order"


@_rule
def five_lines(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("markdown"):
        blocks = prose.blocks(cell.source)
        titles = [token.content for token in blocks]
        if ENDING[0] in titles:
            rest = blocks[titles.index(ENDING[0]) + 2 :]
            items = [t for t in rest if t.type == "list_item_open" and t.level == 1]
            if [t.type for t in rest[:1]] != ["ordered_list_open"] or len(items) != 5:
                yield number, "the five lines are a numbered list of five"


@_rule
def exercises(chapter: Chapter) -> Problems:
    found = [(n, c.source) for n, c in chapter.cells("markdown") if _opened(c.source)]
    if len(found) < 2:
        last = len(chapter.notebook.cells)
        yield last, f"{len(found)} exercises; a chapter has two or more"
    for expected, (number, text) in enumerate(found, 1):
        name = f"{chapter.number}.{expected}"
        if not text.startswith(f"> **Exercise {name} (predict first).**"):
            yield (
                number,
                f"begin the cell with `> **Exercise {name} (predict first).**`",
            )
        if any(not line.startswith(">") for line in text.strip().splitlines()):
            yield (
                number,
                "an exercise is one quote, with its hint and its solution in it",
            )
        for part in ("Hint", "Solution"):
            if f"<summary>{part}</summary>" not in text:
                yield number, f"the exercise has no <details> with the summary {part}"
        if PREDICTION.format(name) not in _sources(chapter)[number : number + 1]:
            yield number + 1, f"the next cell is `{PREDICTION.format(name)}`"
        check = "".join(_sources(chapter)[number + 1 : number + 2])
        if not check.startswith(CHECK_OF_EXERCISE + name):
            yield number + 2, f"the cell after it is `{CHECK_OF_EXERCISE}{name}`"


@_rule
def predictions(chapter: Chapter) -> Problems:
    first: dict[int, object] = {}
    for number, check in chapter.checks():
        first.setdefault(number, check)
    for number, cell in chapter.cells("code"):
        tags = cell.metadata.get("tags", [])
        if cell.source.startswith("prediction =") and tags != PREDICTION_TAGS:
            yield number, f"the cell of a prediction has the tags {PREDICTION_TAGS}"
        if not cell.source.startswith(CHECK_OF_EXERCISE):
            continue
        if not _holds_prediction_first(cell.source):
            yield (
                number,
                "the first check is of the number that the exercise asks for, and it "
                "alone gets `prediction=prediction`",
            )
        check = first.get(number)
        if not (check and check.measured and f'"{check.statement}"' in cell.source):
            yield (
                number,
                "the first line of the output is not the exercise's, with a measured "
                "number; do not use below= there, and run `make execute`",
            )


def _sources(chapter: Chapter) -> list[str]:
    return [cell.source for cell in chapter.notebook.cells]


def _holds_prediction_first(source: str) -> bool:
    calls = [
        ast.unparse(each)
        for each in ast.parse(source).body
        if isinstance(each, ast.Expr) and ast.unparse(each).startswith("check")
    ]
    given = ["prediction=prediction" in call for call in calls]
    return given[:1] == [True] and source.count("prediction=prediction") == 1


def _opened(text: str) -> bool:
    return re.match(r"> \*\*(Exercise|Predict)", text) is not None


@_rule
def folded(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("code"):
        tags = cell.metadata.get("tags", [])
        titled = cell.source.startswith("#@title ")
        if is_set_up(cell.source) or cell.source.startswith("prediction ="):
            continue
        if titled == (SUBJECT in tags):
            yield (
                number,
                "code is folded, with `#@title What it does` as its first line; or, if "
                f"it is the subject, it has the tag {SUBJECT!r}",
            )
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        if titled != hidden:
            yield (
                number,
                "the cell is not folded as its first line says; run `make fold`",
            )


@_rule
def figures(chapter: Chapter) -> Problems:
    count = 0
    for number, cell in chapter.cells("code"):
        kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
        if not any(kind.startswith("image/") for kind in kinds):
            continue
        if "hide-cell" in cell.metadata.get("tags", []):
            continue
        count += 1
        following = chapter.notebook.cells[number : number + 1]
        wanted = f"**Figure {chapter.number}.{count}.** "
        if not (following and following[0].source.startswith(wanted)):
            yield (
                number,
                f"after a figure comes a Markdown cell `{wanted}Its conclusion`",
            )
        if "figure" in cell.metadata.get("mystnb", {}):
            yield (
                number,
                "a caption in the metadata shows in the book alone; write a cell",
            )


# Signs of mathematics that stand in prose as letters.
MATHEMATICS = re.compile(
    "[\u0370-\u03ff\u00b2\u00b3\u00b9\u2070-\u209c\u0302\u221a\u2264\u2265\u2248\u00b1\u00b7\u00d7\u221e"
    "\u2211\u222b\u2260\u2202\u2207\u00bc-\u00be\u215b-\u215e\u223c\u2208\u2212\u2032]"
    r"|(?<![\w$\u2013-])-\d|\d - \d"
)


@_rule
def mathematics(chapter: Chapter) -> Problems:
    for number, cell in chapter.cells("markdown"):
        for sentence in prose.sentences(cell.source):
            found = MATHEMATICS.search(sentence)
            if found:
                around = sentence[max(0, found.start() - 15) : found.end() + 15].strip()
                yield number, f"mathematics outside of $...$: {around!r}"
