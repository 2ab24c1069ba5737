"""Time to 30, 35 and 40 dB, side by side: tutorials' recipes, other networks, ours.

    python benchmarks/time_to_quality.py --task gray     # cameraman, 256x256
    python benchmarks/time_to_quality.py --task color    # astronaut, 512x512
    python benchmarks/time_to_quality.py --task gray --device cuda

Two kinds of contenders are compared, in one process and in turns, so that a busy moment
of the machine falls on all of them.

* The references train as tutorials do: every pixel in every step, Adam at 1e-4, plain
  PyTorch. Their steps to each quality are counted once (``--count``: the gradient
  summed over chunks of the picture, which is the same mathematics). On a CPU, where
  they would take hours, a true step is timed and multiplied with the count; on CUDA
  they run to the end.
* All others are trained by `sirenlib.fit`. Its learning rate falls to zero, so their
  time to a quality is that of the shortest complete fit, in whole epochs, that reaches
  it, whichever the seed. It is searched once (``--search``), and then such fits are
  timed.

What was counted and searched is kept in ``results/time_to_quality_steps.json``.
"""

import argparse
import functools
import itertools
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import skimage
import torch
from contenders import COLOR, GRAY, REFERENCES, Contender
from provenance import RESULTS, provenance, write_record, write_result
from steps import tutorial_pass
from timing import seconds
from torch import nn

import sirenlib
from sirenlib import Signal

NAME, QUALITIES = "time_to_quality", (30, 35, 40)
OURS = GRAY[0].name
STEPS = RESULTS / f"{NAME}_steps.json"
MARGIN = 0.2  # dB that a searched fit has to spare: elsewhere it is rounded otherwise


@dataclass(frozen=True)
class Task:
    """A picture, who fits it, and how long before a quality is 'not reached'."""

    signal: Callable[[], Signal]
    contenders: list[Contender]
    rounds: int
    epochs: int  # of a contender at most
    steps: int  # of a reference at most; in color so many need a GPU


def astronaut() -> Signal:
    """512x512, in color."""
    return sirenlib.image_signal(skimage.data.astronaut())


TASKS = {
    "gray": Task(lambda: sirenlib.cameraman(256), GRAY, 3, epochs=40, steps=2000),
    "color": Task(astronaut, COLOR, 1, epochs=25, steps=20_000),
}


# Counting the references' steps, and searching the contenders' epochs


