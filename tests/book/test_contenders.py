"""The networks of the side-by-side benchmark, and the ladders that they climb."""

import json
import math
from functools import partial

import pytest
import torch

import sirenlib
from sirenlib import Siren, coordinate_grid

pytest.importorskip("siren_pytorch", reason="`make bench` installs it")
import provenance
import time_to_quality
import tune
from contenders import (
    COLOR,
    GRAY,
    REFERENCES,
    Contender,
    Finer,
    FourierFeatures,
    HashGrid,
)
from steps import tutorial_pass
from time_to_quality import Fit, Task, time_to


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def filled(**options):
    """A hash grid with numbers worth interpolating: its own are 1e-4."""
    grid = HashGrid(1, generator=seeded(), **options)
    torch.nn.init.normal_(grid.table, generator=seeded(1))
    return grid


def vertices(grid, level):
    """All vertices of a level as ``encode`` names them: ``(vertices, levels, 2)``."""
    side = int(grid.resolution[level]) + 1
    vertex = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    return vertex[:, None, :].expand(-1, len(grid.resolution), -1)


# The hash grid


def test_resolutions_grow_geometrically():
    grid = HashGrid(1, finest=256, coarsest=16, levels=5)
    assert grid.resolution.tolist() == [16, 32, 64, 128, 256]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_hash_grid_is_exact_at_its_vertices(level):
    grid = filled(finest=16, coarsest=4, levels=3, table_size=64)
    vertex = vertices(grid, level)
    coords = 2 * vertex[:, 0, :] / grid.resolution[level] - 1
    found = grid.encode(coords)[:, level]
    assert torch.allclose(found, grid.table[grid.row(vertex)[:, level]], atol=1e-5)


def test_hash_grid_interpolates_bilinearly():
    grid = filled(finest=16, coarsest=4, levels=3, table_size=64)
    coords = 2 * torch.rand(100, 2, generator=seeded()) - 1
    for level, side in enumerate(grid.resolution.tolist()):
        corners = grid.table[grid.row(vertices(grid, level))[:, level]]
        picture = corners.reshape(1, side + 1, side + 1, -1).permute(0, 3, 1, 2)
        expected = torch.nn.functional.grid_sample(
            picture, coords.flip(-1)[None, None], align_corners=True
        )
        found = grid.encode(coords)[:, level].T
        assert torch.allclose(found, expected[0, :, 0], atol=1e-5)


def test_only_fine_levels_share_rows():
    grid = HashGrid(1, finest=32, coarsest=4, levels=4, table_size=128)
    assert grid.resolution.tolist() == [4, 8, 16, 32]
    taken = []
    for level, points in enumerate([25, 81, 289, 1089]):
        rows = grid.row(vertices(grid, level))[:, level].unique()
        assert len(rows) == points if points <= 128 else len(rows) <= 128
        taken.append(rows)
    together = torch.cat(taken)
    assert len(together.unique()) == len(together)  # no level has rows of another
    assert int(together.max()) < len(grid.table)


def test_hash_is_the_one_of_the_paper():
    grid = HashGrid(1, finest=512, coarsest=512, levels=2, table_size=2**14)
    vertex = torch.tensor([[[301, 77], [301, 77]]])
    slot = (301 ^ (77 * 2_654_435_761)) % 2**14
    assert grid.row(vertex).tolist() == [[slot, 2**14 + slot]]


# Fourier features


def test_frequencies_have_the_stated_deviation():
    model = FourierFeatures(1, sigma=10.0, frequencies=4096, generator=seeded())
    # Of 8192 normal numbers: a standard error of 10/sqrt(2*8192) = 0.08.
    assert float(model.frequencies.std()) == pytest.approx(10, abs=0.4)


def test_inner_product_of_features_is_a_gaussian_of_the_distance():
    sigma, count = 10.0, 4096
    model = FourierFeatures(1, sigma=sigma, frequencies=count, generator=seeded())
    distance = torch.linspace(0, 0.1, 21)  # a unit is half a picture
    coords = torch.stack([distance, torch.zeros(21)], -1)
    features = model.features(coords)
    kernel = features @ features[0] / count
    expected = torch.exp(-((math.pi * sigma * distance) ** 2) / 2)
    assert torch.allclose(kernel, expected, atol=5 / math.sqrt(count))


