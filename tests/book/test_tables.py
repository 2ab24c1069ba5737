"""The page of benchmarks has what the committed records say."""

import itertools
import json
import re

import cells
import ladders
import prose
import pytest
import tables
from chapters import ROOT

PROVENANCE = {"hardware": "A chip, 2 threads", "torch": "2.13", "commit": "abc1234"}


def timed(name, seconds, each=None, bound="", over=None):
    row = {"picture": "cameraman", "quality": 30, "name": name, "parameters": 198401}
    row |= {"seconds": seconds, "each": each or [seconds], "bound": bound}
    return row | {"over": over or {}}


def climbed(name, numbers, paper=""):
    one = {"picture": "cameraman", "name": name, "parameters": numbers}
    one |= {"paper": paper, "code": paper and f"{paper}/code"}
    one["ladder"] = {"seconds": [1.0, 2.0], "psnr": [28.0, 33.0]}
    return one | {"fits": [{"seconds": 1.0, "psnr": 28.0}]}


TUTORIAL = {"picture": "cameraman", "name": "tutorial", "parameters": 198401}
TUTORIAL |= {"paper": "https://x.y/c", "code": ""}
TUTORIAL |= {"curve": {"step": [0, 5, 10], "psnr": [5.0, 9.0, 12.0]}}
TUTORIAL |= {"seconds a step": {"as copied": [1.0, 3.0, 2.0]}}
QUALITIES = {
    "fitted": {"cameraman": [256, 256]},
    "clock": "CPU seconds of one thread",
    "seeds": 3,
    "limit": 40,
    "disturbed": {
        "works": 1040,
        "repeated": 7,
        "still disturbed": 1,
        "references": 1048,
        "reference seconds": [0.1, 0.11, 0.2],
    },
    "contenders": [
        climbed("quilt", 198401),
        climbed("sirenlib.fit", 198401, "https://x.y/a"),
        climbed("hash grid", 763987, "https://x.y/b"),
    ],
    "references": [TUTORIAL],
    "rows": [
        timed("quilt", 2.0, [2.0, 2.1, 1.95], over={"quilt": 1, "sirenlib.fit": 0.25}),
        timed("sirenlib.fit", 8.0, [8.0, None, 6.0], over={"quilt": 4.0}),
        timed("hash grid", 0.5, bound="at most", over={"quilt": 0.25}),
        timed("tutorial, as copied", 1456.7, over={"quilt": 728.35}),
        timed(
            "tutorial, chunks of 4,096", 800.0, bound="more than", over={"quilt": 4e2}
        ),
    ],
}

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


def test_times_to_all_qualities_are_one_table(results):
    higher = [one | {"quality": 35, "seconds": 9.0} for one in QUALITIES["rows"]]
    page = results("time_to_quality", QUALITIES | {"rows": QUALITIES["rows"] + higher})
    assert row(page, "network") == ["network", "parameters", "30 dB", "35 dB"]
    assert row(page, "quilt") == ["quilt", "198,401", "2.0", "9.0"]
    assert row(page, "hash grid")[2:] == ["at most 0.50", "at most 9.0"]


def test_quality_has_times_spread_and_ratios(results):
    page = results("time_to_quality", QUALITIES).split("<details>")[1]
    assert row(page, "quilt") == [
        "quilt",
        "198,401",
        "2.00 (1.95 to 2.10)",
        "1.0",
        "0.25",
    ]
    found = row(page, "sirenlib.fit")
    assert found[2:] == ["8.0 (6.0 to 8.0); 1 of 3 not reached", "4.0", ""]
    assert row(page, "hash grid")[2:] == ["at most 0.50", r"\< 0.25", ""]
    assert row(page, "tutorial, as copied")[2:] == ["1,500", "730", ""]
    chunks = row(page, "tutorial, chunks of 4,096")
    assert chunks[2:] == ["more than 800", r"\> 400", ""]
    assert "Measured on A chip, 2 threads; PyTorch 2.13; commit abc1234." in page


def test_bound_of_ours_turns_the_sign(results):
    bounded = QUALITIES["rows"][0] | {"bound": "at most"}
    page = results(
        "time_to_quality", QUALITIES | {"rows": [bounded, *QUALITIES["rows"][1:]]}
    )
    page = page.split("<details>")[1]
    assert row(page, "quilt")[3] == "1.0"
    assert row(page, "tutorial, as copied")[3] == r"\> 730"


def test_text_says_how_often_and_how_undisturbed(results):
    page = results("time_to_quality", QUALITIES)
    assert "Times are CPU seconds of one thread, the medians of 3 seeds." in page
    assert "Of 1,040 fits and steps" in page
    assert "7 repetitions, and 1 stayed disturbed" in page
    assert "0.11 seconds (0.10 to 0.20)" in page
    page = results("time_to_quality", QUALITIES | {"seeds": 1})
    assert "Times are CPU seconds of one thread, of one fit each." in page


def test_more_parameters_are_said(results):
    page = results("time_to_quality", QUALITIES)
    assert "Of parameters hash grid has 3.9 times as many as the single" in page
    few = [climbed(name, 198401) for name in ("quilt", "sirenlib.fit")]
    page = results("time_to_quality", QUALITIES | {"contenders": few})
    assert "times as many" not in page


