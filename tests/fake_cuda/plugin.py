"""Tests marked ``cuda`` run on a CUDA device, or in a process that pretends to one.

Where there is no GPU, all marked tests of a session run once in another process, which
preloads `device.cpp`, and each of them ends here as it did there.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIBRARY, OUTCOMES = "FAKE_CUDA_LIBRARY", "FAKE_CUDA_OUTCOMES"
SECONDS = 1800.0  # for all of them together
AS_TEXT = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

_marked = pytest.StashKey[tuple]()


def pytest_configure(config) -> None:
    text = "cuda: needs a CUDA device, or one that tests/fake_cuda pretends to"
    config.addinivalue_line("markers", text)


def pytest_collection_finish(session) -> None:
    marked = [item for item in session.items if _is_elsewhere(item)]
    session.stash[_marked] = tuple(item.nodeid for item in marked)
    for item in marked:
        item.fixturenames = []  # they are made in the other process


def pytest_pyfunc_call(pyfuncitem) -> bool | None:
    """The test's outcome in the other process, in place of a call."""
    if not _is_elsewhere(pyfuncitem):
        return None
    if reason := _why_not():
        pytest.skip(f"no GPU, and tests/fake_cuda needs {reason}")
    session = pyfuncitem.session
    found = _outcomes(session.config.rootpath, session.stash[_marked])
    outcome, text = found.get(pyfuncitem.nodeid, ("failed", found["output"]))
    if outcome == "skipped":
        pytest.skip(text)
    if outcome == "failed":
        pytest.fail(f"on the pretended device:\n{text}", pytrace=False)
    return True


def _is_elsewhere(item) -> bool:
    if not item.get_closest_marker("cuda"):
        return False
    import torch  # late: it takes seconds, and not every session needs it

    return not torch.cuda.is_available()


def _why_not() -> str:
    """What this machine lacks to pretend; empty if nothing."""
    import torch

    if torch.version.cuda or torch.version.hip:
        return "a CPU build of PyTorch"
    if not sys.platform.startswith("linux"):
        return "LD_PRELOAD, which Linux has"
    return "" if _compiler() else "a C++ compiler"


def _compiler() -> str | None:
    names = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    return next(filter(None, map(shutil.which, filter(None, names))), None)


@cache
def _outcomes(root: Path, tests: tuple[str, ...]) -> dict:
    """Outcome and text by test, and what the process wrote."""
    with tempfile.TemporaryDirectory() as folder:
        library, outcomes = Path(folder, "device.so"), Path(folder, "outcomes.json")
        try:
            _compile(library)
        except subprocess.CalledProcessError as error:
            return {"output": f"device.cpp does not compile:\n{error.stdout[-5000:]}"}
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "LD_PRELOAD": str(library),
            LIBRARY: str(library),
            OUTCOMES: str(outcomes),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-m", ""]
        command += ["-p", "fake_cuda.device", "-p", "no:cacheprovider", *tests]
        try:
            done = subprocess.run(
                command, cwd=root, env=environment, timeout=SECONDS, **AS_TEXT
            )
        except subprocess.TimeoutExpired:
            return {"output": f"not done after {SECONDS:.0f} seconds"}
        found = json.loads(outcomes.read_text()) if outcomes.is_file() else {}
        return found | {"output": f"{done.returncode}: {done.stdout[-5000:]}"}


def _compile(library: Path) -> None:
    import torch

    folder = Path(torch.__file__).parent
    command = [_compiler(), "-std=c++20", "-O0", "-shared", "-fPIC"]
    command += [f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"]
    command += [f"-I{folder / 'include'}", str(HERE / "device.cpp")]
    command += [f"-L{folder / 'lib'}", "-lc10", "-ltorch_cpu"]
    command += [f"-Wl,-rpath,{folder / 'lib'}", "-o", str(library)]
    subprocess.run(command, check=True, **AS_TEXT)


# In the other process: what becomes of each test.

_found: dict[str, tuple[str, str]] = {}


def pytest_runtest_logreport(report) -> None:
    if OUTCOMES in os.environ and (report.when == "call" or not report.passed):
        skipped = isinstance(report.longrepr, tuple)  # (file, line, reason)
        text = report.longrepr[2] if skipped else report.longreprtext
        text = getattr(report, "wasxfail", text)
        if _found.get(report.nodeid, ("", ""))[0] != "failed":
            _found[report.nodeid] = (report.outcome, text)


def pytest_sessionfinish() -> None:
    if OUTCOMES in os.environ:
        Path(os.environ[OUTCOMES]).write_text(json.dumps(_found))
