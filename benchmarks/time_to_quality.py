"""Time to 30, 35 and 40 dB, side by side: tutorials' recipes, other networks, ours.

    python benchmarks/time_to_quality.py --task gray     # cameraman, 256x256
    python benchmarks/time_to_quality.py --task color    # three pictures, 512x512
    python benchmarks/time_to_quality.py --task gray --device cuda

Every contender climbs the same ladder. A rung is a complete fit of so many epochs, from
new weights until its rate has fallen to zero: its seconds and its PSNR on the whole
picture. The seconds are those of the processor, with one thread, and end with the last
step. A ladder ends where a fit would take longer than the limit, which is the same for
all. The time to a quality is read off between two rungs: the logarithm of the seconds
against the decibels, on a straight line. Seeds come outermost, then rungs, then
contenders, so that a busy moment of the machine falls on all of them; a disturbed fit
is repeated (`timing.undisturbed`).

The references train as tutorials do: every pixel in every step, Adam at 1e-4, plain
PyTorch. Their steps to each quality are counted once, with the gradient summed over
chunks of the picture, which is the same mathematics. ``--count`` does it anew; the
counts are kept in ``results/time_to_quality_steps.json``. True steps are timed among
the fits, the whole picture at once as in the tutorials and in chunks, and multiplied
with the counts. In color they are left out: a step takes seconds there.
"""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from contenders import COLOR, GRAY, REFERENCES, Contender
from pictures import middle_square
from provenance import (
    RESULTS,
    begin,
    command_line,
    provenance,
    write_record,
    write_result,
)
from steps import tutorial_pass
from timing import both_seconds, reference, undisturbed
from torch import nn

import sirenlib
from sirenlib import Signal

NAME, QUALITIES, CHUNK = "time_to_quality", (30, 35, 40), 4096
COLORED = ("astronaut", "coffee", "chelsea")
OURS = [contender.name for contender in GRAY[:2]]  # what the others are compared with
STEPS = RESULTS / f"{NAME}_steps.json"

Rung = tuple[float, float]  # seconds and decibels


@dataclass(frozen=True)
class Task:
    """Pictures, who fits them, and how far everyone goes."""

    pictures: dict[str, Callable[[], Signal]]
    contenders: list[Contender]
    seeds: int
    ladder: tuple[int, ...]  # epochs
    limit: float  # seconds of a fit
    references: dict[str, Contender] = field(default_factory=dict)
    steps: int = 0  # of a reference at most


def color_picture(name: str, side: int = 512) -> Signal:
    """The largest square in the middle, not larger than that side."""
    picture = middle_square(name)
    return sirenlib.image_signal(picture, size=min(len(picture), side))


TASKS = {
    "gray": Task(
        {"cameraman": partial(sirenlib.cameraman, 256)},
        GRAY,
        seeds=5,
        ladder=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32),
        limit=25,
        references=REFERENCES,
        steps=1300,
    ),
    "color": Task(
        {name: partial(color_picture, name) for name in COLORED},
        COLOR,
        seeds=1,
        ladder=(1, 2, 4, 8, 16, 24),
        limit=120,
    ),
}


# The ladders


@dataclass(frozen=True)
class Fit:
    """One rung of one ladder."""

    picture: str
    contender: Contender
    epochs: int
    seed: int

    def __call__(self, signal: Signal) -> dict:
        """The seconds of the fit, its steps alone, and what it reaches."""
        device, reached = signal.coords.device, []

        def work() -> None:
            generator = torch.Generator().manual_seed(self.seed)
            model = self.contender.make(signal, generator).to(device)
            options = self.contender.options | {"generator": generator}
            sirenlib.fit(model, signal, epochs=self.epochs, **options)
            reached.append(model)

        def evaluate() -> None:
            reached.append(sirenlib.signal_psnr(reached[0], signal))

        # A fit ends with an evaluation. It is made again, to be taken off.
        whole, last = both_seconds(work, device), both_seconds(evaluate, device)
        seconds, wall = (one - other for one, other in zip(whole, last, strict=True))
        found = {"epochs": self.epochs, "seed": self.seed}
        found |= {"seconds": seconds, "wall": wall, "psnr": reached[1]}
        print(self.picture, self.contender.name, found, flush=True)
        return found


@dataclass(frozen=True)
class Step:
    """One true step of a reference, at once or in chunks."""

    picture: str
    contender: Contender
    chunks: bool
    seed: int

    def __call__(self, signal: Signal) -> float:
        device = signal.coords.device
        generator = torch.Generator().manual_seed(self.seed)
        model = self.contender.make(signal, generator).to(device)
        step = chunked_pass if self.chunks else partial(tutorial_pass, **ASKING)
        step = step(model, signal)
        step()  # allocates
        found = both_seconds(step, device)[0]
        print(self.contender.name, f"{self.chunks=} {found:.3f} s", flush=True)
        return found


