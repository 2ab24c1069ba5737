"""``python -m sirenlib verify``: every claim of the book, measured again here.

The chapters' own cells run, each chapter in a kernel of its own. What `check` prints
there is held to ``claims.json``, which keeps what it printed for the book.
"""

import contextlib
import datetime
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from tqdm import tqdm

from . import __version__
from .checks import Check
from .environment import BOOK_VARIABLE, in_book
from .machine import git, processor

PACKAGE = Path(__file__).parent
CLAIMS = "claims.json"
NEEDED = ("nbformat", "nbclient", "ipykernel")
THREADS = "OMP_NUM_THREADS"

SAME, OTHER, FAILED = "same digits", "other digits", "failed"
MISSING, NEW = "not measured", "not in the book"

# What stands in a chapter's head: "about 20 seconds to run on 2 CPU cores".
RUNS = re.compile(r"(\d+) seconds? to run")
# What `check` raises. It may hold for the measured number, and for a wrong one too.
FAILURE = re.compile(
    r"(?P<statement>[^:]+): (?P<quantity>.+): "
    r"(?:measured (?P<measured>\S+), expected )?"
    r"(?P<relation>[≤≥≈<]) (?P<bound>\S+(?: ± \S+)?)(?: accepts .*)?"
)
BAR = "{desc} |{bar}| {percentage:.0f} %, {elapsed} gone, {remaining} left"


@dataclass(frozen=True)
class Claim:
    """A line of a chapter as the book has it and as it came out here.

    Without ``book`` it is a line that the book does not have, without ``here`` one that
    was not measured. ``ok`` is None then, and otherwise says whether the claim held.
    """

    chapter: int
    book: Check | None
    here: Check | None
    ok: bool | None

    @property
    def status(self) -> str:
        """How it came out, as one of the words in this module."""
        if self.ok is None:
            return MISSING
        if not self.ok:
            return FAILED
        if self.book is None:
            return NEW
        return SAME if _result(self.book) == _result(self.here) else OTHER

    def record(self) -> dict:
        """The claim for the file: the numbers are the text that is printed."""
        line = self.here or self.book
        return {
            "chapter": self.chapter,
            "statement": line.statement,
            "quantity": line.quantity,
            "book": _number(self.book),
            "here": _number(self.here),
            "bound": f"{line.relation} {line.bound}",
            "ok": self.ok,
            "status": self.status,
        }


def _result(line: Check) -> tuple[str, ...]:
    return line.measured, line.relation, line.bound, line.against


def _number(line: Check | None) -> str | None:
    return (line.measured or None) if line else None


@dataclass
class Run:
    """A chapter: what the book says of it, and its cells as far as they have run.

    ``error`` says why it did not come to its end.
    """

    path: Path
    notebook: dict
    book: list[Check]
    seconds: float = 0.0
    error: str = ""
    failed: list[Check] = field(default_factory=list)

    @property
    def number(self) -> int:
        """The chapter's number, with which its file begins."""
        return int(self.path.name[:2])

    @property
    def weight(self) -> float:
        """Seconds that a code cell takes, as the chapter's head has it, or 1."""
        found = RUNS.search("".join(cell.source for cell in self.notebook.cells[:1]))
        return int(found[1]) / max(1, self.count) if found else 1.0

    @property
    def count(self) -> int:
        """How many code cells there are."""
        return sum(cell.cell_type == "code" for cell in self.notebook.cells)

    def held(self) -> list[Check]:
        """The lines that were printed here."""
        code = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        outputs = [output for cell in code for output in cell.outputs]
        text = [out.text for out in outputs if out.get("name") == "stdout"]
        return [check for each in text for check in printed(each)]

    def claims(self) -> list[Claim]:
        """Each line of the book beside the same line here; then those it has not.

        A quantity that is printed more than once is told apart by its turn.
        """
        waiting = defaultdict(list)
        for ok, lines in ((True, self.held()), (False, self.failed)):
            for line in lines:
                waiting[line.statement, line.quantity].append((line, ok))
        found = []
        for line in self.book:
            same = waiting[line.statement, line.quantity]
            here, ok = same.pop(0) if same else (None, None)
            found.append(Claim(self.number, line, here, ok))
        left = [each for lines in waiting.values() for each in lines]
        return found + [Claim(self.number, None, line, ok) for line, ok in left]


