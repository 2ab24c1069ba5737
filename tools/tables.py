"""Print the recorded benchmarks as one page of the book.

``python tools/tables.py`` reads ``benchmarks/results/*.json`` and writes
``book/benchmarks.md``. `make bench` and `make execute` end with it. A record that is
not there is left out, and so is a column of one.
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mode

from chapters import ROOT
from claims import plain

OPENING = """\
<!-- Written by tools/tables.py. Do not edit it: run `make bench`. -->

# Benchmarks

How long does it take, and how much memory? This page prints what was measured, with
the machine, the versions and the date below each table. Nobody typed these numbers:
they come from the files in `benchmarks/results`, which the scripts in `benchmarks`
write. A time is the median of several runs. In parentheses stand the fastest and the
slowest of them. Another machine gives other times.

Where nothing else is said, the network is a sine network with four layers of 256 sines.
"""

GRAY = """
## Time to a quality

The cameraman of 256 × 256 pixels is fitted until the picture is met to so many decibels
(PSNR). Every fit starts from new weights.

A network with *epochs* behind its name is trained by `sirenlib.fit`. Its row is the
shortest complete fit, in whole passes over the picture, that reaches the quality. A
network with *steps* is trained as tutorials do it: every pixel in every step, Adam at a
fixed rate of 1e-4. On a CPU the time of such a step is measured and multiplied with the
number of steps, which was counted once. *Not reached* means that the longest run that
was tried did not get there. *Ratio* divides a row's time by that of the first one.

The networks and their settings stand in `benchmarks/contenders.py`. The first row was
tuned far more than the others, on pictures like these.
"""

COLOR = """
## Time to a quality, in color

The same for the astronaut, 512 × 512 pixels in color.
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
"""

DERIVATIVES = """
## Value, gradient and Laplacian

