"""What the benchmarks compute beside their times."""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import growth
import provenance
import pytest
import steps
import timing
import torch
from torch.utils.flop_counter import FlopCounterMode

import sirenlib
from sirenlib import Siren

NETWORKS = [(2, 256, 3, 1), (2, 64, 2, 3), (1, 32, 0, 2)]
CPU = torch.device("cpu")


def backward(model, points=512):
    """Forward and backward once, on a signal of noise."""
    generator = torch.Generator().manual_seed(0)
    coords = torch.rand(points, model.in_features, generator=generator)
    values = torch.rand(points, model.out_features, generator=generator)
    ((model(coords) - values) ** 2).mean().backward()


@pytest.mark.parametrize("sizes", NETWORKS)
def test_formula_counts_the_operations_of_a_pass(sizes):
    model = Siren(*sizes)
    with FlopCounterMode(display=False) as counter:
        backward(model)
    first = 4 * sizes[0] * sizes[1]  # no matrix product, so it is not counted
    assert counter.get_total_flops() == steps.flop_a_pass(model, 512) - 512 * first


@pytest.mark.parametrize("hidden_layers", [2, 3, 4])
def test_eager_pass_moves_as_many_vectors_as_chapter_11_counts(hidden_layers):
    model, points = Siren(2, 64, hidden_layers, 1), 2**14
    found = steps.bytes_of(lambda: backward(model, points))
    vectors = 18 * hidden_layers + 5 * 2 + 14
    assert found == pytest.approx(vectors * points * 64 * 4, rel=0.01)


def test_bytes_of_views_do_not_count():
    x, y = torch.zeros(8, 4), torch.zeros(4, 8)
    assert steps.bytes_of(lambda: x.T.add_(y)) == 3 * 8 * 4 * 4


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_rungs_are_different_settings(device):
    for points in (256**2, 512**2):
        found = steps.rungs(points, torch.device(device))
        settings = [json.dumps(recipe) for recipe in found.values()]
        assert len(set(settings)) == len(settings)
        assert all(recipe["batch_size"] <= points for recipe in found.values())
        assert ("fit, tf32" in found) == (device == "cuda")


def test_steps_make_a_record(monkeypatch):
    works = steps.rungs(64, CPU)["fit, one chunk"]
    fails = works | {"engine": "graph"}  # as a compiler that is not there
    some = {"works": works, "fails": fails}
    monkeypatch.setattr(steps, "rungs", lambda points, device: some)
    monkeypatch.setattr(steps, "copy", lambda elements, device: torch.rand(1).sin)
    monkeypatch.setattr(steps, "runs_for", lambda once: 1)
    record = steps.measure(sirenlib.cameraman(8), rounds=3)
    asking, eager, fit, none = record["rows"]
    assert asking["name"] == "eager, coordinates ask for gradients"
    assert asking["bytes"] > eager["bytes"] > 0
    assert fit["spread"][0] <= fit["milliseconds"] <= fit["spread"][1]
    per_second = 1000 * record["flop"] / fit["milliseconds"]
    assert fit["flop_per_second"] == pytest.approx(per_second, rel=0.01)
    assert none["failed"] == "does not work here"


def test_slow_rung_is_measured_once(monkeypatch):
    taken = {"first": 1.0, "slow": 11.0, "fast": 0.1}
    monkeypatch.setattr(steps, "seconds", lambda function, *_: taken[function])
    times = steps.in_turns({name: name for name in taken}, "first", 4, CPU)
    assert {name: len(found) for name, found in times.items()} == {
        "first": 4,
        "slow": 1,
        "fast": 4,
    }


def test_peak_of_memory_is_that_of_the_function():
    code = "import torch, timing; work = lambda: torch.ones(2**24)\n"
    code += "print(timing.peak_megabytes(work, torch.device('cpu')))"
    folder = Path(timing.__file__).parent
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    assert float(run.stdout) == pytest.approx(64, abs=4)


class Machine:
    """Works that take a turn each, on a machine that is slow in some turns."""

    def __init__(self, slow):
        self.slow, self.turn, self.done = slow, 0, []

    def reference(self):
        """Its seconds: those of the turn that it begins."""
        return self.slow.get(self.turn, 1.0)

    def work(self, name):
        self.done.append(name)
        self.turn += 1
        return name, self.turn


def measured(slow, **options):
    machine = Machine(slow)
    works = [partial(machine.work, name) for name in "abcdef"]
    return machine, *timing.undisturbed(works, machine.reference, **options)


def test_undisturbed_works_are_done_once_and_in_order():
    machine, results, report = measured({2: 1.14})
    assert results == [(name, n + 1) for n, name in enumerate("abcdef")]
    assert machine.done == list("abcdef")
    assert report == {
        "works": 6,
        "repeated": 0,
        "still disturbed": 0,
        "references": 7,
        "reference seconds": [1.0, 1.0, 1.14],
    }


