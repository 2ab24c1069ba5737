"""Recorded runs: each with its provenance and its own pictures."""

import json

import pytest
from measuring import ROOT

import sirenlib
from sirenlib import recorded, records

RESULTS = ROOT / "benchmarks" / "results"
NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_record_is_the_file_with_its_provenance(name):
    record = recorded(name)
    record.pop("pictures")
    assert record == json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    if name != "time_to_quality_steps":  # the single steps of two others
        known = {"hardware", "torch", "python", "date", "commit"}
        assert set(record["provenance"]) - {"instructions"} == known


def test_pictures_of_a_record_are_its_files_by_their_ends():
    pictures = recorded("full_run")["pictures"]
    assert pictures == {
        end: (RESULTS / f"full_run-{end}.png").read_bytes()
        for end in ("panels", "stages")
    }
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of records in which one name begins like another."""
    for name in ("run", "run2"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name}))
    for name in ("run-a", "run-b-c", "run2-a", "runaway", "other-run-a"):
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    (tmp_path / "run-notes.txt").write_text("no picture")
    monkeypatch.setattr(records, "files", lambda _: tmp_path)


def test_pictures_of_another_record_are_left_out(folder):
    assert recorded("run2") == {"name": "run2", "pictures": {"a": b"run2-a"}}
    assert set(recorded("run")["pictures"]) == {"a", "b-c"}


@pytest.mark.parametrize("name", ["ru", "run.json", "", "../run", "RUN"])
def test_unknown_record_names_those_that_there_are(folder, name):
    with pytest.raises(ValueError, match=r"no record is called .*: run, run2$"):
        recorded(name)


def test_recorded_is_public():
    assert sirenlib.recorded is recorded
