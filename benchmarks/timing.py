"""The clock and the meter of memory that the benchmarks share."""

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import torch


def seconds(
    function: Callable[[], object], device: torch.device, runs: int = 1
) -> float:
    """Mean time of so many runs; the device has finished when it is taken."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(runs):
        function()
    wait()
    return (time.perf_counter() - start) / runs


def runs_for(once: float, together: float = 0.2) -> int:
    """How many runs of something short take so many seconds together."""
    return max(1, math.ceil(together / once))


def peak_megabytes(function: Callable[[], object], device: torch.device) -> float:
    """Memory that the function takes at its peak, beyond what stood there before.

    On a CPU it is that of the process, which never falls: give it one of its own.
    """
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    before = _peak_of_process()
    function()
    return (_peak_of_process() - before) / 2**10


def _peak_of_process() -> int:
    """In KiB. Linux knows it of this program alone; getrusage, of its parent too."""
    status = Path("/proc/self/status")
    known = re.search(r"VmHWM:\s*(\d+)", status.read_text() if status.exists() else "")
    return int(known[1]) if known else getrusage(RUSAGE_SELF).ru_maxrss


def in_own_process(script: str, *arguments: str) -> object:
    """What a script with these arguments prints as JSON.

    Call it early: where Linux is not asked, a child's peak begins at its parent's size.
    """
    command = [sys.executable, script, *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)
