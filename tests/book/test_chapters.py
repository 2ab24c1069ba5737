"""Every chapter keeps the rules, and every rule finds what it is there for."""

import copy

import execute
import nbformat
import pytest
from chapters import ROOT, chapters, set_up_cell
from fingerprint import bare, fingerprint, recorded_fingerprint, sources
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules import (
    ENDING,
    FORBIDDEN_CODE,
    PREDICTION,
    PREDICTION_TAGS,
    RULES,
    problems,
)

EVERY_CHAPTER = pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)

TITLE = """\
# 1. The sine of a sum

**The question.** What does a sine do to a sum?

**After this chapter you can** say it.

**What you need.** [The section below](#exercises) and school.

**Time.** 20 minutes to read, 5 seconds to run on 2 CPU cores."""

MIDDLE = r"""## A formula

> **Claim 1.1 (the sum).** The sine of a sum is a sum of two products.

By [Euler](https://www.example.org/euler), with `$` and `{code}` left alone:

$$\sin(a + b) = \sin a \cos b + \cos a \sin b. \tag{1}$$

<details><summary>Why</summary>

Multiply $e^{ia}$ by $e^{ib}$.
</details>"""

EXERCISES = """\
## The chapter in five lines

1. One.
2. Two.
3. Three.
4. Four.
5. Five.

## Exercises"""

EXERCISE = """\
> **Exercise 1.{number} (predict first).** What is the sine of 0?
>
> <details><summary>Hint</summary>
>
> Look at the circle.
>
> </details>
>
> <details><summary>Solution</summary>
>
> It is $0$.
>
> </details>"""

CHECK = """\
#@title Check of exercise {name}
check("Exercise {name}", "sine of 0", sin(0), near=0, within=0,
      prediction=prediction)
check("Exercise {name}", "the same", sin(0), below=1)"""

CAPTION = "**Figure 1.{number}.** The cosine is ahead."

CHECKED = "3\n✓ Claim 1.1       both sides, largest difference      < 1e-12\n"

ALT = "A sine and a cosine over one period; the cosine is ahead by a quarter."


def exercise(number):
    name = f"1.{number}"
    line = f"✓ Exercise {name}    sine of 0                           0 = 0\n"
    return [
        new_markdown_cell(EXERCISE.format(number=number)),
        new_code_cell(
            PREDICTION.format(name), metadata={"tags": list(PREDICTION_TAGS)}
        ),
        new_code_cell(
            CHECK.format(name=name),
            outputs=[new_output("stream", name="stdout", text=line)],
        ),
    ]


def good_notebook():
    """A notebook that keeps every rule. Cells 1, 3, 5, 9, 10, 12 and 13 hold code."""
    figure = new_output("display_data", data={"image/png": "AA==", "text/plain": "F"})
    page = f'<img alt="{ALT} Live." src="">'
    live = new_output("display_data", data={"text/html": page, "image/png": "AA=="})
    said = new_output("stream", name="stdout", text=CHECKED)
    alt = {"mystnb": {"image": {"alt": ALT}}, "tags": ["subject"]}
    notebook = new_notebook(
        cells=[
            new_markdown_cell(TITLE),
            new_code_cell(set_up_cell(), metadata={"tags": ["hide-input"]}),
            new_markdown_cell(MIDDLE),
            new_code_cell("#@title Add\nprint(1 + 2)", outputs=[said, live]),
            new_markdown_cell(CAPTION.format(number=1)),
            new_code_cell("draw()", metadata=alt, outputs=[figure]),
            new_markdown_cell(CAPTION.format(number=2)),
            new_markdown_cell(EXERCISES),
            *exercise(1),
            *exercise(2),
            new_markdown_cell("## Where to go next\n\nOn."),
        ]
    )
    execute.tidy(notebook)
    for count, cell in enumerate(c for c in notebook.cells if "outputs" in c):
        cell.execution_count = count + 1
    return notebook


def problems_of(notebook, folder):
    (folder / "_config.yml").write_text("repository: {url: ''}")
    path = folder / "book" / "01_good.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    return problems(path)


def says(text, cell=2):
    """A mutation: this Markdown comes after what a cell says."""

    def mutate(notebook):
        notebook.cells[cell].source += f"\n\n{text}"

    return mutate