[Chapter 9](09_derivatives.ipynb#in-one-forward-pass) computes all three in one forward
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
this page. Let the machine do nothing else meanwhile.

How many steps and epochs a quality takes is not found anew each time. It is kept beside
the records, in `time_to_quality_steps.json`. These lines find it, which takes long on a
CPU. With `--task color` they do so for the other picture.

```text
.venv/bin/python benchmarks/time_to_quality.py --task gray --count
.venv/bin/python benchmarks/time_to_quality.py --task gray --search
```

In Python `sirenlib.recorded("steps")` gives a record with all of its numbers. The names
are those of the files.
"""


def page(results: Path = ROOT / "benchmarks" / "results") -> str:
    """The page's text, from the records in that folder."""
    sections = [(GRAY, "time_to_quality", _qualities)]
    if any(results.glob("time_to_quality_color*.json")):
        sections += [(COLOR, "time_to_quality_color", _qualities)]
    sections += [
        (STEPS, "steps", _steps),
        (GROWTH, "growth", _growth),
        (DERIVATIVES, "derivatives", _derivatives),
    ]
    parts = [_section(results, *section) for section in sections]
    return OPENING + "".join(parts) + ENDING


def write(root: Path = ROOT) -> None:
    """Write the page into the book."""
    text = page(root / "benchmarks" / "results")
    (root / "book" / "benchmarks.md").write_text(text, encoding="utf-8")


def _section(results: Path, text: str, name: str, tables: Callable[[dict], str]) -> str:
    """What was measured, then the tables of each device and where they are from."""
    for device, file in [("CPU", f"{name}.json"), ("GPU", f"{name}_cuda.json")]:
        path = results / file
        if not path.exists():
            text += f"\nNo run on a {device} has been recorded yet.\n"
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        what = f": {plain(record['what'])}" if "what" in record else ""
        text += f"\n**On a {device}**{what}.\n" + tables(record) + _source(record)
    return text


def _source(record: dict) -> str:
    said = record.get("provenance", {})
    names = {"torch": "PyTorch ", "python": "Python ", "commit": "commit "}
    parts = [names.get(key, "") + str(value) for key, value in said.items()]
    return f"\nMeasured on {plain('; '.join(parts) or 'unknown')}.\n"


# The tables


def _qualities(record: dict) -> str:
    columns = {
        "network": _network,
        "parameters": lambda row: f"{row['parameters']:,}",
        "seconds": _seconds_to_quality,
        "ratio": _ratio,
    }
    text = ""
    for quality in sorted({row["quality"] for row in record["rows"]}):
        rows = [row for row in record["rows"] if row["quality"] == quality]
        text += f"\n{quality} dB:\n" + _table(rows, columns)
    return text


def _network(row: dict) -> str:
    """The name, with the epochs of a fit or the steps of a reference."""
    if row["seconds"] != "not reached" and "epochs" in row:
        return row["name"]  # has them
    kind = "epochs" if "epochs" in row else "steps"
    effort = row.get(kind, "")
    effort = f"{effort:,}" if isinstance(effort, int) else effort
    return f"{row['name']}, {effort} {kind}" if effort else row["name"]


def _seconds_to_quality(row: dict) -> str:
    if row["seconds"] == "not reached":
        return row["seconds"]
    # The spread of a reference is that of a step.
    steps = row["steps"] if "seconds a step" in row else 1
    text = _spread(row["seconds"], [steps * edge for edge in row["spread"]])
    if missed := row.get("missed"):
        text += f"; {missed} of {len(row['psnr'])} below {row['quality']} dB"
    return text


def _ratio(row: dict) -> str:
    if least := row.get("more than times ours"):
        return f"> {_number(least)}"
    return _number(row.get("times ours") or row.get("over ours"))


def _steps(record: dict) -> str:
    columns = {
        "way": lambda row: row["name"],
        "ms": lambda row: _milliseconds(row, record),
        "product": lambda row: _percent(row["share_of_product"]),
        "memory": lambda row: _percent(row["share_of_bandwidth"]),
    }
    return _table(record["rows"], columns) + _roofs(record)


def _milliseconds(row: dict, record: dict) -> str:
    if "failed" in row:
        return row["failed"]
    if row.get("measured") == 1 < record.get("rounds", 1):
        return f"{_number(row['milliseconds'])} (one run)"
    return _spread(row["milliseconds"], row["spread"])


def _roofs(record: dict) -> str:
    if not (roofs := record.get("roofs")):
        return ""
    speeds = roofs["flop_per_second"].items()
    products = [f"{_unit(speed, 'FLOP/s')} in {name}" for name, speed in speeds]
    return (
        f"\nA pass takes {_unit(record['flop'], 'FLOP')} in matrix products. One "
        f"product of {roofs['rows']:,} × 256 numbers with 256 × 256 reaches "
        f"{', '.join(products)}. A copy reads and writes "
        f"{_unit(roofs['bytes_per_second'], 'B/s')}.\n"
    )


def _growth(record: dict) -> str:
    """By pixels at the width that most rows have, and by width at their picture."""
    whole = {row["side"]: row for row in record["rows"] if row["way"] == "whole"}
    chunks = [row for row in record["rows"] if row["way"] == "chunks"]
    width, side = (mode(row[key] for row in chunks) for key in ("width", "side"))
    by_side = {
        "pixels": lambda row: f"{row['side']:,}²",
        "in chunks, ms": lambda row: _number(1e3 * row["seconds"]),
        "MiB": lambda row: _number(row["peak_megabytes"]),
        "at once, ms": lambda row: _number(1e3 * whole[row["side"]]["seconds"]),
        # Another key with the same look.
        "MiB ": lambda row: _number(whole[row["side"]]["peak_megabytes"]),
    }
    by_width = {
        "width": lambda row: f"{row['width']:,}",
        "in chunks, ms": by_side["in chunks, ms"],
        "MiB": by_side["MiB"],
        "speed": lambda row: _unit(row["flop"] / row["seconds"], "FLOP/s"),
    }
    sides = [row for row in chunks if row["width"] == width]
    widths = [row for row in chunks if row["side"] == side]
    widths.sort(key=lambda row: row["width"])
    tables = _table(sides, by_side), _table(widths, by_width)
    return f"\nWidth {width}:\n{tables[0]}\n{side}² pixels:\n{tables[1]}"


def _derivatives(record: dict) -> str:
    columns = {
        "job": lambda row: row["job"],
        "method": lambda row: row["method"],
        "seconds": lambda row: _spread(row["seconds"], row["spread"]),
        "MiB": lambda row: _number(row["peak_megabytes"]),
    }
    return _table(record["rows"], columns)


def _table(rows: list[dict], columns: dict[str, Callable[[dict], str]]) -> str:
    """A Markdown table. A column that no row has anything for is left out."""
    cells = {
        title: [_cell(make, row) for row in rows] for title, make in columns.items()
    }
    cells = {title: column for title, column in cells.items() if any(column)}
    lines = [list(cells), ["---"] * len(cells), *zip(*cells.values(), strict=True)]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(make: Callable[[dict], str], row: dict) -> str:
    try:
        return plain(make(row))
    except KeyError:  # not in this record
        return ""


# Numbers


def _number(value: float | None) -> str:
    """Three digits, and no power of ten: 0.942, 3.90, 2,260."""
    if value is None:
        return ""
    value = float(f"{value:.3g}")
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def _spread(middle: float, times: list[float]) -> str:
    if min(times) == max(times):  # measured once
        return _number(middle)
    return f"{_number(middle)} ({_number(min(times))} to {_number(max(times))})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _unit(value: float, unit: str) -> str:
    """With the largest prefix that leaves a number above one."""
    for prefix, size in [("T", 1e12), ("G", 1e9), ("M", 1e6)]:
        if value >= size:
            return f"{_number(value / size)}\N{NO-BREAK SPACE}{prefix}{unit}"
    return f"{_number(value)}\N{NO-BREAK SPACE}{unit}"


if __name__ == "__main__":
    write()
