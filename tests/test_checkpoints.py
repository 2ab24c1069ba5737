"""Fits that are stopped: they go on where they were, to the same bits."""

import itertools
import multiprocessing
import os
import random
import signal as signals
import time

import numpy as np
import pytest
import torch
from devices import devices

from sirenlib import Signal, Siren, files, fit, image_signal, save
from sirenlib.steps import Stepper


def picture(height=20, width=15):
    row, column = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return image_signal(0.5 + 0.25 * np.sin(6 * row) + 0.25 * np.sin(5 * column))


def network(**options):
    generator = torch.Generator().manual_seed(0)
    options = {"first_omega_0": 6.0, "init": "fast", **options}
    return Siren(2, 16, 1, 1, generator=generator, **options)


def weights(model):
    return torch.cat([p.detach().cpu().flatten() for p in model.parameters()]).clone()


RECIPE = {"epochs": 4, "batch_size": 64}  # 300 points: five batches an epoch, of 20


def fitted(path=None, device="cpu", **options):
    """A fit, with its model and the state in which it leaves the generator."""
    generator = torch.Generator().manual_seed(7)
    model = network().to(device)
    options = {**RECIPE, **options}
    history = fit(model, picture(), checkpoint=path, generator=generator, **options)
    return weights(model), history, generator.get_state()


class Killed(BaseException):
    pass


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.pt"


@pytest.fixture
def stop_at(monkeypatch):
    """Let a fit die before a step; a checkpoint is written before every step."""
    monkeypatch.setattr(files, "SECONDS", 0.0)
    plain = Stepper.__call__

    def stop(count):
        counter = itertools.count()

        def step(self, index, rate):
            if next(counter) == count:
                raise Killed
            plain(self, index, rate)

        monkeypatch.setattr(Stepper, "__call__", step)

    return stop


def same(one, other):
    (w1, h1, g1), (w2, h2, g2) = one, other
    assert torch.equal(w1, w2) and torch.equal(g1, g2)
    assert (h1.step, h1.loss, h1.psnr) == (h2.step, h2.loss, h2.psnr)
    assert h1.final_psnr == h2.final_psnr


@pytest.mark.parametrize("interval", [0.0, 1e9])
def test_checkpoint_changes_nothing(path, monkeypatch, interval):
    monkeypatch.setattr(files, "SECONDS", interval)
    same(fitted(path), fitted())
    assert os.listdir(path.parent) == ["fit.pt"]


@devices
@pytest.mark.parametrize("step", [0, 1, 4, 5, 6, 13, 19])
def test_stopped_fit_ends_as_the_whole_one(path, stop_at, step, device):
    stop_at(step)
    with pytest.raises(Killed):
        fitted(path, device)
    stop_at(-1)
    same(fitted(path, device), fitted(device=device))


def test_fit_may_be_stopped_many_times(path, stop_at):
    for step in (3, 1, 5, 0, 2):
        stop_at(step)
        with pytest.raises(Killed):
            fitted(path)
    stop_at(-1)
    same(fitted(path), fitted())


def test_old_checkpoint_repeats_what_was_lost(path, stop_at, monkeypatch):
    monkeypatch.setattr(files, "SECONDS", 1e9)  # only the one before the first step
    stop_at(9)
    with pytest.raises(Killed):
        fitted(path)
    stop_at(-1)
    same(fitted(path), fitted())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_precision_resumes(path, stop_at, precision):
    stop_at(7)
    with pytest.raises(Killed):
        fitted(path, precision=precision)
    stop_at(-1)
    same(fitted(path, precision=precision), fitted(precision=precision))


def test_recorded_steps_resume(path, stop_at, play_graph):
    stop_at(7)
    with pytest.raises(Killed):
        fitted(path, engine="graph")
    stop_at(-1)
    same(fitted(path, engine="graph"), fitted(engine="eager"))
    assert play_graph.count("recorded") == 2


def test_seconds_go_on_from_where_they_were(path, stop_at):
    stop_at(13)
    with pytest.raises(Killed):
        fitted(path)
    stop_at(-1)
    seconds = fitted(path)[1].seconds
    assert seconds == sorted(seconds) and len(seconds) == 20


def test_interrupt_by_hand_resumes(path, monkeypatch, stop_at):
    monkeypatch.setattr("test_checkpoints.Killed", KeyboardInterrupt)
    stop_at(13)
    assert fitted(path)[1].interrupted
    stop_at(-1)
    resumed = fitted(path)
    same(resumed, fitted())
    assert not resumed[1].interrupted


def test_finished_fit_returns_at_once(path, monkeypatch):
    first = fitted(path)
    before = path.read_bytes()
    monkeypatch.setattr(Stepper, "__call__", None)  # no step can be made
    second = fitted(path)
    same(first, second)
    assert second[1].seconds == first[1].seconds and path.read_bytes() == before


def test_numbers_of_numpy_resume(path, stop_at):
    numbers = {
        "epochs": np.int64(4),
        "batch_size": np.int32(64),
        "lr": np.float64(1e-3),
    }
    stop_at(9)
    with pytest.raises(Killed):
        fitted(path, **numbers)
    stop_at(-1)
    same(fitted(path, **numbers), fitted(lr=1e-3))


def test_global_generator_is_resumed_too(path, stop_at):
    def run(path=None):
        torch.manual_seed(3)
        model = network()
        fit(model, picture(), checkpoint=path, **RECIPE)
        return weights(model), torch.rand(1)

    stop_at(9)
    with pytest.raises(Killed):
        run(path)
    stop_at(-1)
    for one, other in zip(run(path), run(), strict=True):
        assert torch.equal(one, other)


