"""Tests marked ``cuda`` run on a CUDA device, or in a process that pretends to one.

Where there is no GPU, all marked tests of a session run once in another process, which
preloads `device.cpp`, and each of them passes, fails or is skipped here as it did there.
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
import torch

HERE = Path(__file__).parent
LIBRARY, OUTCOMES = "FAKE_CUDA_LIBRARY", "FAKE_CUDA_OUTCOMES"
SECONDS = 900.0  # for all of them together

_marked = pytest.StashKey[list]()
_reports: dict[str, tuple[str, str]] = {}


def pytest_configure(config) -> None:
    text = "cuda: needs a CUDA device; tests/fake_cuda pretends to one where there is none"
    config.addinivalue_line("markers", text)


def pytest_collection_finish(session) -> None:
    marked = [item for item in session.items if item.get_closest_marker("cuda")]
    session.stash[_marked] = [item.nodeid for item in marked]


def pytest_pyfunc_call(pyfuncitem) -> bool | None:
    """The test's outcome in the other process, in place of a call."""
    if not pyfuncitem.get_closest_marker("cuda") or torch.cuda.is_available():
        return None
    if missing := why_not():
        pytest.skip(missing)
    session = pyfuncitem.session
    found = _outcomes(session.config.rootpath, tuple(session.stash[_marked]))
    outcome, text = found.get(pyfuncitem.nodeid, ("failed", found[""][1]))
    if outcome == "skipped":
        pytest.skip(text)
    if outcome == "failed":
        pytest.fail(f"on the pretended device:\n{text}", pytrace=False)
    return True


def why_not() -> str:
    """What keeps this machine from pretending; empty if nothing does."""
    if torch.version.cuda or torch.version.hip:
        return "no GPU, and tests/fake_cuda needs a CPU build of PyTorch"
    if not sys.platform.startswith("linux"):
        return "no GPU, and tests/fake_cuda needs LD_PRELOAD of Linux"
    return "" if _compiler() else "no GPU, and tests/fake_cuda needs a C++ compiler"


def _compiler() -> str | None:
    names = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    return next(filter(None, map(shutil.which, filter(None, names))), None)


@cache
def _outcomes(root: Path, tests: tuple[str, ...]) -> dict[str, list[str]]:
    """Outcome and text by test; under "" what the process wrote."""
    with tempfile.TemporaryDirectory() as folder:
        library, outcomes = Path(folder, "device.so"), Path(folder, "outcomes.json")
        _compile(library)
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "LD_PRELOAD": str(library),
            LIBRARY: str(library),
            OUTCOMES: str(outcomes),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-m", ""]
        command += ["-p", "fake_cuda.device", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(
            command, cwd=root, env=environment, timeout=SECONDS, **_as_text
        )
        found = json.loads(outcomes.read_text()) if outcomes.is_file() else {}
        return found | {"": ["", f"{done.returncode}: {done.stdout[-5000:]}"]}


_as_text = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


def _compile(library: Path) -> None:
    folder = Path(torch.__file__).parent
    command = [_compiler(), "-std=c++20", "-O0", "-shared", "-fPIC"]
    command += [f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"]
    command += [f"-I{folder / 'include'}", HERE / "device.cpp", "-o", library]
    command += [f"-L{folder / 'lib'}", f"-Wl,-rpath,{folder / 'lib'}"]
    command += ["-lc10", "-ltorch_cpu"]
    done = subprocess.run(command, **_as_text)
    assert done.returncode == 0, f"device.cpp does not compile:\n{done.stdout[-5000:]}"


# In the other process: what becomes of each test.


def pytest_runtest_logreport(report) -> None:
    if OUTCOMES in os.environ and (report.when == "call" or not report.passed):
        text = report.longrepr[2] if report.skipped else report.longreprtext
        if _reports.get(report.nodeid, [""])[0] != "failed":
            _reports[report.nodeid] = (report.outcome, text)


def pytest_sessionfinish() -> None:
    if OUTCOMES in os.environ:
        Path(os.environ[OUTCOMES]).write_text(json.dumps(_reports))
