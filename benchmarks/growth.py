"""How the time and the memory of a pass grow with the pixels and with the width.

A pass is every pixel once: forward, backward and Adam. Two ways to run it: as
`sirenlib.fit` does, in chunks of a fixed size, and as the tutorials do, the whole
picture at once. Each configuration has a process of its own, whose peak of memory is
its own too. The values of the picture are random: they change neither.

    python benchmarks/growth.py [--device cuda] [--repeats 3]
"""

import argparse
import json
import statistics

import torch
from provenance import write_record
from steps import digits, fit_pass, flop_a_pass, new_model
from timing import in_own_process, peak_megabytes, runs_for, seconds

import sirenlib
from sirenlib import Signal

NAME, SIDE, WIDTH = "growth", 256, 256
SIDES = (64, 128, 256, 512, 1024, 2048)
LARGEST_WHOLE = 512  # pixels a side that are computed at once
WIDTHS = (64, 128, 256, 512, 1024)
TOO_LONG = 20  # seconds; such a pass is measured once


def configurations() -> list[dict]:
    """What is measured: pixels a side, width, and whether all pixels at once."""
    chunks = [{"side": side, "width": WIDTH, "way": "chunks"} for side in SIDES]
    whole = [one | {"way": "whole"} for one in chunks if one["side"] <= LARGEST_WHOLE]
    widths = [{"side": SIDE, "width": width, "way": "chunks"} for width in WIDTHS]
    return chunks + whole + [one for one in widths if one not in chunks]


def noise(side: int, device: torch.device) -> Signal:
    """A square picture of noise, made without temporary copies of it."""
    generator = torch.Generator(device).manual_seed(0)
    coords, values = (
        torch.rand(side**2, columns, generator=generator, device=device)
        for columns in (2, 1)
    )
    return Signal(coords.mul_(2).sub_(1), values, (side, side))


def recipe(side: int, way: str) -> dict:
    """What `sirenlib.fit` is told: one batch with the whole picture in it."""
    chunk_size, engine = (side**2, "eager") if way == "whole" else (None, "auto")
    common = {"batch_size": side**2, "precision": "float32"}
    return common | {"chunk_size": chunk_size, "engine": engine}


def measure(side: int, width: int, way: str, device: torch.device, repeats: int):
    """Peak of memory of the first pass, with what is made for it; then the times."""
    small = noise(4, device)  # loads what is loaded on first use
    fit_pass(new_model(small, width), small, recipe(4, way))()
    signal = noise(side, device)
    model = new_model(signal, width)
    kept = []

    def first() -> None:
        run = fit_pass(model, signal, recipe(side, way))
        kept.extend([run, seconds(run, device)])

    peak = peak_megabytes(first, device)
    run, once = kept
    times = [once]
    if once <= TOO_LONG:
        runs = runs_for(once)
        times = [seconds(run, device, runs) for _ in range(repeats)]
    return {
        "points": side**2,
        "flop": flop_a_pass(model, side**2),
        "seconds": digits(statistics.median(times)),
        "spread": [digits(edge(times)) for edge in (min, max)],
        "measured": len(times),
        "peak_megabytes": round(peak, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("SIDE", "WIDTH", "WAY"))
    options = parser.parse_args()
    device = sirenlib.resolve_device(options.device)
    if options.one:
        side, width, way = options.one
        row = measure(int(side), int(width), way, device, options.repeats)
        print(json.dumps(row))
        return
    rows = []
    for one in configurations():
        asked = [f"--device={device}", f"--repeats={options.repeats}", "--one"]
        found = in_own_process(__file__, *asked, *map(str, one.values()))
        rows.append(one | found)
        print(rows[-1], flush=True)
    what = "passes over squares of noise, 2-WIDTHx4-1, Adam"
    write_record(NAME, {"what": what, "rows": rows}, device)


if __name__ == "__main__":
    main()