# The book


def printed(text: str) -> list[Check]:
    """The lines that `check` printed into a text."""
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # another line
            found.append(Check.parse(line))
    return found


def failure(message: str) -> Check | None:
    """The claim that an error of `check` is about; None if it is none of these.

    Its numbers are those of the error. There is no measured one where the demand was
    met, but by the nearest wrong value as well.
    """
    found = FAILURE.fullmatch(message)
    parts = found.groupdict() if found else {}
    return Check(**{key: text or "" for key, text in parts.items()}) if found else None


def find_book(folder: Path | None = None) -> Path:
    """The folder of the book, which lies beside the package in a clone.

    Raises:
        FileNotFoundError: it has no chapters, or no ``claims.json``.
    """
    place = folder or PACKAGE.parent / "book"
    if _chapters(place) and (place / CLAIMS).is_file():
        return place
    if folder:
        raise FileNotFoundError(
            f"{folder} is not the folder of the book: chapters, NN_name.ipynb, and "
            f"{CLAIMS} lie in it"
        )
    raise FileNotFoundError(
        "the book is not beside sirenlib: clone its repository and give its folder, "
        "as in `python -m sirenlib verify path/to/book`"
    )


def _chapters(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def read_book(folder: Path, numbers: Iterable[int] | None = None) -> list[Run]:
    """The chapters of those numbers, or all, as they are before they run.

    Raises:
        ModuleNotFoundError: what runs a notebook is not installed.
        ValueError: the book has no chapter of such a number.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ModuleNotFoundError(
            "verify runs notebooks, and what it takes is not installed: pip install "
            + " ".join(missing)
        )
    claims = _committed(folder)
    paths = {int(path.name[:2]): path for path in _chapters(folder)}
    if unknown := set(numbers or ()) - set(paths):
        raise ValueError(
            f"the book has the chapters {', '.join(map(str, paths))}, "
            f"not {', '.join(map(str, sorted(unknown)))}"
        )
    return [
        Run(path, _without_outputs(path), claims[number])
        for number, path in paths.items()
        if not numbers or number in numbers
    ]


def _without_outputs(path: Path):
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return notebook


def _committed(folder: Path) -> dict[int, list[Check]]:
    """The lines of each chapter as the book has them."""
    data = json.loads((folder / CLAIMS).read_text(encoding="utf-8"))
    lines = [(each["chapter"], each) for each in data["others"]]
    for box in data["statements"]:
        lines += [(box["chapter"], each) for each in box["checks"]]
    names, found = [each.name for each in fields(Check)], defaultdict(list)
    for chapter, line in lines:
        found[chapter].append(Check(**{name: line.get(name, "") for name in names}))
    return found


# Running


def measure(runs: list[Run], device: str = "cpu") -> bool:
    """Run the chapters one after the other; an error ends its chapter only.

    The bar counts seconds as the chapters' heads have them, and the time left follows
    from the share that is done.

    Returns:
        False if Ctrl-C ended it. What had been measured until then stays.
    """
    total = sum(run.weight * run.count for run in runs)
    silent = in_book() or sys.stderr is None
    with tqdm(total=total, bar_format=BAR, smoothing=0, disable=silent) as bar:
        for run in runs:
            begun, before = time.perf_counter(), bar.n

            def done(count: int, run: Run = run) -> None:
                text = f"chapter {run.number}, cell {count} of {run.count}"
                bar.set_description_str(text, refresh=False)
                bar.update(min(run.weight, bar.total - bar.n))  # a sum may be rounded

            try:
                _run(run, device, done)
            except KeyboardInterrupt:
                run.error = "stopped"
                return False
            finally:
                run.seconds = time.perf_counter() - begun
            bar.total -= run.weight * run.count - (bar.n - before)  # never to be run
    return True


def _run(run: Run, device: str, done: Callable[[int], None]) -> None:
    from nbclient.exceptions import CellExecutionError

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = client_for(run.notebook, folder)
        index, count = 0, 0
        try:
            with client.setup_kernel(cleanup_kc=True, env=_environment(device)):
                for index, cell in enumerate(run.notebook.cells):
                    client.execute_cell(cell, index)
                    if cell.cell_type == "code":
                        count += 1
                        done(count)
        except CellExecutionError as error:
            run.error = f"cell {index + 1}: {error.ename}: {error.evalue}"
            if error.ename == "AssertionError":
                run.failed = [line for line in [failure(error.evalue)] if line]
        except RuntimeError as error:  # the kernel was killed, or did not start
            run.error = f"cell {index + 1}: {error}"


def client_for(notebook, folder: str | Path, timeout: int | None = None):
    """What runs a notebook's cells in a folder, in a kernel of this very Python.

    Its ``setup_kernel`` needs ``cleanup_kc=True``.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    # A kernel that the user has installed as python3 may be another Python.
    own = KernelSpecManager(kernel_dirs=[])
    return NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=own),
        timeout=timeout,
        extra_arguments=["--log-level=ERROR"],  # not that there is no encryption
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(folder)}},
    )


