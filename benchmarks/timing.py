"""The clock and the meter of memory that the benchmarks share."""

import contextlib
import json
import math
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TypeVar

import torch

import sirenlib

T = TypeVar("T")


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


def both_seconds(
    function: Callable[[], object], device: torch.device
) -> tuple[float, float]:
    """Seconds of the processor, and seconds that passed; on CUDA the latter twice.

    With one thread of PyTorch the first are what the function costs, and what another
    program takes of the machine meanwhile is not in them.
    """
    start = time.process_time()
    passed = seconds(function, device)
    return passed if device.type == "cuda" else time.process_time() - start, passed


def undisturbed(
    works: list[Callable[[], T]],
    reference: Callable[[], float],
    tolerance: float = 1.15,
    again: int = 3,
) -> tuple[list[T], dict]:
    """What the works return, each made anew where the machine was disturbed.

    Another program can make the processor slower without taking its time. So between
    the works the same reference is timed, over and over. A work is disturbed if the
    reference before it or after it took more than ``tolerance`` times the median of
    all. Such works are repeated at the end, up to so many times.

    Returns:
        The results in order, the latest of each, and a report: how many works were
        repeated, how many stayed disturbed, and the references' seconds.
    """
    results, around, known = [None] * len(works), {}, []
    waiting, repeated = list(range(len(works))), 0
    for turn in range(1 + again):
        repeated += len(waiting) if turn else 0
        before = reference()
        known.append(before)
        for number in waiting:
            results[number] = works[number]()
            after = reference()
            known.append(after)
            around[number], before = max(before, after), after
        limit = tolerance * statistics.median(known)
        waiting = [number for number in around if around[number] > limit]
        if not waiting:
            break
    edges = [min(known), statistics.median(known), max(known)]
    names = ("repeated", "still disturbed", "references", "reference seconds")
    counts = repeated, len(waiting), len(known), edges
    return results, {"works": len(works)} | dict(zip(names, counts, strict=True))


def reference(device: torch.device) -> float:
    """Seconds of a fixed piece of work, about a tenth of one on a processor."""
    generator = torch.Generator().manual_seed(0)
    model = sirenlib.Siren(2, 256, 3, 1, generator=generator).to(device)
    coords = torch.rand(1024, 2, generator=generator).to(device)

    def work() -> None:
        for _ in range(8):
            model(coords).square().mean().backward()

    return both_seconds(work, device)[0]


def runs_for(once: float, together: float = 0.2) -> int:
    """How many runs of something short take so many seconds together."""
    return max(1, math.ceil(together / once))


def peak_megabytes(function: Callable[[], object], device: torch.device) -> float:
    """Memory that the function takes at its peak, beyond what stood there before.

    On a CPU it is that of the process: give it one of its own. Linux forgets an older
    peak here; elsewhere the peak never falls, so nothing large may have come before.
    """
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    _forget_peak()
    before = _peak_of_process()
    function()
    return (_peak_of_process() - before) / 2**10


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


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
