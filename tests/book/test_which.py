"""Each row of "What to use for which job" names its evidence."""

import re

import prose
import pytest
from chapters import ROOT

PAGE = ROOT / "book" / "which.md"
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", PAGE.read_text("utf-8"), re.M)[2:]


@pytest.mark.parametrize("row", ROWS, ids=[job for job, _, _ in ROWS])
def test_row_has_its_evidence(row):
    """A section of a chapter, or a table of the benchmarks."""
    links = re.findall(r"\]\(([^)#]+)#([^)]+)\)", row[2])
    assert links, "link the section or the table that shows it"
    for file, anchor in links:
        assert file == "benchmarks.md" or re.match(r"\d\d_", file)
        assert anchor in prose.anchors(ROOT / "book" / file)


def test_there_are_rows():
    assert len(ROWS) >= 8