def _environment(device: str) -> dict[str, str]:
    """As the book is executed, with the sirenlib that runs now."""
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]
    ours = {BOOK_VARIABLE: device, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return {THREADS: "1", **os.environ, **ours}


# What came out


def differences(runs: list[Run]) -> str:
    """A table of the claims that came out differently; empty without any.

    What a chapter with an error did not come to is not in it: `stops` counts that.
    """
    rows = [("chapter", "claim", "quantity", "book", "here", "has to be", "")]
    told = {OTHER: "within", FAILED: "FAILED", MISSING: MISSING, NEW: NEW}
    for run in runs:
        for claim in run.claims():
            status = claim.status
            if status == SAME or (status == MISSING and run.error):
                continue
            line = claim.record()
            names = [str(run.number), line["statement"], line["quantity"]]
            numbers = [line["book"] or "-", line["here"] or "-", line["bound"]]
            rows.append((*names, *numbers, told[status]))
    if len(rows) == 1:
        return ""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def summary(claims: list[Claim]) -> str:
    """How many claims came out in which way, in one line."""
    counted = Counter(claim.status for claim in claims)
    parts = [
        f"{counted[SAME]} the same digits",
        f"{counted[OTHER]} other digits within tolerance",
        f"{counted[FAILED]} failed",
    ]
    parts += [f"{counted[way]} {way}" for way in (MISSING, NEW) if counted[way]]
    return f"{len(claims)} checks: {', '.join(parts)}"


def stops(runs: list[Run]) -> str:
    """A line for each chapter that did not come to its end."""
    lines = []
    for run in [run for run in runs if run.error]:
        left = sum(claim.status == MISSING for claim in run.claims())
        lines.append(f"chapter {run.number}, {run.error}; checks not measured: {left}")
    return "\n".join(lines)


def report(runs: list[Run], folder: Path, device: torch.device) -> dict:
    """All that was measured, and on what. No path of the reader's is in it."""
    claims = [claim for run in runs for claim in run.claims()]
    commit = changed = None
    if git(folder, "ls-files", CLAIMS):  # it may lie in a repository of the reader's
        commit = git(folder, "log", "-1", "--format=%h")
        changed = bool(git(folder, "status", "--porcelain", "."))
    cuda = device.type == "cuda"
    return {
        "sirenlib": __version__,
        "book": commit,
        "changed": changed,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "threads": torch.get_num_threads() if THREADS in os.environ else 1,
        "device": torch.cuda.get_device_name(device) if cuda else device.type,
        "date": datetime.date.today().isoformat(),
        "summary": summary(claims),
        "chapters": [
            {"chapter": run.number, "seconds": round(run.seconds, 1)}
            | ({"error": _short(run.error)} if run.error else {})
            for run in runs
        ],
        "claims": [claim.record() for claim in claims],
    }


def _short(error: str) -> str:
    """The error without its text, which may have a path in it."""
    return ": ".join(error.split(": ")[:2])