ASKING = {"ask_for_gradients": True}  # of the coordinates, as the tutorials do


def chunked_pass(
    model: nn.Module, signal: Signal, chunk_size: int = CHUNK
) -> Callable[[], torch.Tensor]:
    """The tutorials' step, its gradient summed over chunks. It returns the loss."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    chunks = list(
        zip(
            signal.coords.split(chunk_size),
            signal.values.split(chunk_size),
            strict=True,
        )
    )

    def run() -> torch.Tensor:
        optimizer.zero_grad()
        error = 0.0
        for x, y in chunks:
            loss = (model(x) - y).square().sum() / signal.values.numel()
            loss.backward()
            error = error + loss.detach()
        optimizer.step()
        return error

    return run


def works(task: Task, signals: dict[str, Signal]) -> list[Fit | Step]:
    """Everything that is timed, in order."""
    rungs = {
        (picture, contender): affordable(picture, contender, signal, task)
        for picture, signal in signals.items()
        for contender in task.contenders
    }
    found = []
    for seed in range(task.seeds):
        for picture in signals:
            for one in task.references.values():
                found += [Step(picture, one, chunks, seed) for chunks in (False, True)]
            for epochs in task.ladder:
                for contender in task.contenders:
                    if epochs in rungs[picture, contender]:
                        found.append(Fit(picture, contender, epochs, seed))
    return found


def affordable(
    picture: str, contender: Contender, signal: Signal, task: Task
) -> list[int]:
    """The rungs that stay below the limit, by what one epoch takes.

    It is made twice: the first one also loads what is loaded on first use.
    """
    one = Fit(picture, contender, 1, seed=0)
    an_epoch = min(one(signal)["seconds"] for _ in range(2))
    return [epochs for epochs in task.ladder if epochs * an_epoch <= task.limit]


# From ladders to times


def time_to(ladder: list[Rung], quality: float) -> tuple[float, str]:
    """Seconds to a quality, and whether they are its bound.

    Returns:
        The seconds and ``""``; or those of the first rung and ``"at most"``, or those
        of the last one and ``"more than"``.
    """
    below = None
    for seconds, psnr in ladder:
        if psnr >= quality:
            if below is None:
                return seconds, "at most"
            share = (quality - below[1]) / (psnr - below[1])
            return below[0] * (seconds / below[0]) ** share, ""
        below = seconds, psnr
    return below[0], "more than"


def decibels_at(ladder: list[Rung], seconds: float) -> float:
    """The quality after so many seconds, on the line through the last two rungs."""
    (start, low), (end, high) = ladder[-2:]
    return low + (high - low) * math.log(seconds / start) / math.log(end / start)


def medians(fits: list[dict]) -> list[Rung]:
    """The ladder of a contender: over its seeds, at each number of epochs."""
    rungs = defaultdict(list)
    for fit in fits:
        rungs[fit["epochs"]].append((fit["seconds"], fit["psnr"]))
    return [
        tuple(map(statistics.median, zip(*rungs[epochs], strict=True)))
        for epochs in sorted(rungs)
    ]


def columns(ladder: list[Rung]) -> dict[str, list[float]]:
    seconds, psnr = zip(*ladder, strict=True)
    return {"seconds": list(seconds), "psnr": list(psnr)}


def rows_of(contenders: list[dict], references: list[dict]) -> list[dict]:
    """For each picture and quality a row for each contender and each reference.

    A reference has two, as copied and in chunks.
    """
    rows = []
    for picture in dict.fromkeys(one["picture"] for one in contenders):
        for quality in QUALITIES:
            found = [
                {"picture": picture, "quality": quality, **row}
                for one in contenders + references
                if one["picture"] == picture
                for row in (
                    reference_rows(one, quality)
                    if "curve" in one
                    else [contender_row(one, quality)]
                )
            ]
            mine = {row["name"]: row for row in found if row["name"] in OURS}
            rows += [row | {"over": quotients(row, mine)} for row in found]
    return rows


def contender_row(found: dict, quality: float) -> dict:
    seconds, bound = time_to(medians(found["fits"]), quality)
    ladders = defaultdict(list)
    for fit in found["fits"]:
        ladders[fit["seed"]].append(fit)
    each = [time_to(medians(fits), quality) for fits in ladders.values()]
    return {
        "name": found["name"],
        "parameters": found["parameters"],
        "seconds": seconds,
        "bound": bound,
        "each": [None if missed == "more than" else time for time, missed in each],
    }


def reference_rows(found: dict, quality: float) -> list[dict]:
    """What was counted times what a step takes."""
    steps = found["steps"][str(quality)]
    count, bound = (found["limit"], "more than") if steps is None else (steps, "")
    rows = []
    for way, times in found["seconds a step"].items():
        row = {"name": f"{found['name']}, {way}", "steps": steps, "bound": bound}
        row["parameters"] = found["parameters"]
        row["seconds"] = count * statistics.median(times)
        row["each"] = [steps and steps * time for time in times]
        rows.append(row)
    return rows


def quotients(row: dict, mine: dict[str, dict]) -> dict[str, float]:
    """The row's time over each of ours; two bounds on one side have no quotient."""
    return {
        name: row["seconds"] / one["seconds"]
        for name, one in mine.items()
        if row is one or not one["bound"] or one["bound"] != row["bound"]
    }


