"""Choose the settings of the rivals: each in turn, the same budget for all.

A setting is as good as the decibels that it reaches in so many CPU seconds of one
thread, the mean of some seeds, on the picture of the task itself. Values are tried for
one option after the other, the best so far held for the rest. What is best is copied by
hand into `contenders.py`.

    python benchmarks/tune.py --task gray --only "hash grid"
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial

import torch
from contenders import (
    Contender,
    finer,
    fourier_features,
    hash_grid,
    siren_pytorch_by_the_book,
)
from time_to_quality import TASKS, Fit, decibels_at

from sirenlib import Signal

BUDGET = {"gray": 4.0, "color": 10.0}  # CPU seconds of a fit
SEEDS = {"gray": 2, "color": 1}

# The first value of each is where the search begins.
RATE = {"lr": (5e-4, 1e-3, 3e-4), "batch_size": (1024, 512, 2048)}
RIVALS = {
    "siren-pytorch, our recipe": (
        siren_pytorch_by_the_book,
        {"share": (3, 2, 4)} | RATE,
    ),
    "Fourier features": (
        fourier_features,
        {
            "sigma": (20.0, 10.0, 30.0, 40.0),
            "lr": (2e-3, 1e-3, 4e-3),
            "width": (208, 256, 160),
            "batch_size": (1024, 512, 2048),
        },
    ),
    "hash grid": (
        hash_grid,
        {
            "lr": (2e-2, 1e-2, 4e-2),
            "batch_size": (1024, 512, 2048, 4096),
            "rows": (4, 8, 2),
            "shape": ((8, 4), (16, 2), (12, 2)),
            "width": (64, 32),
        },
    ),
    "FINER": (finer, {"share": (4, 3, 8, 2)} | RATE),
}


def tune(score: Callable[[dict], float], grid: dict[str, tuple]) -> dict:
    """The best settings found: one option after the other, from the first values."""
    best = {option: values[0] for option, values in grid.items()}
    highest = score(best)
    for option, values in grid.items():
        for value in values[1:]:
            tried = best | {option: value}
            if (reached := score(tried)) > highest:
                best, highest = tried, reached
    return best


def decibels(
    make: Callable, signal: Signal, budget: float, seeds: int, settings: dict
) -> float:
    """What such a fit reaches in the budget, the mean of the seeds."""
    told = {name: settings[name] for name in ("lr", "batch_size")}
    options = {name: settings[name] for name in settings if name not in told}
    contender = Contender("tried", partial(make, **options), **told)
    found = [reached_in(budget, contender, signal, seed) for seed in range(seeds)]
    print(f"{statistics.mean(found):.2f} dB  {settings}", flush=True)
    return statistics.mean(found)


def reached_in(budget: float, contender: Contender, signal: Signal, seed: int) -> float:
    """Read off between a fit that is longer than the budget and one half as long."""

    def rung(epochs: int) -> tuple[float, float]:
        found = Fit("", contender, epochs, seed)(signal)
        return found["seconds"], found["psnr"]

    longer = max(2, round(budget / rung(1)[0] + 0.5))
    return decibels_at([rung(longer // 2), rung(longer)], budget)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, default="gray")
    parser.add_argument("--only", choices=RIVALS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    signal = next(iter(TASKS[options.task].pictures.values()))()
    for name in [options.only] if options.only else RIVALS:
        make, grid = RIVALS[name]
        budget = BUDGET[options.task], SEEDS[options.task]
        print(name, flush=True)
        best = tune(partial(decibels, make, signal, *budget), grid)
        print(f"best: {best}", flush=True)


if __name__ == "__main__":
    main()