def runs(source):
    """A mutation: the first cell after the set-up has this code."""

    def mutate(notebook):
        notebook.cells[3].source = f"#@title Run\n{source}"

    return mutate


def replaces(cell, old, new):
    """A mutation: other words in a cell."""

    def mutate(notebook):
        assert old in notebook.cells[cell].source
        notebook.cells[cell].source = notebook.cells[cell].source.replace(old, new)

    return mutate


def live_alt(text):
    """A mutation: another alt text in the HTML of the live output."""

    def mutate(notebook):
        notebook.cells[3].outputs[1].data["text/html"] = f'<img alt="{text}" src="">'

    return mutate


def prints(kind, **content):
    """A mutation: the first cell after the set-up has one more output."""

    def mutate(notebook):
        notebook.cells[3].outputs.append(new_output(kind, **content))

    return mutate


def without(cell, key):
    """A mutation: a cell's metadata lacks a key."""

    def mutate(notebook):
        del notebook.cells[cell].metadata[key]

    return mutate


def sets(cell, **metadata):
    """A mutation: a cell's metadata has other values."""

    def mutate(notebook):
        notebook.cells[cell].metadata.update(metadata)

    return mutate


def repeats_figure(notebook):
    figure = copy.deepcopy(notebook.cells[5])
    figure.execution_count = 4
    figure.id = "again"
    caption = new_markdown_cell(CAPTION.format(number=3))
    notebook.cells[7:7] = [figure, caption]
    for cell in notebook.cells[8:]:
        if "outputs" in cell:
            cell.execution_count += 1


def moves_set_up(notebook):
    set_up = notebook.cells.pop(1)
    notebook.cells.insert(4, set_up)
    notebook.cells[2].execution_count, set_up.execution_count = 1, 2


def has_printed(cell, old, new):
    """A mutation: the first output of a cell has another text."""

    def mutate(notebook):
        said = notebook.cells[cell].outputs[0]
        assert old in said.text
        said.text = said.text.replace(old, new)

    return mutate


def drops_an_exercise(notebook):
    del notebook.cells[11:14]


def alt(text):
    return sets(5, mystnb={"image": {"alt": text}})