# FINER


def test_finer_is_the_formula():
    model = Finer(2, 8, 0, 1, first_omega_0=7.0, generator=seeded())
    coords = coordinate_grid(5, 5)
    first, last = model.net
    z = first.linear(coords)
    expected = last(torch.sin(7.0 * (z.abs() + 1) * z))
    assert torch.equal(model(coords), expected)


def test_no_gradient_flows_through_the_factor_of_finer():
    model = Finer(1, 1, 0, 1, first_omega_0=3.0, generator=seeded())
    x = torch.tensor([[0.7]], requires_grad=True)
    model(x).backward()
    first, last = (layer.weight for layer in (model.net[0].linear, model.net[1]))
    z = model.net[0].linear(x)
    rate = 3.0 * (z.abs() + 1)  # d(rate * z)/dz with the rate held
    expected = last * torch.cos(rate * z) * rate * first
    assert torch.allclose(x.grad, expected)


def test_finer_starts_as_the_siren_does():
    ours, theirs = (kind(2, 16, 1, 3, generator=seeded()) for kind in (Siren, Finer))
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, theirs.state_dict()[name])


# All contenders


@pytest.mark.parametrize("contender", GRAY, ids=lambda contender: contender.name)
def test_contender_learns_a_small_picture(contender):
    signal = sirenlib.cameraman(32)
    small = Contender("", contender.make, lr=contender.lr, batch_size=64)
    # Seeds 0, 1 and 2 reached 36.3 dB and more.
    assert Fit("", small, epochs=20, seed=0)(signal)["psnr"] > 33


@pytest.mark.parametrize("contenders, channels", [(GRAY, 1), (COLOR, 3)])
def test_all_networks_have_the_size_that_is_stated(contenders, channels):
    picture = torch.zeros(256, 256, channels).numpy()
    signal = sirenlib.image_signal(picture)
    for one in [*contenders[1:], *REFERENCES.values()]:  # a quilt has a rule of its own
        model = one.make(signal, seeded())
        assert model(signal.coords[:2]).shape == (2, channels)
        count = time_to_quality.number_of_parameters(model)
        assert 130_000 < count < 260_000, one.name


def test_color_leaves_out_what_is_the_single_network_again():
    names = [one.name for one in GRAY if not one.name.startswith("siren-pytorch")]
    assert [one.name for one in COLOR] == names


def test_every_rival_has_its_sources():
    for one in [*GRAY[1:], *COLOR[1:], *REFERENCES.values()]:
        assert one.paper.startswith("https://arxiv.org/abs/"), one.name
        assert one.code.startswith("https://github.com/"), one.name


def test_generator_decides_the_weights():
    signal = sirenlib.cameraman(32)
    for contender in GRAY:
        one, same, other = (contender.make(signal, seeded(n)) for n in (0, 0, 1))
        outputs = [model(signal.coords[:9]) for model in (one, same, other)]
        assert torch.equal(outputs[0], outputs[1])
        assert not torch.equal(outputs[0], outputs[2])


def test_rivals_are_tuned_one_option_after_the_other():
    tried = []

    def score(settings):
        tried.append(settings)
        return -abs(settings["a"] - 2) - 3 * abs(settings["b"] - settings["a"])

    # From b = 1 the best a is 1; beside it b = 2 is worse, though both at 2 are best.
    assert tune.tune(score, {"a": (1, 2), "b": (1, 2)}) == {"a": 1, "b": 1}
    assert len(tried) == 3


def test_grid_of_a_rival_begins_with_settings_that_it_takes():
    signal = sirenlib.cameraman(32)
    for make, grid in tune.RIVALS.values():
        first = {name: values[0] for name, values in grid.items()}
        told = {first.pop(name) for name in ("lr", "batch_size")}
        assert len(told) == 2
        assert make(signal, seeded(), **first)(signal.coords[:2]).shape == (2, 1)


# A rung


