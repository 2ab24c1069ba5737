"""Say on the first page and in the README how fast a picture is learned.

The sentences are made from the records of ``benchmarks/time_to_quality.py``, with their
machines. `make execute` writes them.
"""

import json
from pathlib import Path
from textwrap import fill

from cells import number
from chapters import ROOT
from marks import put

PAGES = {"README.md": "book/benchmarks.md", "book/index.md": "benchmarks.md"}
QUALITY = 40

SENTENCE = """\
**How fast?** On one thread of a processor ({hardware}) a quilt of small sine networks
learns the cameraman, {shape} pixels, to {quality} dB in {ours} seconds, and one sine
network in {single}. The recipe that tutorials copy needs {copied} seconds: {ratio}
times the quilt's, and {chunks} times if its step is cut into chunks that fit into the
caches.{gpu} The [benchmarks]({page}) have the others.
"""
GPU = """ \
On a GPU ({hardware}) the three take {ours}, {single} and {copied} seconds."""


def sentence(record: dict, gpu: dict | None, page: str) -> str:
    """The paragraph from a CPU's record, and a GPU's if there is one, with its link."""
    [shape] = record["fitted"].values()
    rows = _rows(record)
    copied = rows["copied recipe, as copied"]
    in_chunks = rows["copied recipe, chunks of 4,096"]
    text = SENTENCE.format(
        **_times(record),
        shape=" × ".join(map(str, shape)),
        quality=QUALITY,
        ratio=number(copied["over"]["quilt"], 2),
        chunks=number(in_chunks["over"]["quilt"], 2),
        gpu=GPU.format(**_times(gpu)) if gpu else "",
        page=page,
    )
    return fill(text, 88, break_on_hyphens=False, break_long_words=False) + "\n"


def _rows(record: dict) -> dict[str, dict]:
    return {row["name"]: row for row in record["rows"] if row["quality"] == QUALITY}


def _times(record: dict) -> dict[str, str]:
    """The machine, and the seconds of a quilt, of one network, and as copied."""
    rows, hardware = _rows(record), record["provenance"]["hardware"].split(",")[0]
    names = dict(ours="quilt", single="sirenlib.fit", copied="copied recipe, as copied")
    seconds = {key: number(rows[name]["seconds"], 2) for key, name in names.items()}
    return {"hardware": hardware} | seconds


def records(root: Path = ROOT) -> list[dict | None]:
    """The records of a CPU and of a GPU."""
    names = [f"time_to_quality{device}.json" for device in ("", "_cuda")]
    paths = [root / "benchmarks" / "results" / name for name in names]
    return [json.loads(p.read_text("utf-8")) if p.exists() else None for p in paths]


def write(root: Path = ROOT) -> None:
    """Write the paragraph between its marks on both pages."""
    found = records(root)
    for name, page in PAGES.items():
        put(root / name, "speed", sentence(*found, page))


if __name__ == "__main__":
    write()