# What breaks each rule: its name, and how.
MUTATIONS = [
    ("kernel", lambda notebook: notebook.metadata.kernelspec.update(name="conda")),
    ("metadata", lambda notebook: notebook.metadata.update(widgets={})),
    ("metadata", sets(3, execution={"iopub.status.idle": "2026"})),
    ("empty_cells", lambda n: n.cells.insert(3, new_markdown_cell(" "))),
    ("set_up", replaces(1, "import os", "import os, sys")),
    ("set_up", moves_set_up),
    ("set_up", lambda notebook: notebook.cells[1].metadata.clear()),
    ("counts", lambda notebook: notebook.cells[3].update(execution_count=7)),
    ("counts", lambda notebook: notebook.cells[13].update(execution_count=None)),
    ("errors", prints("error", ename="ValueError", evalue="no", traceback=[])),
    ("warnings", prints("stream", name="stderr", text="careful\n")),
    ("width", runs(f"x = {'1' * 76}")),
    ("semicolon", runs("plt.plot(x);")),
    ("forbidden_code", runs("  !ls")),
    ("forbidden_code", runs("%time fit()")),
    ("forbidden_code", runs("from IPython.display import clear_output")),
    ("forbidden_code", runs("model.cuda()")),
    ("forbidden_code", runs("open('/data/picture.png')")),
    ("forbidden_code", runs('open("C:/picture.png")')),
    ("forbidden_code", runs("get('http://example.org')")),
    ("alt_texts", without(5, "mystnb")),
    ("alt_texts", alt("A plot.")),
    ("alt_texts", alt(f"{ALT}.png")),
    ("alt_texts", repeats_figure),
    ("alt_texts", live_alt("Short.")),
    ("alt_texts", live_alt(ALT)),  # the other figure's
    ("live_alt_texts", prints("display_data", data={"text/html": "<canvas>"})),
    ("portable", says("```{note}\nA note.\n```")),
    ("portable", says(":::{note}\nA note.\n:::")),
    ("portable", says("See {cite}`sitzmann2020`.")),
    ("portable", says("(here)=")),
    ("portable", says("$$a$$ (label)")),
    ("formulas", says("\\begin{align}\na &= b\n\\end{align}")),
    ("formulas", says("$$\\begin{align}a &= b\\end{align}$$")),
    ("formulas", says("$$a = b \\\\ c = d \\tag{2}$$")),
    ("raw_html", says("<div>\n</div>")),
    ("raw_html", says("A <b>bold</b> word.")),
    ("raw_html", says("<script>1</script>")),
    ("folds", says("<details><summary>Why</summary>So.\n</details>")),
    ("folds", says("> <details><summary>Why $x$</summary>\n>\n> So.\n> </details>")),
    ("pictures", says("![A picture of a sine](sine.png)")),
    ("links", says("[a](http://example.org)")),
    ("links", says("[a](/other.ipynb)")),
    ("links", says("[a](../README.md)")),
    ("links", says("[a](missing.ipynb)")),
    ("links", says("[a](#missing)")),
    ("links", says("[a](01_good.ipynb#missing)")),
    ("statements", replaces(2, "Claim 1.1", "Claim 1.10")),
    ("statements", says("> **Theorem 1.8.** It holds at any depth.")),
    ("statements", says("> **Lemma.** It has no number.")),
    ("statements", says("> **Claim 1.1.** It has the number of another.")),
    ("statements", lambda notebook: notebook.cells[3].outputs.pop(0)),
    ("title", replaces(0, "# 1. The sine", "1. The sine")),
    ("title", replaces(0, "# 1. The sine", "# 2. The sine")),
    ("title", says("# Another title")),
    ("opening", replaces(0, "**The question.**", "A question.")),
    ("opening", replaces(0, "5 seconds to run", "soon done")),
    ("opening", replaces(0, "**What you need.** [The", "[The")),
    *[("ending", says(f"## {heading}")) for heading in ENDING[1:]],
    ("five_lines", replaces(7, "5. Five.", "")),
    ("five_lines", replaces(7, "1. One.", "Line.\n\n1. One.")),
    ("exercises", drops_an_exercise),
    ("exercises", replaces(8, "Exercise 1.1", "Exercise 1.3")),
    ("exercises", replaces(8, "predict first", "think first")),
    ("exercises", replaces(8, "Solution", "Answer")),
    ("exercises", replaces(8, "Hint", "Clue")),
    ("exercises", says("Outside of the quote.", 8)),
    ("exercises", replaces(9, "exercise 1.1", "exercise 1.2")),
    ("exercises", replaces(9, "...", "0.05")),
    ("exercises", replaces(9, "before you look", "first")),
    ("exercises", replaces(10, "exercise 1.1", "exercise 1.2")),
    ("predictions", sets(9, tags=["remove-cell"])),
    ("predictions", replaces(10, ",\n      prediction=prediction", "")),
    ("predictions", replaces(10, "below=1", "below=1, prediction=prediction")),
    ("predictions", replaces(10, "\ncheck", "\ncheck(1)\ncheck")),
    ("predictions", lambda notebook: notebook.cells[10].outputs.clear()),
    ("predictions", has_printed(10, "0 = 0", "< 1")),
    ("predictions", has_printed(10, "Exercise 1.1", "Exercise 1.2")),
    ("folded", replaces(3, "#@title Add\n", "")),
    ("folded", sets(3, tags=["hide-input", "subject"])),
    ("folded", sets(5, tags=[])),
    ("folded", without(3, "jupyter")),
    ("figures", replaces(4, "Figure 1.1.", "Figure 1.2.")),
    ("figures", replaces(6, "**Figure", "Figure")),
    ("figures", sets(5, mystnb={"image": {"alt": ALT}, "figure": {"caption": "F"}})),
    *[
        ("mathematics", says(text))
        for text in ("It is ω.", "n² of them.", "From -1 on.", "7 - 2 is 5.", "a ≤ b")
    ],
]


@EVERY_CHAPTER
def test_chapter_keeps_the_rules(path):
    assert problems(path) == []