def test_last_evaluation_does_not_count(monkeypatch):
    clock = [0.0]

    def takes(seconds, result=None):
        def work(*_, **__):
            clock[0] += seconds
            return result

        return work

    def both(work, _):
        before = clock[0]
        work()
        return clock[0] - before, 2 * (clock[0] - before)

    monkeypatch.setattr(time_to_quality.sirenlib, "fit", takes(7.0))
    monkeypatch.setattr(time_to_quality.sirenlib, "signal_psnr", takes(2.0, 33.0))
    monkeypatch.setattr(time_to_quality, "both_seconds", both)
    one = Contender("", lambda _, g: network(g))
    found = Fit("", one, epochs=3, seed=4)(sirenlib.cameraman(8))
    assert found == {"epochs": 3, "seed": 4, "seconds": 5, "wall": 10, "psnr": 33}


def test_fit_is_told_the_settings_and_the_seed(monkeypatch):
    told = []
    made = []
    fit = lambda *_, **options: told.append(options)  # noqa: E731
    monkeypatch.setattr(time_to_quality.sirenlib, "fit", fit)
    one = Contender("", lambda _, g: made.append(g) or network(g), lr=2e-3)
    Fit("", one, epochs=3, seed=4)(sirenlib.cameraman(8))
    assert made[0].initial_seed() == 4
    assert told[0].pop("generator") is made[0]
    assert told == [{"epochs": 3, "lr": 2e-3, "batch_size": None}]


def test_step_in_chunks_is_the_step_of_the_tutorials():
    signal, models = sirenlib.cameraman(8), [network(seeded()) for _ in range(2)]
    whole = tutorial_pass(models[0], signal, ask_for_gradients=True)
    chunks = time_to_quality.chunked_pass(models[1], signal, chunk_size=10)
    before = (models[1](signal.coords) - signal.values).square().mean().detach()
    assert float(chunks()) == pytest.approx(float(before), rel=1e-5)
    whole()
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_rungs_stay_below_the_limit(monkeypatch):
    took = iter([9.0, 2.0])  # the first one loads
    monkeypatch.setattr(Fit, "__call__", lambda *_: {"seconds": next(took)})
    task = Task({}, [], seeds=1, ladder=(1, 2, 4, 8, 16), limit=8.0)
    assert time_to_quality.affordable("", GRAY[0], None, task) == [1, 2, 4]