# The record


def measure(task: Task, counts: dict, device: torch.device) -> dict:
    """Ladders, steps and rows of a task."""
    signals = {name: make().to(device) for name, make in task.pictures.items()}
    ahead = works(task, signals)
    asked = [partial(work, signals[work.picture]) for work in ahead]
    results, disturbed = undisturbed(asked, partial(reference, device))
    fits, steps = defaultdict(list), defaultdict(lambda: defaultdict(list))
    for work, result in zip(ahead, results, strict=True):
        if isinstance(work, Fit):
            fits[work.picture, work.contender].append(result)
        else:
            way = f"chunks of {CHUNK:,}" if work.chunks else "as copied"
            steps[work.picture, work.contender][way].append(result)
    contenders = [
        described(contender, picture, signals[picture])
        | {"ladder": columns(medians(found)), "fits": found}
        for (picture, contender), found in fits.items()
    ]
    references = [
        described(one, picture, signals[picture])
        | counts[one.name]
        | {"seconds a step": found}
        for (picture, one), found in steps.items()
    ]
    return {
        "fitted": {name: list(signal.shape) for name, signal in signals.items()},
        "clock": "seconds" if device.type == "cuda" else "CPU seconds of one thread",
        "seeds": task.seeds,
        "limit": task.limit,
        "disturbed": disturbed,
        "rows": rows_of(contenders, references),
        "contenders": contenders,
        "references": references,
    }


def described(contender: Contender, picture: str, signal: Signal) -> dict:
    """What the record says of a contender beside its results."""
    model = contender.make(signal, torch.Generator().manual_seed(0))
    return {
        "picture": picture,
        "name": contender.name,
        "parameters": number_of_parameters(model),
        "paper": contender.paper,
        "code": contender.code,
        **contender.options,
    }


def number_of_parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


# Counting the references' steps


def count_steps(model: nn.Module, signal: Signal, limit: int, every: int = 5) -> dict:
    """The first step with each quality, or None, and the curve until the last one."""
    step, reached = chunked_pass(model, signal), dict.fromkeys(map(str, QUALITIES))
    curve = {"step": [], "psnr": []}
    for number in range(limit + 1):
        psnr = sirenlib.psnr_from_mse(float(step()), signal.data_range)
        for quality in QUALITIES:
            if reached[str(quality)] is None and psnr >= quality:
                reached[str(quality)] = number
        done = None not in reached.values()
        if number % every == 0 or done:
            curve["step"].append(number)
            curve["psnr"].append(round(psnr, 3))
            print(f"  step {number}: {psnr:.2f} dB", flush=True)
        if done:
            break
    return {"steps": reached, "limit": number, "curve": curve}


def count_all(task: Task, device: torch.device) -> dict:
    counts = {}
    for name, one in task.references.items():
        [make] = task.pictures.values()
        model = one.make(signal := make(), torch.Generator().manual_seed(0))
        counts[name] = count_steps(model.to(device), signal.to(device), task.steps)
    return {"references": counts}


def keep(task: str, counts: dict) -> None:
    """Put the counts of one task into their file; the others stay."""
    record = json.loads(STEPS.read_text()) if STEPS.exists() else {}
    write_result(STEPS.stem, record | {task: counts})


def kept(task: str) -> dict:
    return json.loads(STEPS.read_text()).get(task, {}) if STEPS.exists() else {}


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--task", choices=TASKS, default="gray")
    parser.add_argument("--count", action="store_true", help="count the steps anew")
    parser.add_argument("--seeds", type=int, help="fits of each kind; 5 in gray")
    options = parser.parse_args()
    device, task = begin(options), TASKS[options.task]
    task = replace(task, seeds=options.seeds or task.seeds)
    counted = {} if options.count else kept(options.task)
    if task.references and not counted:
        counted = count_all(task, device)
        if not options.draft:
            keep(options.task, counted | {"provenance": provenance(device)})
            counted = kept(options.task)
    torch.set_num_threads(1)
    record = measure(task, counted.get("references", {}), device)
    record["counted"] = counted.get("provenance")
    name = NAME if options.task == "gray" else f"{NAME}_{options.task}"
    write_record(name, record, device, options.draft)


if __name__ == "__main__":
    main()