# kill -9


def slow_fit(path):
    files.SECONDS = 0.0
    torch.set_num_threads(1)
    return fitted(path, epochs=1000)  # 5000 steps, with a checkpoint before each


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_kill_at_twenty_random_moments(path):
    context = multiprocessing.get_context("fork")
    moments = random.Random(0)
    kills = 0
    for _ in range(20):
        process = context.Process(target=slow_fit, args=[path])
        process.start()
        while not path.exists():
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.3))
        os.kill(process.pid, signals.SIGKILL)
        process.join()
        kills += process.exitcode == -signals.SIGKILL
    assert kills == 20
    assert torch.load(path)["state"]["done"] < 5000
    same(fitted(path, epochs=1000), fitted(epochs=1000))


# What is refused


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"epochs": 5}, "epochs"),
        ({"batch_size": 32}, "batch_size"),
        ({"lr": 1e-3}, "lr"),
        ({"precision": "bfloat16"}, "precision"),
        ({"engine": "eager"}, "engine"),
        ({"chunk_size": 16}, "chunk_size"),
        ({"epochs": 5, "lr": 1e-3}, "epochs, lr"),
    ],
)
def test_checkpoint_of_another_recipe_is_refused(path, options, name):
    fitted(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"of a fit with another {name}: repeat that"):
        fitted(path, **options)
    assert path.read_bytes() == before


def narrow():
    return Siren(2, 8, 1, 1)


@pytest.mark.parametrize(
    "model",
    [
        narrow,
        lambda: network(first_omega_0=7.0),
        lambda: network(hidden_omega_0=7.0),
        lambda: network().double(),
        lambda: torch.nn.Sequential(network()),
    ],
    ids=["narrow", "first omega_0", "hidden omega_0", "float64", "wrapped"],
)
def test_checkpoint_of_another_model_is_refused(path, model):
    fitted(path)
    before, model = path.read_bytes(), model()
    dtype = next(model.parameters()).dtype
    plain = picture()
    signal = Signal(plain.coords.to(dtype), plain.values.to(dtype), plain.shape)
    start, random_state = weights(model), torch.get_rng_state()
    with pytest.raises(ValueError, match="of a fit with another model"):
        fit(model, signal, checkpoint=path, **RECIPE)
    assert torch.equal(weights(model), start) and path.read_bytes() == before
    assert torch.equal(torch.get_rng_state(), random_state)


def changed_pixel(signal):
    values = signal.values.clone()
    values[17] += 1e-6
    return Signal(signal.coords, values, signal.shape)


@pytest.mark.parametrize(
    "change",
    [
        changed_pixel,
        lambda s: Signal(s.coords * 0.5, s.values, s.shape),
        lambda s: Signal(s.coords, s.values, s.shape, (-2.0, 2.0)),
    ],
    ids=["pixel", "coords", "range"],
)
def test_checkpoint_of_another_signal_is_refused(path, change):
    fitted(path)
    with pytest.raises(ValueError, match="of a fit with another signal"):
        fit(network(), change(picture()), checkpoint=path, **RECIPE)


def truncated(content):
    return [content[:length] for length in range(0, len(content), len(content) // 9)]


def flipped(content):
    return [
        content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]
        for place in range(len(content) // 50, len(content), len(content) // 25)
    ]


def test_damaged_checkpoint_is_refused_and_left_alone(path):
    whole = fitted(path)
    content = path.read_bytes()
    refused = 0
    for damaged in [b"no checkpoint", *truncated(content), *flipped(content)]:
        path.write_bytes(damaged)
        try:
            # Some bytes of a zip archive are padding, and may be anything.
            same(fitted(path), whole)
        except ValueError as error:
            assert "is no checkpoint, or it is damaged: give another path" in str(error)
            refused += 1
        assert path.read_bytes() == damaged
    assert refused > 20


def test_saved_network_is_no_checkpoint(path):
    save(network(), path, picture())
    with pytest.raises(ValueError, match="is no checkpoint"):
        fitted(path)


@pytest.mark.parametrize("name", ["missing/fit.pt", "file/fit.pt", "folder"])
def test_path_that_cannot_be_written_stops_before_any_training(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    model = network()
    start = weights(model)
    with pytest.raises(OSError, match=name.split("/")[0]):
        fit(model, picture(), checkpoint=tmp_path / name, **RECIPE)
    assert torch.equal(weights(model), start)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_failed_write_leaves_the_old_checkpoint(path, monkeypatch, stop_at):
    stop_at(9)
    with pytest.raises(Killed):
        fitted(path)
    before = path.read_bytes()

    def disk_full(content, file):
        file.write(b"half a check")
        raise OSError("No space left on device")

    stop_at(-1)
    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        fitted(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == ["fit.pt"]


def test_divergence_leaves_good_weights_after_a_stop(path, stop_at):
    stop_at(9)
    with pytest.raises(Killed):
        fitted(path, lr=1e-3)
    stop_at(-1)
    broken = torch.load(path)
    for name in broken["state"]["weights"]:
        broken["state"]["weights"][name].fill_(torch.nan)
    torch.save(broken, path)
    model = network()
    with pytest.raises(FloatingPointError, match="last good weights"):
        fit(model, picture(), checkpoint=path, lr=1e-3, **RECIPE)
    good = torch.cat([w.flatten() for w in broken["state"]["good"].values()])
    assert torch.equal(weights(model), good) and good.isfinite().all()
