"""``python -m sirenlib verify`` measures a book again, and says what differs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import claims
import nbformat
import pytest
import torch
from chapters import ROOT, chapters
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from processes import needs_fork

from sirenlib import check, verify
from sirenlib.__main__ import main
from sirenlib.checks import Check

PATIENCE = 300  # seconds, on a machine that others use as well

# The first chapter: its second claim has another digit in the book, its fourth fails.
LINES = [
    "✓ Claim 1.1       a count                             3 = 3",
    "✓ Claim 1.1       a mean                              0.510 ≈ 0.500 ± 0.020",
    "✓ Claim 1.2       rounding error                      < 1e-12",
    "✓ Claim 1.2       a slope, twice                      1.000 ≥ 0.500",
    "✓ Claim 1.2       a slope, twice                      2.000 ≥ 0.500",
    "✓ Claim 1.3       never measured                      1 = 1",
]
FIRST = [
    "from sirenlib import check\ncheck('Claim 1.1', 'a count', 3, near=3, within=0)\n"
    "check('Claim 1.1', 'a mean', 0.497, near=0.5, within=0.02)",
    "import os, sirenlib\nprint('2 ≥ 1, and no line')\n"
    "check('Claim 1.2', 'rounding error', 1e-14, below=1e-12)\n"
    "check('Claim 1.2', 'a slope, twice', 1, at_least=0.5)\n"
    "assert os.environ['SIRENLIB_BOOK'] == 'cpu' and not os.listdir()\n"
    f"assert sirenlib.__file__.startswith({str(ROOT)!r})",
    "check('Claim 1.2', 'a slope, twice', 0.4, at_least=0.5)\n"
    "check('Claim 1.3', 'never measured', 1, near=1, within=0)",
    "check('Claim 1.3', 'never measured', 1, near=1, within=0)",
]
SECOND = [
    "from sirenlib import check\ncheck('Claim 2.1', 'a count', 3, near=3, within=0)",
    "check('Claim 2.1', 'news', 1, near=1, within=0)",
]
SECOND_LINES = [
    "✓ Claim 2.1       a count                             3 = 3",
    "✓ Claim 2.1       old news                            1 = 1",
]
THIRD = ["import os\nos._exit(1)", "0"]
HEAD = "# {0}. A chapter\n\n**Time.** 1 minute to read, about {0}0 seconds to run"


def chapter(number: int, cells: list[str], lines: list[str]):
    """A notebook whose first code cell has printed the lines."""
    code = [new_code_cell(source) for source in cells]
    code[0].outputs = [new_output("stream", name="stdout", text="\n".join(lines))]
    return new_notebook(cells=[new_markdown_cell(HEAD.format(number)), *code])


def written(root: Path, *notebooks) -> Path:
    """The folder of a book of these chapters, with its claims."""
    book = root / "book"
    book.mkdir()
    for number, notebook in enumerate(notebooks, 1):
        nbformat.write(notebook, book / f"0{number}_chapter.ipynb")
    claims.write(root)
    return book


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    return written(
        tmp_path_factory.mktemp("verify"),
        chapter(1, FIRST, LINES),
        chapter(2, SECOND, SECOND_LINES),
        chapter(3, THIRD, ["✓ Claim 3.1       a count            3 = 3"]),
    )


def command(book: Path, out: Path) -> list[str]:
    """The command line; what it runs under has its progress bar."""
    return [sys.executable, "-m", "sirenlib", "verify", str(book), "--out", str(out)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "SIRENLIB_BOOK": "", "PYTHONPATH": str(ROOT), **more}


@pytest.fixture(scope="module")
def verified(book, tmp_path_factory):
    """The whole book measured: the process, and what it wrote."""
    out = tmp_path_factory.mktemp("out") / "verify.json"
    done = subprocess.run(
        command(book, out),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(),
    )
    return done, json.loads(out.read_text("utf-8"))


def test_each_claim_has_its_number_of_the_book_and_of_here(verified):
    rows = [
        (each["quantity"], each["book"], each["here"], each["ok"], each["status"])
        for each in verified[1]["claims"]
    ]
    assert rows == [
        ("a count", "3", "3", True, "same digits"),
        ("a mean", "0.510", "0.497", True, "other digits"),
        ("rounding error", None, None, True, "same digits"),
        ("a slope, twice", "1.000", "1.000", True, "same digits"),
        ("a slope, twice", "2.000", "0.4", False, "failed"),
        ("never measured", "1", None, None, "not measured"),
        ("a count", "3", "3", True, "same digits"),
        ("old news", "1", None, None, "not measured"),
        ("news", None, "1", True, "not in the book"),
        ("a count", "3", None, None, "not measured"),
    ]
    bounds = [each["bound"] for each in verified[1]["claims"]]
    assert bounds[:5] == ["= 3", "≈ 0.500 ± 0.020", "< 1e-12", "≥ 0.500", "≥ 0.5"]


def test_differences_are_printed_and_the_others_are_not(verified):
    lines = [line.split() for line in verified[0].stdout.splitlines()]
    assert "1 Claim 1.1 a mean 0.510 0.497 ≈ 0.500 ± 0.020 within".split() in lines
    assert "1 Claim 1.2 a slope, twice 2.000 0.4 ≥ 0.5 FAILED".split() in lines
    # The line of a chapter that came to its end is named, of another one counted.
    assert "2 Claim 2.1 old news 1 - = 1 not measured".split() in lines
    assert "2 Claim 2.1 news - 1 = 1 not in the book".split() in lines
    assert "rounding error" not in verified[0].stdout
    assert "never measured" not in verified[0].stdout


def test_last_lines_count_and_name_the_file(verified):
    *_, counted, written = filter(None, verified[0].stdout.splitlines())
    assert counted == (
        "10 checks: 4 the same digits, 1 other digits within tolerance, 1 failed, "
        "3 not measured, 1 not in the book"
    )
    assert written.startswith("written: ") and written.endswith("verify.json")


def test_run_goes_on_after_a_chapter_with_an_error(verified):
    done, found = verified
    assert done.returncode == 1
    first, second, third = found["chapters"]
    assert first["error"] == "cell 4: AssertionError" and "error" not in second
    assert third["error"].startswith("cell 2: Kernel died")
    assert (
        "chapter 1, cell 4: AssertionError: Claim 1.2: a slope, twice: measured 0.4, "
        "expected ≥ 0.5; checks not measured: 1"
    ) in done.stdout
    assert "chapter 3, cell 2: Kernel died" in done.stdout


def test_bar_names_the_cell_and_the_time_left(verified):
    said = verified[0].stderr.replace("\r", "\n")
    assert "chapter 1, cell 1 of 4 |" in said and "chapter 2, cell 2 of 2 |" in said
    assert " left" in said and "Traceback" not in said and "warning" not in said.lower()


def test_file_says_on_what_it_was_measured(verified, book):
    found, text = verified[1], json.dumps(verified[1])
    assert found["torch"] == torch.__version__ and found["device"] == "cpu"
    assert found["book"] is None and found["changed"] is None  # no repository
    assert found["processor"] and found["threads"] >= 1
    assert str(book.parent) not in text and str(Path.home()) not in text


def test_book_that_holds_is_code_0(book, tmp_path, capsys):
    out = tmp_path / "verify.json"
    for _ in range(2):  # the second time over the file of the first
        run = ["verify", str(book), "--chapters", "2", "--out", str(out)]
        assert main(run) == 0
        printed = capsys.readouterr()
        assert printed.err == ""  # no bar where a book is made
        assert "\n3 checks: 1 the same digits" in printed.out
    assert [each["chapter"] for each in json.loads(out.read_text())["chapters"]] == [2]


SLOW = """\
import os, pathlib, time
started = pathlib.Path(os.environ["STARTED"])
started.with_suffix(".part").write_text(str(os.getpid()))
started.with_suffix(".part").rename(started)
time.sleep(3600)
"""


def hears_ctrl_c():
    """What a shell starts in the background does not, and neither do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@needs_fork
