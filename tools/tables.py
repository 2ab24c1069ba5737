"""Print the recorded benchmarks as one page of the book.

``python tools/tables.py`` reads ``benchmarks/results/*.json`` and writes
``book/benchmarks.md`` and its pictures. `make bench` and `make execute` end with it. A
record that is not there is left out, and so is a column of one.
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mode

import ladders
from cells import number, percent, spread, table, unit
from chapters import ROOT
from claims import plain
from qualities import image, opening, qualities

OPENS = "time_to_quality"  # the record whose picture opens the page

OPENING = """\
<!-- Written by tools/tables.py. Do not edit it: run `make bench`. -->

# Benchmarks
{picture}
How long does it take, and how much memory? This page prints what was measured, with
the machine, the versions and the date below each table. No number is typed by hand:
they come from the files in `benchmarks/results`, which the scripts in `benchmarks`
write. Each table says above it how often a time was taken. Where it was more than once,
it is the median, and the fastest and the slowest are in parentheses. Another machine
gives other times.

Where nothing else is said, the network is a sine network with four layers of 256 sines.
"""

GRAY = """
## Time to a quality

The cameraman of 256 × 256 pixels is fitted until the picture is met to so many decibels
(PSNR). Every fit starts from new weights.

All networks but the *copied recipe* and *siren-pytorch 0.1.7* are trained by
`sirenlib.fit`, with fits of more and more passes over the picture. The time to a
quality is read off between the two that are next to it, on a line through them: the
logarithm of the seconds against the decibels. *At most* means that the shortest fit
is better, *more than* that the longest one is worse. The limit of a fit is the same
for all. Where the machine was disturbed, a fit was repeated.

The two references are trained as tutorials do it: every pixel in every step, Adam at a
fixed rate of 1e-4. The time of such a step is multiplied with the number of steps,
which was counted once. *As copied* computes the whole picture at once. In chunks the
same step makes better use of the caches, so that the remaining factor is the
recipe's.

The library's own are the quilt and the single network, *sirenlib.fit*. In the fold,
*over* divides a row's time by theirs. The networks and their settings are in
`benchmarks/contenders.py`. The settings of the others were tried on the same pictures,
by `benchmarks/tune.py`. Small ones of them [race in a page](race.md), on a picture of
your own.
"""

COLOR = """
## Time to a quality, in color

The same for three photographs of up to 512 × 512 pixels. The references are left out:
one of their steps takes seconds there.
"""

RECIPE = """
## What each setting of a quilt is worth

`Quilt.for_signal` and `fit` choose tiles of 32 × 32 pixels, 64 units, one hidden layer,
an overlap of an eighth, random phases, a first omega_0 of three times what one network
gets, 64 steps an epoch at a rate of 1e-3 that falls linearly, and coarser grids as
batches. Here one of these is changed at a time. A row is a mean over {swept} pictures
of {side} × {side} pixels and {seeds} seeds, after {epochs} epochs. *Between* is the
PSNR of what lies between the pixels, after a fit to the picture at half its size.
*Gradient* and *Laplacian* are the correlation with those of the pixels, and how large
they are, as a ratio. The last rows are pictures on which nothing was tried.
"""

STEPS = """
## One pass over a picture

Every pixel once: forward, backward and Adam. The first two rows are the loop of the
tutorials. The others are `sirenlib.fit`. The name says what differs from float32, run
eagerly, with one step for the whole picture.

*Product* is the speed as a share of what one matrix product of the network's own shape
reaches alone, in the same precision. *Memory* is the share of the speed of a large
copy, if every operation read and wrote the memory. Chunks that fit into the caches do
not. A compiled step merges its operations, so nothing is said of its traffic.
"""

GROWTH = """
## More pixels, wider networks

One pass over a square picture, and the memory that it takes at its peak beyond the
picture and the network. *In chunks* is what `sirenlib.fit` does. *At once* is what the
tutorials do: the whole picture in one piece. A pass is measured three times, and once
if it takes more than 20 seconds.

The *quilt* has more tiles for more pixels. Its pictures are mosaics of photographs, so
that a pixel is as hard in all of them, and its time is that of a whole fit.
"""

DERIVATIVES = """
## Value, gradient and Laplacian

