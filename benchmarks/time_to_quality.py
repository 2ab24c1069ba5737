"""Time to 30 dB and to 40 dB on cameraman(256), 2-256x4-1: the copied recipe and ours.

    python benchmarks/time_to_quality.py [--device cuda] [--count]

The copied recipe is the common tutorial's: every pixel in every step, Adam at 1e-4,
the official start, coordinates that ask for gradients. It would take half an hour, so
its steps are counted once (``--count``: the same gradient summed over chunks of the
picture, which is the same mathematics) and multiplied with the time of its true step.
That step is timed in turns with our complete fits, in one process, and medians are
compared: so a busy moment of the machine falls on both.
"""

import argparse
import functools
import json
import statistics
import time
from collections.abc import Callable

import torch
from provenance import RESULTS, provenance, write_result
from siren_pytorch import SirenNet
from torch import nn

import sirenlib
from sirenlib import Signal, Siren

NAME, SIZE, QUALITIES, ROUNDS = "time_to_quality", 256, (30, 40), 5
EPOCHS = {30: 3, 40: 13}  # of our recipe; every one of its fits must reach the quality


def copied(generator: torch.Generator) -> nn.Module:
    return Siren(2, 256, 3, 1, generator=generator)


def siren_pytorch(generator: torch.Generator) -> nn.Module:
    """The package with its own defaults, in the same size: 198,401 parameters."""
    torch.manual_seed(generator.initial_seed())  # it takes no generator
    return SirenNet(dim_in=2, dim_hidden=256, dim_out=1, num_layers=4)


# Both are trained by the copied recipe; they differ in their start and hidden omega_0.
# With each stands the number of steps after which it counts as not reaching a quality.
REFERENCES = {
    "copied recipe": (copied, 2000),
    "siren-pytorch 0.1.7": (siren_pytorch, 1200),
}


def count_steps(
    model: nn.Module, signal: Signal, limit: int, chunk_size: int = 4096
) -> dict:
    """The first step at which the full-batch loss reaches each quality, or None."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    reached = dict.fromkeys(QUALITIES)
    parts = list(
        zip(
            signal.coords.split(chunk_size),
            signal.values.split(chunk_size),
            strict=True,
        )
    )
    for step in range(limit + 1):
        optimizer.zero_grad()
        error = 0.0
        for coords, values in parts:
            loss = (model(coords) - values).square().sum() / signal.values.numel()
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
    return {"steps": reached, "psnr at the end": round(psnr, 2), "limit": limit}


def true_step(model: nn.Module, signal: Signal) -> Callable[[], None]:
    """One step as the tutorials write it."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    coords = signal.coords.clone().requires_grad_()

    def step() -> None:
        loss = ((model(coords) - signal.values) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def ours(signal: Signal, epochs: int, seed: int) -> float:
    """A complete fit by the book's recipe; returns its PSNR."""
    generator = torch.Generator().manual_seed(seed)
    model = Siren(
        2, 256, 3, 1, first_omega_0=SIZE / 3, init="fast", generator=generator
    ).to(signal.coords.device)
    return sirenlib.fit(model, signal, epochs=epochs, generator=generator).final_psnr


def timed(work: Callable, device: torch.device) -> tuple[float, object]:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start, result


def measure(signal: Signal) -> tuple[dict, dict]:
    """Seconds of a true step of each reference, and (seconds, dB) of our fits."""
    device = signal.coords.device
    seed = torch.Generator().manual_seed(0)
    steps = {
        name: true_step(make(seed).to(device), signal)
        for name, (make, _) in REFERENCES.items()
    }
    for step in steps.values():
        step()  # the first step allocates
    step_seconds = {name: [] for name in steps}
    fits = {quality: [] for quality in QUALITIES}
    for turn in range(ROUNDS):
        for quality in QUALITIES:
            for name, step in steps.items():
                step_seconds[name].append(timed(step, device)[0])
            work = functools.partial(ours, signal, EPOCHS[quality], seed=turn)
            fits[quality].append(timed(work, device))
            print(f"  round {turn}: {quality} dB {fits[quality][-1]}", flush=True)
    return step_seconds, fits


def table(counts: dict, step_seconds: dict, fits: dict) -> list[dict]:
    rows = []
    for quality in QUALITIES:
        sirenlib.check(
            "Benchmark",
            f"worst of our fits for {quality} dB",
            min(psnr for _, psnr in fits[quality]),
            at_least=quality,
        )
        mine = statistics.median(seconds for seconds, _ in fits[quality])
        rows.append(
            {
                "quality": quality,
                "name": f"sirenlib.fit, {EPOCHS[quality]} epochs",
                "seconds": round(mine, 2),
                "spread": [
                    round(f(s for s, _ in fits[quality]), 2) for f in (min, max)
                ],
                "psnr": [round(psnr, 2) for _, psnr in fits[quality]],
            }
        )
        for name, seconds in step_seconds.items():
            step, steps = (
                statistics.median(seconds),
                counts[name]["steps"][str(quality)],
            )
            total = "not reached" if steps is None else round(steps * step, 1)
            ratio = None if steps is None else round(steps * step / mine, 1)
            rows.append(
                {
                    "quality": quality,
                    "name": name,
                    "steps": steps or f"more than {counts[name]['limit']}",
                    "seconds a step": round(step, 4),
                    "spread": [round(f(seconds), 4) for f in (min, max)],
                    "seconds": total,
                    "times ours": ratio,
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--count", action="store_true", help="count the steps anew")
    options = parser.parse_args()
    device = sirenlib.resolve_device(options.device)
    signal = sirenlib.cameraman(SIZE).to(device)
    counts_file = RESULTS / f"{NAME}_steps.json"
    if options.count:
        counts = {}
        for name, (make, limit) in REFERENCES.items():
            print(name)
            model = make(torch.Generator().manual_seed(0)).to(device)
            counts[name] = count_steps(model, signal, limit)
        write_result(
            counts_file.stem, {"counts": counts, "provenance": provenance(device)}
        )
    counts = json.loads(counts_file.read_text())["counts"]
    rows = table(counts, *measure(signal))
    name = NAME if device.type == "cpu" else f"{NAME}_{device.type}"
    write_result(name, {"rows": rows, "provenance": provenance(device)})
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