def test_ctrl_c_writes_what_was_measured_and_ends_the_kernel(tmp_path):
    lines = ["✓ Claim 2.1       a count            3 = 3"]
    cells = [SECOND[0], SLOW, SECOND[1]]
    book = written(tmp_path, chapter(1, cells, lines), chapter(2, SECOND, lines))
    out, started = tmp_path / "verify.json", tmp_path / "started"
    process = subprocess.Popen(
        command(book, out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(STARTED=str(started)),
        preexec_fn=hears_ctrl_c,
    )
    end = time.monotonic() + PATIENCE
    while not started.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"stopped, and written so far: {out}" in said
    assert "Traceback" not in errors and "never retrieved" not in errors
    found = json.loads(out.read_text("utf-8"))
    measured = [(each["chapter"], each["here"]) for each in found["claims"]]
    assert measured == [(1, "3"), (2, None)]
    assert found["chapters"][0]["error"] == "stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


# Its parts


@pytest.mark.parametrize(
    ("demand", "wanted"),
    [
        ({"near": 1, "within": 0.5}, ("3.25", "≈", "1 ± 0.5")),
        ({"near": 1, "within": 0}, ("3.25", "≈", "1 ± 0")),
        ({"at_most": 1e-7}, ("3.25", "≤", "1e-07")),
        ({"at_least": 4}, ("3.25", "≥", "4")),
        ({"below": 1e-12}, ("3.25", "<", "1e-12")),
        ({"at_least": 1, "against": 2}, ("", "≥", "1")),
    ],
)
def test_error_of_check_is_read_back(demand, wanted):
    with pytest.raises(AssertionError) as caught:
        check("Claim 1.1", "size: a b, in dB", 3.25, **demand)
    found = verify.failure(str(caught.value))
    assert found == Check("Claim 1.1", "size: a b, in dB", *wanted)


def test_other_errors_are_no_claims():
    for message in ("", "3 == 4", "Claim 1.1: a count: wrong"):
        assert verify.failure(message) is None


def test_cell_weighs_what_the_head_says(book):
    first, second, third = verify.read_book(book)
    assert [run.count for run in (first, second, third)] == [4, 2, 2]
    assert [run.weight for run in (first, second, third)] == [2.5, 10, 15]
    first.notebook.cells[0].source = "# 1. A chapter"
    assert first.weight == 1


def test_folder_is_that_of_the_clone():
    assert verify.find_book() == ROOT / "book"
    found = {run.number: run for run in verify.read_book(verify.find_book())}
    assert len(found) == len(chapters())
    assert all(run.held() == [] for run in found.values())  # nothing has run
    assert sum(len(run.book) for run in found.values()) > 500


# Bad input


@pytest.fixture
def unmeasured(monkeypatch):
    """Nothing may run."""

    def run(*_):
        raise AssertionError("a chapter was run")

    monkeypatch.setattr(verify, "measure", run)


def complaint(capsys, *arguments) -> str:
    """The one line on stderr of a command that must fail."""
    code, output = main(["verify", *map(str, arguments)]), capsys.readouterr()
    assert (code, output.out) == (2, "")
    assert output.err.startswith("sirenlib: ") and output.err.count("\n") == 1
    return output.err


def test_library_without_its_book(tmp_path, unmeasured, monkeypatch, capsys):
    monkeypatch.setattr(verify, "PACKAGE", tmp_path / "sirenlib")
    line = complaint(capsys)
    assert "clone its repository and give its folder" in line


def test_folder_that_is_no_book(book, tmp_path, unmeasured, capsys):
    assert "is not the folder of the book" in complaint(capsys, tmp_path)
    assert "is not the folder of the book" in complaint(capsys, book.parent)


def test_chapter_that_the_book_does_not_have(book, unmeasured, capsys):
    line = complaint(capsys, book, "--chapters", "2", "14")
    assert "the book has the chapters 1, 2, 3, not 14" in line


@pytest.mark.parametrize("name", verify.NEEDED)
def test_missing_package_is_named(book, unmeasured, monkeypatch, capsys, name):
    monkeypatch.setitem(sys.modules, name, None)
    assert complaint(capsys, book).endswith(f"pip install {name}\n")


def test_file_of_others_is_not_overwritten(book, tmp_path, unmeasured, capsys):
    out = tmp_path / "package.json"
    out.write_text('{"name": "mine"}')
    assert "did not write it" in complaint(capsys, book, "--out", out)
    line = complaint(capsys, book, "--out", tmp_path / "no" / "verify.json")
    assert "there is no such folder" in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_cuda(book, unmeasured, capsys):
    assert "0 CUDA devices" in complaint(capsys, book, "--device", "cuda")