[Chapter 10](10_derivatives.ipynb#in-one-forward-pass) computes all three in one forward
pass. The other way is to ask autograd twice. *Evaluate* computes them for a whole
picture, in chunks. *Step* is one training step on a loss of the Laplacian.
"""

ENDING = """
## Measure it yourself

```text
make bench
make bench DEVICE=cuda
```

The first line measures on the CPU, the second on a GPU. Both write the records and then
this page, from committed code alone. Let the machine do nothing else meanwhile.

How many steps the references take is not counted anew each time. It is kept in
`time_to_quality_steps.json`. This line counts again, in about half an hour on a CPU.

```text
.venv/bin/python benchmarks/time_to_quality.py --task gray --count
```

In Python `sirenlib.recorded("steps")` gives a record with all of its numbers. The names
are those of the files.
"""


def page(results: Path = ROOT / "benchmarks" / "results") -> str:
    """The page's text, from the records in that folder."""
    sections = [(GRAY, "time_to_quality", qualities)]
    if any(results.glob("time_to_quality_color*.json")):
        sections += [(COLOR, "time_to_quality_color", qualities)]
    if (results / "recipe.json").exists():
        sections.append((_recipe_text(results), "recipe", _recipe))
    sections += [
        (STEPS, "steps", _steps),
        (GROWTH, "growth", _growth),
        (DERIVATIVES, "derivatives", _derivatives),
    ]
    parts = [_section(results, *section) for section in sections]
    first = results / f"{OPENS}.json"
    picture = opening(_read(first), _picture(OPENS)) if first.exists() else ""
    return OPENING.format(picture=picture) + "".join(parts) + ENDING


def _picture(record: str) -> str:
    """The file of the picture of a record; empty if it has none."""
    task = record.removeprefix(OPENS)
    return f"benchmarks{task.replace('_', '-')}.png" if task != record else ""


def pictures(root: Path = ROOT) -> dict[Path, dict]:
    """The page's pictures, and the record of each."""
    records = sorted((root / "benchmarks" / "results").glob(f"{OPENS}*.json"))
    found = {path: _read(path) for path in records}
    return {
        root / "book" / _picture(path.stem): record
        for path, record in found.items()
        if "fitted" in record  # and not the steps that were counted
    }


def write(root: Path = ROOT) -> None:
    """Write the page into the book, and draw its pictures where they are stale."""
    text = page(root / "benchmarks" / "results")
    (root / "book" / "benchmarks.md").write_text(text, encoding="utf-8")
    for path, record in pictures(root).items():
        ladders.write(record, path)


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _section(results: Path, text: str, name: str, tables: Callable[[dict], str]) -> str:
    """What was measured, then the tables of each device and where they are from."""
    for device, file in [("CPU", f"{name}.json"), ("GPU", f"{name}_cuda.json")]:
        path = results / file
        if not path.exists():
            text += f"\nNo run on a {device} has been recorded yet.\n"
            continue
        record = _read(path)
        what = f": {plain(record['what'])}" if "what" in record else ""
        text += f"\n**On a {device}**{what}.\n"
        if path.stem != OPENS and (picture := _picture(path.stem)):
            text += f"\n{image(record, picture)}"
        text += tables(record) + _source(record)
    return text


def _source(record: dict) -> str:
    said = record.get("provenance", {})
    names = {"torch": "PyTorch ", "python": "Python ", "commit": "commit "}
    parts = [names.get(key, "") + str(value) for key, value in said.items()]
    return f"\nMeasured on {plain('; '.join(parts) or 'unknown')}.\n"


# The tables


def _recipe_text(results: Path) -> str:
    record = _read(results / "recipe.json")
    return RECIPE.format(
        swept=len(record["swept"][0]["pictures"]),
        **{key: record[key] for key in ("side", "seeds", "epochs")},
    )


def _recipe(record: dict) -> str:
    def both(row: dict, name: str) -> str:
        return f"{row[f'{name} correlation']:.2f}, {row[f'{name} size']:.2f}"

    columns = {
        "fit": lambda row: row["name"],
        "seconds": lambda row: number(row["seconds"], 2),
        "PSNR": lambda row: f"{row['psnr']:.1f}",
        "between": lambda row: f"{row['between']:.1f}",
        "gradient": lambda row: both(row, "gradient"),
        "Laplacian": lambda row: both(row, "laplacian"),
    }
    names = ", ".join(record["held back"][0]["pictures"])
    return (
        table(record["swept"], columns)
        + f"\nOn other pictures ({names}):\n"
        + table(record["held back"], columns)
    )


def _steps(record: dict) -> str:
    columns = {
        "way": lambda row: row["name"],
        "ms": lambda row: _milliseconds(row, record),
        "product": lambda row: percent(row["share_of_product"]),
        "memory": lambda row: percent(row["share_of_bandwidth"]),
    }
    often = f"\nMedians of {record['rounds']} rounds.\n" if "rounds" in record else ""
    return often + table(record["rows"], columns) + _roofs(record)


def _milliseconds(row: dict, record: dict) -> str:
    if "failed" in row:
        return row["failed"]
    if row.get("measured") == 1 < record.get("rounds", 1):
        return f"{number(row['milliseconds'])} (one run)"
    return spread(row["milliseconds"], row["spread"])


def _roofs(record: dict) -> str:
    if not (roofs := record.get("roofs")):
        return ""
    speeds = roofs["flop_per_second"].items()
    products = [f"{unit(speed, 'FLOP/s')} in {name}" for name, speed in speeds]
    return (
        f"\nA pass takes {unit(record['flop'], 'FLOP')} in matrix products. One "
        f"product of {roofs['rows']:,} × 256 numbers with 256 × 256 reaches "
        f"{', '.join(products)}. A copy reads and writes "
        f"{unit(roofs['bytes_per_second'], 'B/s')}.\n"
    )


def _growth(record: dict) -> str:
    """By pixels at the width that most rows have, and by width at their picture."""
    whole = {row["side"]: row for row in record["rows"] if row["way"] == "whole"}
    chunks = [row for row in record["rows"] if row["way"] == "chunks"]
    width, side = (mode(row[key] for row in chunks) for key in ("width", "side"))
    by_side = {
        "pixels": lambda row: f"{row['side']:,}²",
        "in chunks, ms": lambda row: number(1e3 * row["seconds"]),
        "MiB": lambda row: number(row["peak_megabytes"]),
        "at once, ms": lambda row: number(1e3 * whole[row["side"]]["seconds"]),
        # Another key with the same look.
        "MiB ": lambda row: number(whole[row["side"]]["peak_megabytes"]),
    }
    by_width = {
        "width": lambda row: f"{row['width']:,}",
        "in chunks, ms": by_side["in chunks, ms"],
        "MiB": by_side["MiB"],
        "speed": lambda row: unit(row["flop"] / row["seconds"], "FLOP/s"),
    }
    by_quilt = {
        "pixels": by_side["pixels"],
        "parameters": lambda row: f"{row['parameters']:,}",
        "seconds": lambda row: number(row["seconds"]),
        "dB": lambda row: f"{row['psnr']:.1f}",
        "MiB": by_side["MiB"],
    }
    quilts = [row for row in record["rows"] if row["way"] == "quilt"]
    colored = [row for row in record["rows"] if row["way"] == "quilt in color"]
    sides = [row for row in chunks if row["width"] == width]
    widths = [row for row in chunks if row["side"] == side]
    widths.sort(key=lambda row: row["width"])
    tables = table(sides, by_side), table(widths, by_width)
    text = f"\nWidth {width}:\n{tables[0]}\n{side}² pixels:\n{tables[1]}"
    if quilts:
        text += f"\nA quilt, one fit of {quilts[0]['epochs']} epochs at each size:\n"
        text += table(quilts, by_quilt)
    for row in colored:
        millions, epochs = row["parameters"] / 1e6, row["epochs"]
        text += (
            f"\nAnd in color, of {row['side']:,}² pixels: {millions:.0f} million "
            f"parameters, {number(row['seconds'] / epochs)} seconds an epoch, "
            f"{row['psnr']:.1f} dB after {epochs}, and "
            f"{number(row['peak_megabytes'])} MiB beside the picture.\n"
        )
    return text


def _derivatives(record: dict) -> str:
    columns = {
        "job": lambda row: row["job"],
        "method": lambda row: row["method"],
        "seconds": lambda row: spread(row["seconds"], row["spread"]),
        "MiB": lambda row: number(row["peak_megabytes"]),
    }
    rounds = max(len(row["spread"]) for row in record["rows"])
    return f"\nMedians of {rounds} rounds.\n" + table(record["rows"], columns)


if __name__ == "__main__":
    write()