@EVERY_CHAPTER
def test_chapter_is_fresh(path):
    notebook = nbformat.read(path, as_version=4)
    fresh = recorded_fingerprint(notebook) == fingerprint(notebook)
    assert fresh, f"{path.name} is older than its code or sirenlib: run `make execute`"


def test_good_notebook_has_no_problems(tmp_path):
    assert problems_of(good_notebook(), tmp_path) == []


@pytest.mark.parametrize(("rule", "mutate"), MUTATIONS)
def test_rule_finds_its_problem(rule, mutate, tmp_path):
    notebook = good_notebook()
    mutate(notebook)
    found = problems_of(notebook, tmp_path)
    assert found and all(problem.endswith(f"[{rule}]") for problem in found)
    assert all(problem.startswith("01_good.ipynb, cell ") for problem in found)


UNFINISHED = '{"cells": [], "metadata": 1, "nbformat": 4, "nbformat_minor": 5}'


@pytest.mark.parametrize("text", ["<<<<<<< ours", UNFINISHED])
def test_broken_file_is_a_problem(text, tmp_path):
    path = tmp_path / "01_broken.ipynb"
    path.write_text(text)
    assert [problem[-12:] for problem in problems(path)] == ["[valid_file]"]


def test_every_rule_is_shown_to_fail():
    assert {rule.__name__ for rule in RULES} == {name for name, _ in MUTATIONS}
    tried = [name for name, _ in MUTATIONS].count("forbidden_code")
    assert tried >= len(FORBIDDEN_CODE)


# The fingerprint, on a toy package


# The second import is for type checkers, as where names are imported when asked for.
EXPORTS = "from .view import view\nif False:\n    from .other import o\n"


@pytest.fixture
def toy(tmp_path):
    """A repository with a package: siren uses signals, and nothing uses theory.

    One viewer has a style and needs three scripts. The other one is not behind it.
    """
    texts = {
        "sirenlib/__init__.py": "from .checks import check\nfrom .siren import S\n",
        "sirenlib/checks.py": "def check(): return 1\n",
        "sirenlib/siren.py": 'def S():\n    """Old."""\n    from . import signals\n',
        "sirenlib/signals.py": "# Old.\nx = 1\n",
        "sirenlib/theory.py": "x = 1\n",
        "sirenlib/viewer/__init__.py": EXPORTS,
        "sirenlib/viewer/view.py": "from ..checks import check\ndef view(): pass\n",
        "sirenlib/viewer/view.css": "a {}\n",
        "sirenlib/viewer/view.js": "/* needs: network numbers */\nx = 1\n",
        "sirenlib/viewer/network.js": "/* needs: algebra */\nx = 1\n",
        "sirenlib/viewer/numbers.js": "x = 1\n",
        "sirenlib/viewer/algebra.js": "x = 1\n",
        "sirenlib/viewer/other.py": "from ..theory import x\no = 1\n",
        "sirenlib/viewer/other.js": "/* needs: numbers */\nx = 1\n",
        "benchmarks/results/run.json": "{\n}",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def toy_chapter(*sources, set_up="# Set-up."):
    cells = [new_code_cell(source) for source in (set_up, *sources)]
    return new_notebook(cells=[new_markdown_cell("# Title"), *cells])


USES_SIREN = [
    "from sirenlib import S",
    "from sirenlib.siren import S",
    "from sirenlib import siren",
    "import sirenlib\nsirenlib.S()",
    "import sirenlib as s\ns.siren.S()",
    "import sirenlib.siren as s",
    "import sirenlib.checks\nsirenlib.S()",
]


@pytest.mark.parametrize("code", USES_SIREN)
def test_fingerprint_follows_the_modules_used(code, toy):
    before = fingerprint(toy_chapter(code), toy)
    (toy / "sirenlib/theory.py").write_text("x = 2\n")
    assert fingerprint(toy_chapter(code), toy) == before
    (toy / "sirenlib/signals.py").write_text("x = 2\n")
    assert fingerprint(toy_chapter(code), toy) != before


def test_fingerprint_leaves_out_what_says_nothing(toy):
    code = "from sirenlib import S\nS()"
    before = fingerprint(toy_chapter(code), toy)
    (toy / "sirenlib/signals.py").write_text("# New.\n\nx = 1  # one\n")
    new = 'def S():\n    """New: ω₀."""\n\n    from . import signals\n'
    (toy / "sirenlib/siren.py").write_text(new)
    other = toy_chapter(code + "  # a comment", set_up="# Set-up. Another.")
    other.cells[0].source = "# 1. Another title"
    assert fingerprint(other, toy) == before


def test_fingerprint_follows_code_and_recordings(toy):
    code = "recorded('run')"
    hashes = {fingerprint(toy_chapter(code), toy)}
    hashes.add(fingerprint(toy_chapter(code + "\nprint(1)"), toy))
    hashes.add(fingerprint(toy_chapter(code, "print(1)"), toy))
    for name in ("run.json", "run_panels.png"):
        (toy / "benchmarks/results" / name).write_text("[]")
        hashes.add(fingerprint(toy_chapter(code), toy))
    assert len(hashes) == 5


VIEW = ["checks.py"]
VIEW += [f"viewer/{name}" for name in ("algebra.js", "network.js", "numbers.js")]
VIEW += [f"viewer/{name}" for name in ("view.css", "view.js", "view.py")]
OTHER = ["theory.py", "viewer/numbers.js", "viewer/other.js", "viewer/other.py"]


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("from sirenlib.viewer import view", VIEW),
        ("from sirenlib.viewer.view import view", VIEW),
        ("import sirenlib.viewer.view", VIEW),
        ("from sirenlib.viewer import o", OTHER),
        ("from sirenlib import viewer", {*VIEW, *OTHER, "viewer/__init__.py"}),
        ("import sirenlib\nsirenlib.viewer.o", {*VIEW, *OTHER, "viewer/__init__.py"}),
        ("import os, sirenlib as s\nfrom sirenlib import nothing\nos.S", []),
    ],
)
def test_viewer_brings_its_scripts_and_no_other(code, files, toy):
    package = toy / "sirenlib"
    found = [str(file.relative_to(package)) for file in sources(code, package)]
    assert found == sorted(files)
    before = fingerprint(toy_chapter(code), toy)
    for number, name in enumerate(files):
        (package / name).write_text((package / name).read_text() + f"y = {number}\n")
        after = fingerprint(toy_chapter(code), toy)
        assert after != before, name
        before = after