def test_disturbed_works_are_repeated_at_the_end():
    # The reference between the second and the third work is slow.
    machine, results, report = measured({2: 1.16})
    assert machine.done == [*"abcdef", "b", "c"]
    assert results[1:4] == [("b", 7), ("c", 8), ("d", 4)]
    assert (report["repeated"], report["still disturbed"]) == (2, 0)


def test_repetition_ends():
    slow = {turn: 3.0 for turn in range(7, 20)}
    machine, results, report = measured({2: 3.0} | slow, again=2)
    assert machine.done == [*"abcdef", *"bc", *"bc"]
    assert report["repeated"] == 4
    assert report["still disturbed"] == 2
    assert results[1] == ("b", 9)  # the latest


def test_clock_of_the_processor_does_not_run_while_one_waits():
    cpu, passed = timing.both_seconds(lambda: time.sleep(0.05), CPU)
    assert passed >= 0.05 > 0.04 > cpu


def test_reference_is_a_fixed_work_of_a_moment():
    assert 0.005 < timing.reference(CPU) < 5


def test_record_of_changed_code_is_refused(monkeypatch):
    for status, refused in [(" M sirenlib/siren.py", True), ("", False)]:
        said = {"status": status, "log": "abc1234"}
        monkeypatch.setattr(
            provenance, "_git", lambda *asked, said=said: said[asked[0]]
        )
        if refused:
            with pytest.raises(RuntimeError, match="commit first, or give --draft"):
                provenance.provenance(CPU)
        else:
            found = provenance.provenance(CPU)
            assert found["commit"] == "abc1234"
            capability = torch.backends.cpu.get_cpu_capability()
            assert found["instructions"].split()[0] == capability


def test_flags_of_bfloat16_are_named(monkeypatch):
    flags = "flags : fpu avx2 avx512f avx512_bf16 amx_tile amx_bf16 avx512_vnni"
    monkeypatch.setattr(provenance, "cpuinfo", lambda: f"{flags}\n{flags}\n")
    found = provenance._instructions().split()[1:]
    assert found == ["amx_bf16", "amx_tile", "avx512_bf16"]


def test_pieces_of_a_mosaic_are_as_varied_at_every_size():
    small, large = (growth.mosaic(side) for side in (64, 256))
    assert (small.shape, large.shape) == ((64, 64), (256, 256))
    colored = growth.mosaic(256, color=True).values
    assert colored.shape == (256**2, 3) and float(colored.std(dim=1).mean()) > 0.03
    # The edges of the pieces lie in the middle of the quilt's tiles.
    picture = large.values.reshape(256, 256).roll((-16, -16), (0, 1))
    whole = picture.reshape(8, 32, 8, 32).swapaxes(1, 2).reshape(64, -1)
    assert len(torch.unique(whole, dim=0)) > 60
    inside = whole.reshape(-1, 32, 32)
    assert -1 <= float(whole.min()) < -0.5 < 0.5 < float(whole.max()) <= 1
    # A piece is a piece: neighbors within one are nearer than across two.
    within = (inside[:, :, 1:] - inside[:, :, :-1]).abs().mean()
    across = (picture[:, 32::32] - picture[:, 31:-1:32]).abs().mean()
    assert across > 2 * within


def test_growth_of_a_quilt_is_measured_by_whole_fits():
    row, colored = (growth.measure_quilt(64, 2, CPU, color) for color in (False, True))
    assert (row["points"], row["epochs"]) == (4096, 2)
    assert colored["parameters"] > row["parameters"] and colored["psnr"] > 8
    assert row["seconds"] > 0 and row["psnr"] > 8
    assert row["parameters"] > 1000


def test_growth_has_every_size_once():
    found = growth.configurations()
    assert len(found) == 21 and found[-1] == growth.HUGE
    quilts = [one["side"] for one in found if one["way"] == "quilt"]
    assert quilts == [64, 128, 256, 512, 1024, 2048]
    assert all(one not in found[:i] for i, one in enumerate(found))
    sides = [one["side"] for one in found if one["way"] == "chunks"]
    assert sides[:6] == [64, 128, 256, 512, 1024, 2048]
    whole = [one["side"] for one in found if one["way"] == "whole"]
    assert whole == [64, 128, 256, 512]
    widths = {one["width"] for one in found if one["side"] == 256} - {None}
    assert widths == {64, 128, 256, 512, 1024}


def test_whole_picture_is_one_chunk():
    assert growth.recipe(128, "whole")["chunk_size"] == 128**2
    assert growth.recipe(128, "chunks")["chunk_size"] is None
    assert growth.recipe(128, "chunks")["batch_size"] == 128**2


def test_growth_measures_time_and_memory():
    row = growth.measure(16, 8, "chunks", CPU, repeats=2)
    assert row["points"] == 256
    assert row["flop"] == 256 * (6 * (16 + 3 * 64 + 8) - 2 * 16)
    assert row["seconds"] > 0
    assert row["peak_megabytes"] >= 0