def test_networks_are_linked_to_their_sources(results):
    page = results("time_to_quality", QUALITIES)
    links = [t.attrs["href"] for t in prose.tokens(page) if t.type == "link_open"]
    assert links[0] == "race.md" and links[1:5] == [
        "https://x.y/a",
        "https://x.y/a/code",
        "https://x.y/b",
        "https://x.y/b/code",
    ]
    assert "[code]()" not in page


def test_page_opens_with_the_picture_and_what_it_shows(results):
    page = results("time_to_quality", QUALITIES)
    top = page.split("How long does it take")[0]
    assert (
        "```{image} benchmarks.png\n:alt: PSNR in decibels against CPU seconds" in top
    )
    sentence = (
        "In CPU seconds of one thread the cameraman reaches 30 dB after 0.50 with hash "
        "grid, 2.0 with quilt, 8.0 with sirenlib.fit and 1,500 with tutorial (as "
        "copied)."
    )
    assert top.count(sentence) == 2  # it ends the alternative text, too


def test_sentence_is_of_the_highest_quality_that_is_reached(results):
    higher = [one | {"quality": 40, "bound": "more than"} for one in QUALITIES["rows"]]
    page = results("time_to_quality", QUALITIES | {"rows": QUALITIES["rows"] + higher})
    assert "the cameraman reaches 30 dB after" in page
    assert "reaches 40 dB" not in page


@pytest.mark.parametrize("task", ["_color", "_cuda", "_color_cuda"])
def test_records_of_color_and_of_a_gpu_are_found(task, results):
    page = results(name := f"time_to_quality{task}", QUALITIES)
    # Each record has its own picture.
    assert re.findall(r"{image} (.*)", page) == [
        f"benchmarks{task.replace('_', '-')}.png"
    ]
    assert ("in color" in page) == ("color" in name)
    assert ("**On a GPU**" in page) == ("cuda" in name)
    assert row(page, "sirenlib.fit")[2].startswith("8.0")


def test_pictures_are_those_of_the_records():
    for path, record in tables.pictures().items():
        assert ladders.is_fresh(record, path), f"{path} is stale: run tools/tables.py"


def test_picture_is_drawn_anew_for_another_record_only(tmp_path):
    path = tmp_path / "picture.png"
    ladders.write(QUALITIES, path)
    assert ladders.is_fresh(QUALITIES, path)
    drawn = path.stat().st_mtime_ns
    ladders.write(QUALITIES, path)
    assert path.stat().st_mtime_ns == drawn
    assert not ladders.is_fresh(QUALITIES | {"seeds": 4}, path)


def test_picture_has_a_line_for_each_network_with_its_name():
    figure = ladders.draw(QUALITIES)
    [axes] = figure.axes
    lines = [line.get_xydata().tolist() for line in axes.lines]
    assert lines == [[[1, 28], [2, 33]]] * 3 + [[[10, 9], [20, 12]]]
    names = ["quilt", "sirenlib.fit", "hash grid", "tutorial"]
    assert sorted(text.get_text() for text in axes.texts) == sorted(names)
    heights = sorted(text.xyann[1] for text in axes.texts)
    bottom, top = axes.get_ylim()
    gap = min(b - a for a, b in itertools.pairwise(heights)) / (top - bottom)
    assert gap >= ladders.GAP - 1e-9 and gap >= 0.04
    assert axes.get_xscale() == "log"


def test_steps_have_shares_and_roofs(results):
    page = results("steps", STEPS)
    assert "**On a CPU**: cameraman 256x256, 2-256x4-1." in page
    assert row(page, "eager") == ["eager", "1,380 (1,200 to 1,500)", "56 %", "25 %"]
    assert "Medians of 3 rounds." in page
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
    assert "A quilt" not in page


def test_growth_of_a_quilt_has_a_table_of_its_own(results):
    quilt = grown(64, None, "quilt", 1.5) | {"epochs": 6, "parameters": 13668}
    quilt |= {"psnr": 38.04}
    huge = grown(4096, None, "quilt in color", 80.0)
    huge |= {"epochs": 1, "parameters": 75_012_345, "psnr": 28.5}
    page = results("growth", {"rows": [*GROWTH, quilt, huge]})
    assert "of 4,096² pixels: 75 million parameters, 80.0 seconds an" in page
    table = page.split("A quilt, one fit of 6 epochs at each size:")[1]
    assert row(table, "64²") == ["64²", "13,668", "1.50", "38.0", "61.2"]
    assert row(page, "64²")[1] == "10.0"


@pytest.mark.parametrize("value", [0.0004, 0.05, 3.9, 99.96, 2257.6, 45_120])
def test_numbers_have_three_digits_and_no_power(value):
    for digits, error in [(3, 0.005), (2, 0.05)]:
        text = cells.number(value, digits)
        assert float(text.replace(",", "")) == pytest.approx(value, rel=error)
        assert "e" not in text and not text.endswith(".")


def test_links_of_the_page_lead_somewhere(results):
    page = results("steps", STEPS)
    links = [t.attrs["href"] for t in prose.tokens(page) if t.type == "link_open"]
    race, derivatives = links
    assert race == "race.md" and (ROOT / "book" / race).is_file()
    file, anchor = derivatives.split("#")
    assert anchor in prose.anchors(ROOT / "book" / file)