def test_every_script_is_behind_a_viewer():
    """Else a line of needs is missing, or nothing reads it."""
    folder = ROOT / "sirenlib" / "viewer"
    scripts = {file for file in folder.iterdir() if file.suffix in (".js", ".css")}
    assert scripts <= set(sources("from sirenlib import viewer", ROOT / "sirenlib"))


def test_ends_of_lines_do_not_count(toy):
    code = "from sirenlib.viewer import view\nrecorded('run')"
    before = fingerprint(toy_chapter(code), toy)
    for path in toy.rglob("*.*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert fingerprint(toy_chapter(code), toy) == before


def test_bare_keeps_strings_that_are_not_docstrings():
    source = 'def f(ω="#"):  # why\n    """ω₀\n    2"""\n\n    return f"{ω}#" \'"""\'\n'
    assert bare(source) == 'def f(ω="#"):\n    return f"{ω}#" \'"""\''


# Execution


def test_execute_writes_a_fresh_chapter(tmp_path):
    path = tmp_path / "01.ipynb"
    nbformat.write(toy_chapter("print(1)\nprint(2)", "3"), path)
    execute.execute(path)
    notebook = nbformat.read(path, as_version=4)
    assert [output.text for output in notebook.cells[2].outputs] == ["1\n2\n"]
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3]
    assert "execution" not in notebook.cells[2].metadata
    assert notebook.metadata.language_info == execute.LANGUAGE
    assert not execute.stale(path) and path.read_text().endswith("}\n")


def test_execute_leaves_a_failing_chapter_alone(tmp_path):
    path = tmp_path / "01.ipynb"
    nbformat.write(toy_chapter("raise ValueError('why')"), path)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match=r"(?s)01\.ipynb, cell 3: .*ValueError: why"):
        execute.execute(path)
    assert path.read_bytes() == before