def count_steps(
    model: nn.Module, signal: Signal, limit: int, chunk_size: int = 4096
) -> dict:
    """The first step at which the full-batch loss reaches each quality, or None."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    reached = dict.fromkeys(QUALITIES)
    coords, values = signal.coords.split(chunk_size), signal.values.split(chunk_size)
    for step in range(limit + 1):
        optimizer.zero_grad()
        error = 0.0
        for x, y in zip(coords, values, strict=True):
            loss = (model(x) - y).square().sum() / signal.values.numel()
            loss.backward()
            error += loss.detach()
        psnr = sirenlib.psnr_from_mse(float(error), signal.data_range)
        for quality in QUALITIES:
            if reached[quality] is None and psnr >= quality:
                reached[quality] = step
        if step % 100 == 0:
            print(f"  step {step}: {psnr:.2f} dB", flush=True)
        if None not in reached.values():
            break
        optimizer.step()
    return {"steps": reached, "psnr at the end": round(psnr, 2), "limit": step}


def fit(contender: Contender, signal: Signal, epochs: int, seed: int) -> float:
    """A complete fit from a new start; returns its PSNR."""
    generator = torch.Generator().manual_seed(seed)
    model = contender.make(signal, generator).to(signal.coords.device)
    recipe = {"batch_size": contender.batch_size, "lr": contender.lr}
    history = sirenlib.fit(model, signal, epochs=epochs, generator=generator, **recipe)
    return history.final_psnr


def search(work: Callable[[int], float], limit: int) -> dict:
    """The fewest epochs with which ``work`` reaches each quality, or None."""
    tried = {}
    shortest = dict.fromkeys(QUALITIES)
    for quality in QUALITIES:
        while epochs := next_epochs(tried, quality + MARGIN, limit):
            tried[epochs] = work(epochs)
            print(f"  {epochs} epochs: {tried[epochs]:.2f} dB", flush=True)
        enough = [n for n, psnr in tried.items() if psnr >= quality + MARGIN]
        shortest[quality] = min(enough, default=None)
    rounded = {epochs: round(tried[epochs], 2) for epochs in sorted(tried)}
    return {"epochs": shortest, "psnr": rounded, "limit": limit}


def next_epochs(tried: dict[int, float], quality: float, limit: int) -> int | None:
    """The number of epochs to try next, or None where the shortest one is known.

    Decibels grow about as the logarithm of the epochs: between a fit that misses and
    one that reaches along a line through both, beyond them by 3 dB for each doubling.
    """
    high = min((n for n, psnr in tried.items() if psnr >= quality), default=limit + 1)
    low = max((n for n in tried if n < high), default=0)
    if high - low == 1:
        return None
    if not tried:
        return min(4, limit)
    slope = 3.0
    if low and high <= limit:
        slope = (tried[high] - tried[low]) / math.log2(high / low)
    start = low or high
    guess = start * 2 ** ((quality - tried[start]) / slope)
    return min(max(math.ceil(guess), low + 1), high - 1)


# Timing


def seconds_a_step(make: Callable, signal: Signal, steps: int) -> float:
    """Mean over so many true steps from a new start, after one that allocates."""
    device = signal.coords.device
    model = make(signal, torch.Generator().manual_seed(0)).to(device)
    step = tutorial_pass(model, signal, ask_for_gradients=True)
    step()
    return seconds(step, device, steps)


def measure(
    signal: Signal, contenders: list[Contender], counts: dict, rounds: int
) -> tuple[dict, dict]:
    """By (name, quality): seconds of true steps, and (seconds, dB) of complete fits."""
    steps, fits = defaultdict(list), defaultdict(list)
    for turn, quality in itertools.product(range(rounds), QUALITIES):
        for name, count in counts["references"].items():
            whole = count["steps"][str(quality)] if on_cuda(signal) else None
            result = seconds_a_step(REFERENCES[name], signal, whole or 1)
            steps[name, quality].append(result)
            print(f"  round {turn + 1}: {name}, {result:.4f} s a step", flush=True)
        for contender in contenders:
            epochs = counts["contenders"][contender.name]["epochs"][str(quality)]
            if epochs is not None:
                result = timed_fit(contender, signal, epochs, seed=turn)
                fits[contender.name, quality].append(result)
                print(f"  round {turn + 1}: {contender.name} {result}", flush=True)
    return steps, fits


def on_cuda(signal: Signal) -> bool:
    return signal.coords.device.type == "cuda"


def timed_fit(
    contender: Contender, signal: Signal, epochs: int, seed: int
) -> tuple[float, float]:
    """Seconds and PSNR of a complete fit."""
    reached = []
    device = signal.coords.device
    took = seconds(lambda: reached.append(fit(contender, signal, epochs, seed)), device)
    return took, reached[0]


# The table


def table(counts: dict, steps: dict, fits: dict) -> list[dict]:
    """The rows of the record: for each quality ours, the others, the references."""
    rows = []
    for quality in QUALITIES:
        mine = None
        if (OURS, quality) in fits:
            mine = statistics.median(time for time, _ in fits[OURS, quality])
            worst = min(psnr for _, psnr in fits[OURS, quality])
            label = f"worst of our fits for {quality} dB"
            sirenlib.check("Benchmark", label, worst, at_least=quality)
        for name, found in counts["contenders"].items():
            rows.append(fit_row(name, quality, found, fits.get((name, quality)), mine))
        for name, count in counts["references"].items():
            times = steps[name, quality]
            rows.append(reference_row(name, quality, count, times, mine))
    return rows


def fit_row(
    name: str, quality: int, found: dict, fits: list | None, mine: float | None
) -> dict:
    row = {"quality": quality, "name": name, "parameters": found["parameters"]}
    if fits is None:
        most = {"epochs": found["limit"], "steps": found["limit"] * found["steps"]}
        limits = {key: f"more than {value}" for key, value in most.items()}
        return row | limits | {"seconds": "not reached"}
    epochs = found["epochs"][str(quality)]
    times = [time for time, _ in fits]
    psnr = [psnr for _, psnr in fits]
    return row | {
        "name": f"{name}, {epochs} epoch{'s' if epochs > 1 else ''}",
        "epochs": epochs,
        "steps": epochs * found["steps"],
        "seconds": round(statistics.median(times), 2),
        "spread": spread(times, 2),
        "psnr": [round(value, 2) for value in psnr],
        "missed": sum(value < quality for value in psnr),
        "over ours": mine and round(statistics.median(times) / mine, 2),
    }


def reference_row(
    name: str, quality: int, count: dict, times: list[float], mine: float | None
) -> dict:
    """A quality that was not reached has the time to the limit as a lower bound."""
    steps, step = count["steps"][str(quality)], statistics.median(times)
    missed = steps is None
    total = step * (count["limit"] if missed else steps)
    ratio = mine and round(total / mine, 1)
    row = {
        "quality": quality,
        "name": name,
        "parameters": count["parameters"],
        "steps": f"more than {count['limit']}" if missed else steps,
        "seconds a step": round(step, 4),
        "spread": spread(times, 4),
        "seconds": "not reached" if missed else round(total, 1),
        "times ours": None if missed else ratio,
    }
    if missed:
        row |= {"more than seconds": round(total, 1), "more than times ours": ratio}
    return row


def spread(times: list[float], places: int) -> list[float]:
    return [round(edge(times), places) for edge in (min, max)]


# The record of counts, and the command line


def count_all(signal: Signal, task: Task) -> dict:
    counts = {}
    for name, make in REFERENCES.items():
        print(name, flush=True)
        model = make(signal, torch.Generator().manual_seed(0))
        parameters = {"parameters": number_of_parameters(model)}
        model.to(signal.coords.device)
        counts[name] = parameters | count_steps(model, signal, task.steps)
    return counts


def search_all(signal: Signal, task: Task) -> dict:
    found = {}
    for contender in task.contenders:
        print(contender.name, flush=True)
        model = contender.make(signal, torch.Generator().manual_seed(0))
        steps = math.ceil(len(signal.coords) / contender.batch_size)
        work = functools.partial(worst, contender, signal, task.rounds)
        found[contender.name] = {
            "parameters": number_of_parameters(model),
            "lr": contender.lr,
            "batch_size": contender.batch_size,
            "steps": steps,  # an epoch
            "seeds": task.rounds,
        } | search(work, task.epochs)
    return found


def worst(contender: Contender, signal: Signal, seeds: int, epochs: int) -> float:
    """The lowest PSNR of the fits that the rounds will time."""
    return min(fit(contender, signal, epochs, seed) for seed in range(seeds))


def number_of_parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def keep(task: str, part: str, counts: dict, device: torch.device) -> None:
    """Put one part of one task into the file; the others stay."""
    record = json.loads(STEPS.read_text()) if STEPS.exists() else {}
    kept = record.setdefault(task, {})
    kept[part] = counts
    kept[f"provenance of {part}"] = provenance(device)
    write_result(STEPS.stem, record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, default="gray")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--count", action="store_true", help="count the steps anew")
    parser.add_argument("--search", action="store_true", help="search the epochs anew")
    options = parser.parse_args()
    device = sirenlib.resolve_device(options.device)
    task = TASKS[options.task]
    signal = task.signal().to(device)
    if options.count:
        keep(options.task, "references", count_all(signal, task), device)
    if options.search:
        keep(options.task, "contenders", search_all(signal, task), device)
    if options.count or options.search:
        return
    counts = json.loads(STEPS.read_text())[options.task]
    rows = table(counts, *measure(signal, task.contenders, counts, task.rounds))
    name = NAME if options.task == "gray" else f"{NAME}_{options.task}"
    multiplied = "a true step, multiplied with the counted steps"
    record = {
        "rows": rows,
        "rounds": task.rounds,
        "references": "run to the end" if on_cuda(signal) else multiplied,
        "not counted": [
            name for name in REFERENCES if name not in counts["references"]
        ],
    }
    write_record(name, record, device)
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
