"""Milliseconds of one pass over a picture, against what the machine can do.

A pass is every pixel once: forward, backward and Adam. On a CPU the picture is the
cameraman at 256x256, on CUDA the astronaut at 512x512 in color; the network is 2-256x4
and as many outputs as there are channels. The rungs go from the tutorials' loop to
`sirenlib.fit` with everything it offers. They are timed in turns, so that a busy moment
of the machine falls on all of them.

Beside them stand two roofs, measured in the same turns: the floating-point operations
a second of one matrix product of the network's own shape, and the bytes a second of a
large copy. The fastest turn counts there, and the median for a rung.

    python benchmarks/steps.py [--device cuda] [--rounds 5]
"""

import functools
import statistics
from collections.abc import Callable

import skimage
import torch
from provenance import begin, command_line, write_record
from timing import runs_for, seconds
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import sirenlib
from sirenlib import Signal, Siren
from sirenlib.evaluation import chunk_on
from sirenlib.steps import Recipe, Stepper, products_in

NAME, WIDTH = "steps", 256
TUTORIALS = {"eager, coordinates ask for gradients": True, "eager": False}
BATCHES = (1024, 16384, 262144)
TOO_SLOW = 10  # times the first rung: then one pass is enough
DTYPES = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "bfloat16": torch.bfloat16,
}


# The rungs


def rungs(points: int, device: torch.device) -> dict[str, dict]:
    """What `sirenlib.fit` is told, by the name of the rung."""
    chunk, cuda = chunk_on(device), device.type == "cuda"
    plain = {"batch_size": points, "chunk_size": None}
    plain |= {"precision": "float32", "engine": "eager"}
    found = {"fit, one chunk": plain | {"chunk_size": points}}
    if chunk < points:
        found[f"fit, chunks of {chunk:,}"] = plain
    if cuda:
        found["fit, tf32"] = plain | {"precision": "tf32"}
    found["fit, bfloat16"] = plain | {"precision": "bfloat16"}
    if cuda:
        found["fit, graph"] = plain | {"engine": "graph"}
    found["fit, compiled"] = plain | {"engine": "compile"}
    if cuda:
        both = {"engine": "compile", "precision": "bfloat16"}
        found["fit, compiled, bfloat16"] = plain | both
    for size in BATCHES:
        if size < points:
            batch = {"batch_size": size, "engine": "auto"}
            found[f"fit, batches of {size:,}"] = plain | batch
    return found


def tutorial_pass(
    model: nn.Module, signal: Signal, ask_for_gradients: bool
) -> Callable[[], None]:
    """The step of the tutorials, whose loop is given the whole picture."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    coords = signal.coords.clone().requires_grad_(ask_for_gradients)

    def run() -> None:
        loss = ((model(coords) - signal.values) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def fit_pass(model: nn.Module, signal: Signal, recipe: dict) -> Callable[[], None]:
    """An epoch of `sirenlib.fit`, without what surrounds its steps."""
    points, device = len(signal.coords), signal.coords.device
    recipe = Recipe(epochs=1, **recipe)
    recipe.require_device(device)
    with products_in(recipe.precision):
        step = Stepper(model, signal, recipe, {})

    def run() -> None:
        order = torch.randperm(points, dtype=torch.int32, device=device)
        with products_in(recipe.precision):
            for index in order.split(recipe.batch_size):
                step(index, 1e-4)

    return run


def new_model(signal: Signal, width: int = WIDTH) -> Siren:
    generator = torch.Generator().manual_seed(0)
    model = Siren(2, width, 3, signal.values.shape[1], generator=generator)
    return model.to(signal.coords.device)


# What a pass costs


def flop_a_pass(model: Siren, points: int) -> int:
    """Floating-point operations of the linear maps, forward and backward.

    A weight is multiplied and added three times for a point: in the output, in the
    gradient of the weight and in that of the input. The first layer's input asks for
    no gradient.
    """
    matrices = [weight.numel() for weight in model.parameters() if weight.ndim == 2]
    return points * (6 * sum(matrices) - 2 * matrices[0])


class Bytes(TorchDispatchMode):
    """Counts the bytes of all tensors that operations read or write, views aside."""

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            # What returns nothing writes into what it was given.
            written = args if result is None else result
            tensors = tree_leaves((args, kwargs, written))
            self.total += sum(t.nbytes for t in tensors if isinstance(t, Tensor))
        return result


def bytes_of(function: Callable[[], None]) -> int:
    with Bytes() as counter:
        function()
    return counter.total


# The roofs


def product(rows: int, precision: str, device: torch.device) -> Callable[[], None]:
    """A hidden layer's product for a chunk."""
    dtype = DTYPES[precision]
    x = torch.rand(rows, WIDTH, device=device).to(dtype)
    weight = torch.rand(WIDTH, WIDTH, device=device).to(dtype)
    result = torch.empty_like(x)

    def run() -> None:
        with products_in(precision):
            torch.mm(x, weight.T, out=result)

    return run


