"""The page of benchmarks has what the committed records say."""

import json

import prose
import pytest
import tables
from chapters import ROOT

PROVENANCE = {"hardware": "A chip, 2 threads", "torch": "2.13", "commit": "abc1234"}
FIT = {"quality": 30, "name": "sirenlib.fit, 1 epoch", "parameters": 198401}
FIT |= {"epochs": 1, "steps": 64, "seconds": 2.0, "spread": [1.0, 3.0]}
FIT |= {"psnr": [30.5, 30.1, 29.9], "missed": 1, "over ours": 1.0}
MISSED = {"quality": 30, "name": "hash grid", "parameters": 198401}
MISSED |= {"epochs": "more than 40", "steps": "more than 160"}
MISSED |= {"seconds": "not reached"}
TUTORIAL = {"quality": 30, "name": "tutorial", "parameters": 198401, "steps": 1000}
TUTORIAL |= {"seconds a step": 1.5, "spread": [1.0, 2.0]}
TUTORIAL |= {"seconds": 1500.0, "times ours": 750.0}
ENDLESS = {"quality": 40, "name": "tutorial", "steps": "more than 700"}
ENDLESS |= {"seconds": "not reached", "times ours": None}
ENDLESS |= {"more than seconds": 1050.0, "more than times ours": 525.0}

RUNG = {"precision": "float32", "batch_size": 65536, "measured": 3}
RUNG |= {"milliseconds": 1384.0, "spread": [1200.0, 1500.0], "share_of_product": 0.561}
ROOFS = {"rows": 4096, "flop_per_second": {"float32": 9.7e10, "bfloat16": 2.1e11}}
STEPS = {
    "what": "cameraman 256x256, 2-256x4-1",
    "flop": 77_544_292_352,
    "roofs": ROOFS | {"bytes_per_second": 2.4e10},
    "rounds": 3,
    "rows": [
        RUNG | {"name": "eager", "share_of_bandwidth": 0.25},
        RUNG | {"name": "fit, compiled"},
        RUNG | {"name": "fit, bfloat16", "measured": 1},
        {"name": "fit, graph", "failed": "does not work here"},
    ],
}


def grown(side, width, way, seconds):
    times = {"seconds": seconds, "spread": [seconds, seconds], "measured": 3}
    sizes = {"side": side, "width": width, "way": way}
    return sizes | times | {"flop": 10**9, "peak_megabytes": 61.25}


GROWTH = [grown(side, 256, "chunks", 0.01) for side in (64, 256, 2048)]
GROWTH += [grown(64, 256, "whole", 0.02)]
GROWTH += [grown(256, width, "chunks", 0.03) for width in (64, 1024)]


@pytest.fixture
def results(tmp_path):
    """A function that puts a record into an empty folder and returns the page."""

    def put(name, record):
        record = {"provenance": PROVENANCE} | record
        (tmp_path / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
        return tables.page(tmp_path).replace("\N{NO-BREAK SPACE}", " ")

    return put


def row(page, start):
    """The cells of the first row that begins so."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_page_is_what_the_records_say():
    committed = (ROOT / "book" / "benchmarks.md").read_text(encoding="utf-8")
    stale = "book/benchmarks.md is not what the records say: run tools/tables.py"
    assert committed == tables.page(), stale


def test_page_without_records_says_so(tmp_path):
    page = tables.page(tmp_path)
    assert page.count("No run on a CPU has been recorded yet.") == 4
    assert page.count("No run on a GPU has been recorded yet.") == 4
    assert "|" not in page
    assert "in color" not in page


def test_quality_that_was_missed_is_printed_as_not_reached(results):
    page = results("time_to_quality", {"rows": [FIT, MISSED, TUTORIAL, ENDLESS]})
    assert row(page, "hash grid, more than 40 epochs")[1:] == [
        "198,401",
        "not reached",
        "",
    ]
    assert row(page, "tutorial, more than 700 steps")[1:] == ["not reached", r"\> 525"]


def test_quality_has_times_spread_and_ratio(results):
    page = results("time_to_quality", {"rows": [FIT, MISSED, TUTORIAL]})
    found = row(page, "sirenlib.fit, 1 epoch")
    assert found[2:] == ["2.00 (1.00 to 3.00); 1 of 3 below 30 dB", "1.00"]
    found = row(page, "tutorial, 1,000 steps")
    assert found[2:] == ["1,500 (1,000 to 2,000)", "750"]
    assert "Measured on A chip, 2 threads; PyTorch 2.13; commit abc1234." in page


@pytest.mark.parametrize("name", ["time_to_quality_color", "time_to_quality_cuda"])
def test_records_of_color_and_of_a_gpu_are_found(name, results):
    page = results(name, {"rows": [FIT]})
    assert ("in color" in page) == ("color" in name)
    assert ("**On a GPU**" in page) == ("cuda" in name)
    assert row(page, "sirenlib.fit")[2].startswith("2.00")


def test_steps_have_shares_and_roofs(results):
    page = results("steps", STEPS)
    assert "**On a CPU**: cameraman 256x256, 2-256x4-1." in page
    assert row(page, "eager") == ["eager", "1,380 (1,200 to 1,500)", "56 %", "25 %"]
    assert row(page, "fit, compiled")[2:] == ["56 %", ""]
    assert row(page, "fit, bfloat16")[1] == "1,380 (one run)"
    assert row(page, "fit, graph")[1] == "does not work here"
    assert "77.5 GFLOP in matrix products" in page
    assert "97.0 GFLOP/s in float32, 210 GFLOP/s in bfloat16" in page
    assert "24.0 GB/s" in page


def test_column_that_no_row_has_is_left_out(results):
    rows = [{"name": "eager", "milliseconds": 1384.0, "spread": [1200.0, 1500.0]}]
    page = results("steps", {"rows": rows})
    assert row(page, "eager") == ["eager", "1,380 (1,200 to 1,500)"]


def test_growth_has_a_table_by_pixels_and_one_by_width(results):
    page = results("growth_cuda", {"rows": GROWTH})
    assert row(page, "64²") == ["64²", "10.0", "61.2", "20.0", "61.2"]
    assert row(page, "2,048²") == ["2,048²", "10.0", "61.2", "", ""]
    table = page.split("256² pixels:")[1]
    widths = [row(table, width)[0] for width in ("64 ", "256 ", "1,024 ")]
    assert widths == ["64", "256", "1,024"]
    assert row(table, "1,024 ")[3] == "33.3 GFLOP/s"


@pytest.mark.parametrize("value", [0.0004, 0.05, 3.9, 99.96, 2257.6, 45_120])
def test_numbers_have_three_digits_and_no_power(value):
    text = tables._number(value)
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.005)
    assert "e" not in text


def test_links_of_the_page_lead_somewhere(results):
    page = results("steps", STEPS)
    links = [t.attrs["href"] for t in prose.tokens(page) if t.type == "link_open"]
    assert len(links) == 1
    file, anchor = links[0].split("#")
    assert anchor in prose.anchors(ROOT / "book" / file)
