"""What a piece of work costs: CPU seconds and memory, beyond the imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each piece is done in a child of its own: a process's peak never falls again.
PROGRAM = """
import json, os, pathlib, re, resource, sys
import matplotlib, numpy, skimage.transform, torch
import sirenlib, sirenlib.__main__

def used():
    own = resource.getrusage(resource.RUSAGE_SELF)  # its peak begins at the parent's
    status = pathlib.Path("/proc/self/status").read_text()
    peak = int(re.search("VmHWM: *\t* *([0-9]+)", status)[1])
    return own.ru_utime + own.ru_stime, peak * 1024

{before}
for work in json.loads(sys.argv[1]):
    if (child := os.fork()) == 0:
        seconds, peak = used()
        exec(work)
        print(json.dumps([end - start for end, start in zip(used(), (seconds, peak))]),
              flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""

needs_fork = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="peaks are measured as on Linux"
)


def measured(*works: str, before: str = "", cwd: Path) -> list[tuple[float, float]]:
    """CPU seconds and bytes above the imports that each piece of work took."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "SIRENLIB_BOOK": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before), json.dumps(works)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(works)
    return [tuple(json.loads(line)) for line in lines]
