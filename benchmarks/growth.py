"""How the time and the memory of a pass grow with the pixels and with the width.

A pass is every pixel once: forward, backward and Adam. Two ways to run it: as
`sirenlib.fit` does, in chunks of a fixed size, and as the tutorials do, the whole
picture at once. On a CPU each configuration has a process of its own, whose peak of
memory is its own too; on CUDA PyTorch counts what it hands out. The values of the
picture are random: they change neither.

The quilt has more tiles for more pixels, so its rows are whole fits: the seconds and
the quality on mosaics of photographs, where a pixel is as hard at every size. The last
one is a mosaic in color of sixteen million pixels, and one epoch: does it fit at all?

    python benchmarks/growth.py [--device cuda] [--repeats 3]
"""

import json
import statistics
from functools import partial

import numpy as np
import skimage
import torch
from provenance import begin, command_line, write_record
from steps import digits, fit_pass, flop_a_pass, new_model
from timing import in_own_process, peak_megabytes, runs_for, seconds

import sirenlib
from sirenlib import Signal

NAME, SIDE, WIDTH = "growth", 256, 256
SIDES = (64, 128, 256, 512, 1024, 2048)
LARGEST_WHOLE = 512  # pixels a side that are computed at once
WIDTHS = (64, 128, 256, 512, 1024)
TOO_LONG = 20  # seconds; such a pass is measured once
EPOCHS, PIECE = 6, 32  # of the quilt; pixels a side of a piece of its mosaic
HUGE = {"side": 4096, "width": None, "way": "quilt in color", "epochs": 1}
PHOTOGRAPHS = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass")


def configurations() -> list[dict]:
    """What is measured: pixels a side, width, and how a pass or a fit is made."""
    chunks = [{"side": side, "width": WIDTH, "way": "chunks"} for side in SIDES]
    whole = [one | {"way": "whole"} for one in chunks if one["side"] <= LARGEST_WHOLE]
    widths = [{"side": SIDE, "width": width, "way": "chunks"} for width in WIDTHS]
    quilts = [
        {"side": side, "width": None, "way": "quilt", "epochs": EPOCHS}
        for side in SIDES
    ]
    widths = [one for one in widths if one not in chunks]
    return [*chunks, *whole, *widths, *quilts, HUGE]


def noise(side: int, device: torch.device) -> Signal:
    """A square picture of noise, made without temporary copies of it."""
    generator = torch.Generator(device).manual_seed(0)
    coords, values = (
        torch.rand(side**2, columns, generator=generator, device=device)
        for columns in (2, 1)
    )
    return Signal(coords.mul_(2).sub_(1), values, (side, side))


def mosaic(side: int, color: bool = False) -> Signal:
    """A picture of pieces of photographs, drawn from all of them alike.

    Their edges lie in the middle of the quilt's tiles, where they help no one.
    """
    pieces = []
    for name in PHOTOGRAPHS:
        photograph = getattr(skimage.data, name)()
        if photograph.ndim == 3 and not color:
            photograph = skimage.color.rgb2gray(photograph)
        if photograph.ndim == 2 and color:
            photograph = skimage.color.gray2rgb(photograph)
        photograph = skimage.util.img_as_float32(photograph)
        rows, columns = (length // PIECE for length in photograph.shape[:2])
        cut = photograph[: rows * PIECE, : columns * PIECE]
        cut = cut.reshape(rows, PIECE, columns, PIECE, -1).swapaxes(1, 2)
        pieces.append(cut.reshape(-1, PIECE, PIECE, *photograph.shape[2:]))
    a_side, random = side // PIECE, np.random.default_rng(0)
    rows = []
    for _ in range(a_side):
        chosen = random.integers(len(pieces), size=a_side)
        rows.append(np.hstack([random.choice(pieces[n]) for n in chosen]))
    return sirenlib.image_signal(np.roll(np.vstack(rows), PIECE // 2, (0, 1)))


def measure_quilt(
    side: int, epochs: int, device: torch.device, color: bool = False
) -> dict:
    """One whole fit, and the peak of its memory beside the picture."""
    lengths = {"warm": PIECE, "measured": side}
    sizes = {name: mosaic(one, color).to(device) for name, one in lengths.items()}
    kept = {}

    def whole(size: str) -> None:
        generator = torch.Generator().manual_seed(0)
        quilt = sirenlib.Quilt.for_signal(sizes[size], generator=generator).to(device)
        run = partial(sirenlib.fit, quilt, sizes[size], epochs=epochs)
        kept["seconds"] = seconds(partial(run, generator=generator), device)
        kept["model"] = quilt

    whole("warm")  # loads what is loaded on first use
    peak = peak_megabytes(partial(whole, "measured"), device)
    psnr = sirenlib.signal_psnr(kept["model"], sizes["measured"])
    return {
        "points": side**2,
        "parameters": sum(w.numel() for w in kept["model"].parameters()),
        "epochs": epochs,
        "seconds": kept["seconds"],
        "psnr": psnr,
        "peak_megabytes": round(peak, 1),
    }


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


def measure_one(one: dict, device: torch.device, repeats: int) -> dict:
    """The row of a configuration."""
    if one["way"].startswith("quilt"):
        color = one["way"].endswith("color")
        return measure_quilt(one["side"], one["epochs"], device, color)
    return measure(**one, device=device, repeats=repeats)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", type=json.loads, help="a configuration, as JSON")
    options = parser.parse_args()
    if options.one:
        device = sirenlib.resolve_device(options.device)
        print(json.dumps(measure_one(options.one, device, options.repeats)))
        return
    device = begin(options)
    rows = []
    for one in configurations():
        if device.type == "cuda":
            found = measure_one(one, device, options.repeats)
        else:
            asked = [f"--repeats={options.repeats}", "--one", json.dumps(one)]
            found = in_own_process(__file__, *asked)
        rows.append(one | found)
        print(rows[-1], flush=True)
    what = "passes over squares of noise, 2-WIDTHx4-1, Adam"
    write_record(NAME, {"what": what, "rows": rows}, device, options.draft)


if __name__ == "__main__":
    main()
