"""Say on the first page and in the README how fast a picture is learned.

The sentence is made from the record of ``benchmarks/time_to_quality.py``, with its
machine. `make execute` writes it.
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
caches. The [benchmarks]({page}) have the others.
"""


def sentence(record: dict, page: str) -> str:
    """The paragraph, with the page that it links."""
    [shape] = record["fitted"].values()
    rows = {row["name"]: row for row in record["rows"] if row["quality"] == QUALITY}
    copied = rows["copied recipe, as copied"]
    in_chunks = rows["copied recipe, chunks of 4,096"]
    text = SENTENCE.format(
        hardware=record["provenance"]["hardware"].split(",")[0],
        shape=" × ".join(map(str, shape)),
        quality=QUALITY,
        ours=number(rows["quilt"]["seconds"], 2),
        single=number(rows["sirenlib.fit"]["seconds"], 2),
        copied=number(copied["seconds"], 2),
        ratio=number(copied["over"]["quilt"], 2),
        chunks=number(in_chunks["over"]["quilt"], 2),
        page=page,
    )
    return fill(text, 88, break_on_hyphens=False, break_long_words=False) + "\n"


def write(root: Path = ROOT) -> None:
    """Write the paragraph between its marks on both pages."""
    path = root / "benchmarks" / "results" / "time_to_quality.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for name, page in PAGES.items():
        put(root / name, "speed", sentence(record, page))


if __name__ == "__main__":
    write()