def test_contenders_take_turns_within_a_rung_and_rungs_within_a_seed(monkeypatch):
    monkeypatch.setattr(Fit, "__call__", lambda *_: {"seconds": 0.0})
    two = [Contender("a", None), Contender("b", None)]
    reference = Contender("c", None)
    task = Task({}, two, 2, ladder=(1, 2), limit=1.0, references={"c": reference})
    found = time_to_quality.works(task, {"picture": None})
    first = [(one.contender.name, getattr(one, "epochs", 0)) for one in found[:6]]
    assert first == [("c", 0), ("c", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert [one.chunks for one in found[:2]] == [False, True]
    assert [one.seed for one in found] == [0] * 6 + [1] * 6


# From ladders to times

LADDER = [(1.0, 28.0), (2.0, 32.0), (8.0, 36.0)]


@pytest.mark.parametrize(
    "quality, seconds, bound",
    [
        (27, 1.0, "at most"),
        (30, math.sqrt(2), ""),  # halfway between 28 and 32, in the logarithm
        (32, 2.0, ""),
        (35, 2 * 4**0.75, ""),
        (37, 8.0, "more than"),
    ],
)
def test_time_to_a_quality_is_read_off_between_two_rungs(quality, seconds, bound):
    found = time_to(LADDER, quality)
    assert found == (pytest.approx(seconds), bound)


def test_time_is_that_of_the_first_crossing():
    assert time_to([(1.0, 29.0), (2.0, 31.0), (4.0, 25.0)], 31) == (2.0, "")


def test_decibels_after_some_seconds_undo_it():
    for seconds in (2.5, 8.0, 16.0):
        psnr = time_to_quality.decibels_at(LADDER, seconds)
        assert psnr == pytest.approx(32 + 2 * math.log2(seconds / 2))


def test_ladder_is_of_the_medians_at_each_rung():
    fits = [fitted(1, s, t, p) for s, (t, p) in enumerate([(1, 30), (2, 31), (9, 20)])]
    fits += [fitted(2, 0, 4, 33)]
    assert time_to_quality.medians(fits) == [(2, 30), (4, 33)]


def fitted(epochs, seed, seconds, psnr):
    return {"epochs": epochs, "seed": seed, "seconds": seconds, "psnr": psnr}


def climbed(name, pace, psnr=(28, 32, 36)):
    """Three rungs of two seeds; the second one takes twice the time."""
    fits = [
        fitted(epochs, seed, pace * epochs * (1 + seed), decibels)
        for seed in (0, 1)
        for epochs, decibels in zip((1, 2, 4), psnr, strict=True)
    ]
    return {"picture": "p", "name": name, "parameters": 5, "fits": fits}


def rows(quality, *contenders):
    steps = {"30": 10, "35": 40, "40": None}
    pace = {"as copied": [1.0, 3.0, 2.0], "chunks of 4": [0.5, 0.5, 0.5]}
    tutorial = {"picture": "p", "name": "tutorial", "parameters": 7, "curve": {}}
    tutorial |= {"steps": steps, "limit": 50, "seconds a step": pace}
    found = time_to_quality.rows_of(list(contenders), [tutorial])
    return {row["name"]: row for row in found if row["quality"] == quality}


def test_rows_have_medians_over_seeds_and_each_seed():
    quilt, single = climbed("quilt", 1.0), climbed("sirenlib.fit", 4.0)
    found = rows(30, quilt, single)["sirenlib.fit"]
    # Rungs of 6 and 12 seconds in the median; 4 and 8, 8 and 16 of each seed.
    assert found["seconds"] == pytest.approx(6 * math.sqrt(2))
    assert found["each"] == pytest.approx([4 * math.sqrt(2), 8 * math.sqrt(2)])
    assert found["over"] == {"quilt": pytest.approx(4), "sirenlib.fit": 1}
    assert found["parameters"] == 5


def test_reference_has_both_ratios():
    quilt, single = climbed("quilt", 1.0), climbed("sirenlib.fit", 4.0)
    found = rows(35, quilt, single)
    mine = found["quilt"]["seconds"]
    copied, chunks = found["tutorial, as copied"], found["tutorial, chunks of 4"]
    assert (copied["seconds"], copied["each"]) == (80.0, [40.0, 120.0, 80.0])
    assert copied["over"]["quilt"] == 80 / mine
    assert chunks["over"]["quilt"] == 20 / mine
    assert (copied["steps"], copied["bound"]) == (40, "")


def test_what_is_not_reached_is_a_bound():
    low, fast = climbed("low", 1.0, (20, 21, 22)), climbed("quilt", 1.0)
    found = rows(35, low, fast, climbed("sirenlib.fit", 1.0, (20, 21, 22)))
    assert (found["low"]["seconds"], found["low"]["bound"]) == (6.0, "more than")
    assert found["low"]["each"] == [None, None]
    # Over the quilt a lower bound; of two times that are not known, nothing.
    assert set(found["low"]["over"]) == {"quilt"}
    assert set(found["sirenlib.fit"]["over"]) == {"quilt", "sirenlib.fit"}
    found = rows(40, low, fast, climbed("sirenlib.fit", 1.0))["tutorial, as copied"]
    assert (found["seconds"], found["bound"]) == (100.0, "more than")
    assert found["each"] == [None] * 3


# Counting


def test_count_finds_the_first_step(monkeypatch):
    signal, model = sirenlib.cameraman(8), network(seeded())
    monkeypatch.setattr(time_to_quality, "QUALITIES", (7, 90))
    found = time_to_quality.count_steps(model, signal, limit=30, every=4)
    same = network(seeded())
    step, reached = tutorial_pass(same, signal, ask_for_gradients=True), []
    for _ in range(31):
        reached.append(sirenlib.signal_psnr(same, signal))
        step()
    first = next((n for n, psnr in enumerate(reached) if psnr >= 7), None)
    assert found["steps"] == {"7": first, "90": None}
    assert found["limit"] == 30
    assert found["curve"]["step"] == list(range(0, 31, 4))
    assert found["curve"]["psnr"] == pytest.approx(reached[::4], abs=2e-3)


# The command


def network(generator):
    return Siren(2, 32, 1, 1, first_omega_0=6.0, init="fast", generator=generator)


@pytest.fixture
def small_task(monkeypatch, tmp_path):
    """The benchmark with a small picture and network, and files of its own."""
    small = [
        Contender(name, lambda _, g: network(g), lr=5e-3, batch_size=64)
        for name in time_to_quality.OURS
    ]
    copied = {"copied recipe": Contender("copied recipe", lambda _, g: network(g))}
    picture = {"cameraman": partial(sirenlib.cameraman, 16)}
    task = partial(Task, picture, small, 2, ladder=(1, 2), limit=60.0)
    tasks = {"gray": task(references=copied, steps=3), "color": task()}
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setattr(time_to_quality, "QUALITIES", (5, 90))
    monkeypatch.setattr(time_to_quality, "TASKS", tasks)
    monkeypatch.setattr(time_to_quality, "STEPS", folder / "time_to_quality_steps.json")
    monkeypatch.setattr(time_to_quality, "reference", lambda device: 1.0)
    monkeypatch.setattr(provenance, "RESULTS", folder)
    monkeypatch.setattr(provenance, "_git", lambda *asked: "")
    return folder


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["time_to_quality.py", *arguments])
    threads = torch.get_num_threads()
    time_to_quality.main()
    torch.set_num_threads(threads)


def test_one_command_counts_and_climbs(small_task, monkeypatch):
    run(monkeypatch, "--task", "gray")
    counts = json.loads((small_task / "time_to_quality_steps.json").read_text())
    assert counts["gray"]["references"]["copied recipe"]["limit"] == 3
    record = json.loads((small_task / "time_to_quality.json").read_text())
    assert record["counted"] == counts["gray"]["provenance"]
    assert len(record["rows"]) == 2 * 4
    fits = record["contenders"][0]["fits"]
    assert [(fit["seed"], fit["epochs"]) for fit in fits] == [
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
    ]
    assert record["contenders"][0]["lr"] == 5e-3
    assert len(record["contenders"][0]["ladder"]["psnr"]) == 2
    # Four fits of two contenders, and for each seed a step in each of two ways.
    assert record["disturbed"]["works"] == 8 + 4
    assert {"hardware", "torch", "date", "commit"} <= set(record["provenance"])


def test_counts_are_kept_until_asked_for_again(small_task, monkeypatch):
    counted = []
    count = time_to_quality.count_steps
    monkeypatch.setattr(
        time_to_quality, "count_steps", lambda *a: counted.append(a) or count(*a)
    )
    for asked, times in [([], 1), ([], 1), (["--count"], 2)]:
        run(monkeypatch, "--task", "gray", *asked)
        assert len(counted) == times


def test_color_has_no_references(small_task, monkeypatch):
    run(monkeypatch, "--task", "color")
    record = json.loads((small_task / "time_to_quality_color.json").read_text())
    assert record["references"] == []
    assert [path.name for path in small_task.iterdir()] == [
        "time_to_quality_color.json"
    ]


def test_draft_is_printed_and_not_written(small_task, monkeypatch, capsys):
    run(monkeypatch, "--task", "color", "--draft")
    assert '"contenders"' in capsys.readouterr().out
    assert list(small_task.iterdir()) == []


def test_changed_code_is_refused_before_it_is_measured(small_task, monkeypatch):
    def changed(*asked):
        return " M sirenlib/siren.py" if asked[0] == "status" else "abc1234"

    monkeypatch.setattr(provenance, "_git", changed)
    monkeypatch.setattr(time_to_quality, "measure", None)
    with pytest.raises(RuntimeError, match=r"sirenlib/siren\.py[^.]*commit first"):
        run(monkeypatch, "--task", "color")