def copy(elements: int, device: torch.device) -> Callable[[], None]:
    source = torch.zeros(elements, device=device)
    target = torch.ones_like(source)
    return functools.partial(target.copy_, source)


def roofs(device: torch.device) -> dict[str, tuple[Callable[[], None], int]]:
    """By name the work, and how much of it: operations, or bytes."""
    rows, cuda = chunk_on(device), device.type == "cuda"
    names = [name for name in DTYPES if cuda or name != "tf32"]
    flop = 2 * rows * WIDTH**2
    found = {name: (product(rows, name, device), flop) for name in names}
    elements = 2**28 if cuda else 2**26
    return found | {"copy": (copy(elements, device), 2 * 4 * elements)}


# Measuring


def measure(signal: Signal, rounds: int) -> dict:
    """The record, but for where and when."""
    device, points = signal.coords.device, len(signal.coords)
    flop = flop_a_pass(new_model(signal), points)
    settings, work, moved = passes(signal)
    tops = roofs(device)
    functions = work | {name: run for name, (run, _) in tops.items()}
    times = in_turns(functions, next(iter(work)), rounds, device)
    top = {name: amount / min(times[name]) for name, (_, amount) in tops.items()}
    rows = []
    for name, setting in settings.items():
        ceiling = top[setting["precision"]]
        found = {"failed": "does not work here"}
        if name in times:
            found = figures(times[name], flop, ceiling, moved.get(name), top["copy"])
        rows.append({"name": name} | setting | found)
        print(rows[-1], flush=True)
    bandwidth = digits(top.pop("copy"))
    return {
        "points": points,
        "flop": flop,
        "roofs": {
            "rows": chunk_on(device),
            "flop_per_second": {name: digits(value) for name, value in top.items()},
            "bytes_per_second": bandwidth,
        },
        "rounds": rounds,
        "rows": rows,
    }


def passes(signal: Signal) -> tuple[dict, dict, dict]:
    """By rung its settings, a pass where it works, and the pass's bytes if known."""
    points = len(signal.coords)
    settings, work, moved = {}, {}, {}
    for name, ask in TUTORIALS.items():
        settings[name] = {"precision": "float32", "batch_size": points}
        work[name] = tutorial_pass(new_model(signal), signal, ask)
        moved[name] = bytes_of(work[name])
    for name, recipe in rungs(points, signal.coords.device).items():
        settings[name] = {key: recipe[key] for key in ("precision", "batch_size")}
        try:
            work[name] = fit_pass(new_model(signal), signal, recipe)
        except ValueError as error:  # no compiler or no GPU here
            print(f"{name}: {error}", flush=True)
            continue
        if recipe["engine"] != "compile":  # which merges operations, unseen from here
            eager = recipe | {"engine": "eager"}
            moved[name] = bytes_of(fit_pass(new_model(signal), signal, eager))
    return settings, work, moved


def in_turns(
    functions: dict, first: str, rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of each, a number a round; a single number of what is far too slow."""
    once = {name: seconds(function, device) for name, function in functions.items()}
    slow = {name for name in functions if once[name] > TOO_SLOW * once[first]}
    times = {name: [once[name]] if name in slow else [] for name in functions}
    for turn in range(rounds):
        for name in [name for name in functions if name not in slow]:
            runs = runs_for(once[name])
            times[name].append(seconds(functions[name], device, runs))
        print(f"  round {turn + 1} of {rounds}", flush=True)
    return times


def figures(
    times: list[float], flop: int, ceiling: float, moved: int | None, bandwidth: float
) -> dict:
    """What a row says of a rung's times."""
    middle = statistics.median(times)
    found = {
        "milliseconds": digits(1e3 * middle),
        "spread": [digits(1e3 * edge(times)) for edge in (min, max)],
        "measured": len(times),  # once, where a pass takes far too long
        "flop_per_second": digits(flop / middle),
        "share_of_product": digits(flop / middle / ceiling),
    }
    if moved is None:
        return found
    share = digits(moved / middle / bandwidth)
    return found | {"bytes": moved, "share_of_bandwidth": share}


def digits(number: float) -> float:
    """The number with four digits, as a record has it."""
    return float(f"{number:.4g}")


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    device = begin(options)
    what, signal = "cameraman 256x256, 2-256x4-1", sirenlib.cameraman(256)
    if device.type == "cuda":
        what = "astronaut 512x512, 2-256x4-3"
        signal = sirenlib.image_signal(skimage.data.astronaut())
    record = measure(signal.to(device), options.rounds)
    write_record(NAME, {"what": what, **record}, device, options.draft)


if __name__ == "__main__":
    main()
