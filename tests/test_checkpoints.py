"""Fits that are stopped: they go on where they were, to the same bits."""

import itertools
import math
import os
import random
import signal as signals
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from devices import devices
from processes import CONTEXT, in_a_process, needs_fork, require_in_a_process
from torch import nn

from sirenlib import (
    Quilt,
    Signal,
    Siren,
    checkpoints,
    files,
    fit,
    image_signal,
    loop,
    save,
)
from sirenlib.checkpoints import Checkpoint
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


RECIPE = {"epochs": 4, "batch_size": 64}  # 300 points four times: 19 batches


def fitted(path=None, device="cpu", model=None, seed=7, **options):
    """A fit, with its model and the state in which it leaves the generator."""
    generator = torch.Generator().manual_seed(seed)
    model = (model or network()).to(device)
    options = {**RECIPE, **options}
    history = fit(model, picture(), checkpoint=path, generator=generator, **options)
    return weights(model), history, generator.get_state()


needs_locks = pytest.mark.skipif(not checkpoints.fcntl, reason="needs fcntl")


class Killed(BaseException):
    pass


class Shifted(nn.Module):
    """A network with a number that neither its printed form nor its state knows."""

    def __init__(self, shift):
        super().__init__()
        self.inner, self.shift = network(), shift

    def forward(self, x):
        return self.inner(x + self.shift)


class Fourier(nn.Module):
    """Fourier features, with their frequencies in a buffer, as in most such code."""

    def __init__(self, sigma, persistent=True):
        super().__init__()
        draw = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
        self.register_buffer("frequencies", sigma * draw, persistent)
        torch.manual_seed(0)
        self.last = nn.Linear(8, 1)

    def forward(self, x):
        return self.last(torch.sin(x @ self.frequencies))


def normalized():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.pt"


@pytest.fixture
def stop_at(monkeypatch):
    """Let a fit die before a step; a checkpoint is written before every step."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
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
    monkeypatch.setattr(checkpoints, "SECONDS", interval)
    same(fitted(path), fitted())
    assert os.listdir(path.parent) == ["fit.pt"]


@devices
@pytest.mark.parametrize("step", [0, 1, 4, 5, 6, 13, 18])
def test_stopped_fit_ends_as_the_whole_one(path, stop_at, step, device):
    stop_at(step)
    with pytest.raises(Killed):
        fitted(path, device)
    stop_at(-1)
    same(fitted(path, device), fitted(device=device))


@devices
@pytest.mark.parametrize("batch_size", [64, 90])
@pytest.mark.parametrize("step", [1, 5, 10])
def test_stopped_fit_of_a_quilt_ends_as_the_whole_one(
    path, stop_at, step, batch_size, device
):
    def run(path=None):
        generator = torch.Generator().manual_seed(0)
        model = Quilt((3, 2), 8, 1, 1, first_omega_0=6.0, generator=generator)
        return fitted(path, device, model, batch_size=batch_size)

    stop_at(step)
    with pytest.raises(Killed):
        run(path)
    stop_at(-1)
    same(run(path), run())


def test_checkpoint_of_a_siren_is_none_of_a_quilt(path):
    fitted(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="checkpoint of a fit with another lr, model"):
        fitted(path, model=Quilt((3, 2), 8, 1, 1))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change", [{"tiles": (2, 3)}, {"overlap": 0.2}, {"window": [(-1, 1), (-1, 1.5)]}]
)
def test_checkpoint_of_a_quilt_is_none_of_another(path, change):
    """Of the same weights: the tiles, the overlap and the window tell them apart."""

    def quilt(**options):
        generator = torch.Generator().manual_seed(0)
        options = {"tiles": (3, 2), **options}
        return Quilt(
            **options,
            hidden_features=8,
            hidden_layers=1,
            out_features=1,
            generator=generator,
        )

    fitted(path, model=quilt())
    with pytest.raises(ValueError, match="another model"):
        fitted(path, model=quilt(**change))


def test_fit_may_be_stopped_many_times(path, stop_at):
    for step in (3, 1, 5, 0, 2):
        stop_at(step)
        with pytest.raises(Killed):
            fitted(path)
    stop_at(-1)
    same(fitted(path), fitted())


def test_old_checkpoint_repeats_what_was_lost(path, stop_at, monkeypatch):
    monkeypatch.setattr(
        checkpoints, "SECONDS", 1e9
    )  # only the one before the first step
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


def test_seconds_go_on_from_where_they_were(path, stop_at):
    stop_at(13)
    with pytest.raises(Killed):
        fitted(path)
    stop_at(-1)
    seconds = fitted(path)[1].seconds
    assert seconds == sorted(seconds) and len(seconds) == 19


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
    checkpoints.SECONDS = 0.0
    torch.set_num_threads(1)
    return fitted(path, epochs=400)  # 1875 steps, with a checkpoint before each


@needs_fork
def test_kill_at_five_random_moments(path):
    moments = random.Random(0)
    for _ in range(5):
        process = in_a_process(slow_fit, path)
        while not path.exists():
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.3))
        os.kill(process.pid, signals.SIGKILL)
        process.join()
        assert process.exitcode == -signals.SIGKILL
    assert torch.load(path)["state"]["done"] < 1875
    same(fitted(path, epochs=400), fitted(epochs=400))


# What is refused


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"epochs": 3}, "number of epochs"),
        ({"batch_size": 32}, "batch_size"),
        ({"lr": 1e-3}, "lr"),
        ({"precision": "bfloat16"}, "precision"),
        ({"engine": "eager"}, "engine"),
        ({"chunk_size": 16}, "chunk_size"),
        ({"epochs": 5, "lr": 1e-3}, "lr"),
        ({"batch_size": 32, "lr": 1e-3}, "batch_size, lr"),
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
        lambda: network(first_omega_0=6.0000001),
        lambda: network().double(),
        lambda: nn.Sequential(network()),
    ],
    ids=["narrow", "first omega_0", "hidden omega_0", "digits", "float64", "wrapped"],
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


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda: Fourier(0.5), lambda: Fourier(5.0)),
        (lambda: Fourier(0.5, False), lambda: Fourier(5.0, False)),
        (lambda: Shifted(0.0), lambda: Shifted(0.1)),
        (network, lambda: frozen(network())),
        (normalized, lambda: normalized().append(nn.Identity())),
        (lambda: of_fixed_mean(0.0), lambda: of_fixed_mean(1.0)),
    ],
    ids=[
        "buffer",
        "buffer outside of the state",
        "attribute",
        "frozen",
        "layer",
        "fixed statistics",
    ],
)
@pytest.mark.parametrize("step", [0, 9, 18])
def test_checkpoint_of_a_network_that_looks_the_same_is_refused(
    path, stop_at, first, second, step
):
    stop_at(step)
    with pytest.raises(Killed):
        fitted(path, model=first())
    stop_at(-1)
    before, model = path.read_bytes(), second()
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match="of a fit with another model: repeat that"):
        fitted(path, model=model)
    assert path.read_bytes() == before
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, start[name])
    same(fitted(path, model=first()), fitted(model=first()))


def frozen(model):
    model.net[0].requires_grad_(False)
    return model


def of_fixed_mean(mean):
    """A network whose normalization is no longer learned."""
    model = normalized()
    model[1].eval().running_mean.fill_(mean)
    return model


@pytest.mark.parametrize("step", [1, 9, 18])
def test_checkpoint_of_another_seed_is_refused(path, stop_at, step):
    stop_at(step)
    with pytest.raises(Killed):
        fitted(path)
    stop_at(-1)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="of a fit with another generator: repeat"):
        fitted(path, seed=8)
    assert path.read_bytes() == before
    same(fitted(path), fitted())


def test_identity_of_a_fit_does_not_know_its_device():
    here, there = (
        checkpoints._identity(network().to(device), picture(), {"epochs": 3, "lr": 1})
        for device in ("cpu", "meta")
    )
    assert here == there and not any("cpu" in str(each) for each in here.values())


def weighted(signal, weight=0.5):
    weights = torch.ones(len(signal.coords), 1)
    weights[17] = weight
    return Signal(signal.coords, signal.values, signal.shape, weights=weights)


def test_checkpoint_of_other_weights_is_refused(path):
    fit(network(), weighted(picture()), checkpoint=path, **RECIPE)
    before = path.read_bytes()
    for other in (picture(), weighted(picture(), 0.25)):
        with pytest.raises(ValueError, match="of a fit with another signal"):
            fit(network(), other, checkpoint=path, **RECIPE)
    assert path.read_bytes() == before
    fit(network(), weighted(picture()), checkpoint=path, **RECIPE)


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
        weighted,
    ],
    ids=["pixel", "coords", "range", "weights"],
)
def test_checkpoint_of_another_signal_is_refused(path, change):
    fitted(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="of a fit with another signal"):
        fit(network(), change(picture()), checkpoint=path, **RECIPE)
    assert path.read_bytes() == before


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
            assert "is no checkpoint, or it is damaged: delete it, or" in str(error)
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


def limit_files(size):
    """Let this process write no file beyond so many bytes, as a full disk does."""
    import resource

    signals.signal(signals.SIGXFSZ, signals.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def fit_on_a_disk_full_from_the_start(path):
    limit_files(1000)
    model = network()
    start = weights(model)
    with pytest.raises(OSError, match="File too large"):
        fitted(path, model=model)
    assert torch.equal(weights(model), start) and os.listdir(path.parent) == []


def fit_on_a_disk_that_fills_up(path):
    checkpoints.SECONDS = 0.0
    plain, counter = Stepper.__call__, itertools.count()

    def step(self, index, rate):
        if next(counter) == 9:
            limit_files(1000)
        plain(self, index, rate)

    Stepper.__call__ = step
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = fitted(path)
    same(found, fitted())
    said = [str(each.message) for each in caught]
    assert len(said) == 10 and "fit.pt could not be written" in said[0]
    assert all("File too large" in each and "the fit goes on" in each for each in said)
    assert os.listdir(path.parent) == ["fit.pt"]


@needs_fork
@pytest.mark.skipif(not hasattr(signals, "SIGXFSZ"), reason="needs file limits")
@pytest.mark.parametrize(
    "run", [fit_on_a_disk_full_from_the_start, fit_on_a_disk_that_fills_up]
)
def test_full_disk_is_an_error_at_first_and_a_warning_later(path, run):
    require_in_a_process(run, path)
    if path.exists():  # the old file is whole, and goes on
        assert torch.load(path)["state"]["done"] == 9
        same(fitted(path), fitted())


@pytest.mark.parametrize("inside", ["save", "fsync", "replace"])
def test_interrupt_inside_a_writing_leaves_the_old_file(path, monkeypatch, inside):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    module = torch if inside == "save" else os
    plain, counter = getattr(module, inside), itertools.count()

    def interrupted(*arguments):
        if next(counter) == 9:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(module, inside, interrupted)
    assert fitted(path)[1].interrupted and os.listdir(path.parent) == ["fit.pt"]
    assert torch.load(path)["state"]["done"] == 8
    same(fitted(path), fitted())


def test_file_is_on_the_disk_before_it_takes_its_place(path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        plain = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, n=name, p=plain: (done.append(n), p(*a))[1]
        )
    fitted(path)
    assert done == ["fsync", "replace"] * 2  # before the first step, and at the end


@pytest.fixture
def written(monkeypatch):
    """The states that are written."""
    states, plain = [], files.write_whole

    def write(path, content):
        state = content["state"]
        states.append(state | {"weights": checkpoints.copied(state["weights"])})
        plain(path, content)

    monkeypatch.setattr(checkpoints, "write_whole", write)
    return states


def test_ten_seconds_lie_between_two_writings(path, monkeypatch, written):
    clock = SimpleNamespace(now=1e5)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(checkpoints, "time", clock)
    plain = Stepper.__call__

    def step(self, index, rate):
        plain(self, index, rate)
        clock.now += 1.0

    monkeypatch.setattr(Stepper, "__call__", step)
    fitted(path, epochs=8)  # 38 steps, of a second each
    assert [state["done"] for state in written] == [0, 11, 22, 33, 38]


class Breaks(nn.Module):
    """A network whose loss is not finite from some step on."""

    def __init__(self, nan_at):
        super().__init__()
        self.inner, self.left = network(), nan_at

    def forward(self, x):
        if torch.is_grad_enabled():
            self.left -= 1
        return self.inner(x) * (math.nan if self.left < 0 else 1)

    def extra_repr(self):
        return ""


def test_weights_that_have_diverged_are_never_written(path, monkeypatch, written):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(loop, "ROWS", 1)  # the loss is not looked at
    with pytest.raises(FloatingPointError):
        fitted(path, model=Breaks(9))
    assert [state["done"] for state in written] == list(range(10))
    for state in written:
        assert all(tensor.isfinite().all() for tensor in state["weights"].values())


def test_weights_that_overflow_are_not_written(path, monkeypatch, written):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr(loop, "ROWS", 1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1))
    with pytest.raises(FloatingPointError):  # after a step that was not too long yet
        fitted(path, model=model, lr=1e25)
    assert [state["done"] for state in written] == [0]


def test_divergence_after_a_stop_leaves_the_weights_of_the_file(path, stop_at):
    stop_at(9)
    with pytest.raises(Killed):
        fitted(path, model=Breaks(1000))
    stop_at(-1)
    kept = torch.load(path)["state"]["weights"]
    model = Breaks(0)
    with pytest.raises(FloatingPointError, match="last good weights"):
        fitted(path, model=model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, kept[name])


# Other processes


def fit_that_waits(path, ready):
    plain, counter = Stepper.__call__, itertools.count()

    def step(self, index, rate):
        if next(counter) == 3:
            ready.set()
            signals.pause()
        plain(self, index, rate)

    Stepper.__call__ = step
    fitted(path)


@needs_fork
@needs_locks
def test_second_process_is_refused_while_the_first_runs(path):
    ready = CONTEXT.Event()
    process = in_a_process(fit_that_waits, path, ready)
    try:
        assert ready.wait(60)
        before, model = path.read_bytes(), network()
        start = weights(model)
        with pytest.raises(ValueError, match=r"another process is writing .*fit\.pt"):
            fitted(path, model=model)
        assert torch.equal(weights(model), start) and path.read_bytes() == before
    finally:
        os.kill(process.pid, signals.SIGKILL)
        process.join()
    same(fitted(path), fitted())  # the lock went with its process
    assert os.listdir(path.parent) == ["fit.pt"]


def test_fits_one_after_the_other_share_a_file(path, stop_at):
    stop_at(3)
    with pytest.raises(Killed):
        fitted(path)
    with pytest.raises(ValueError, match="another lr"):
        fitted(path, lr=1.0)
    stop_at(-1)
    for _ in range(2):
        same(fitted(path), fitted())
    assert os.listdir(path.parent) == ["fit.pt"]


def fit_in_a_read_only_folder(folder):
    fitted()  # loads what another user may not be able to read
    os.chdir(folder)
    if os.geteuid() == 0:  # who may write anywhere
        os.seteuid(65534)
    model = network()
    start = weights(model)
    with pytest.raises(PermissionError, match=r"fit\.pt"):
        fitted("fit.pt", model=model)
    assert torch.equal(weights(model), start)


@needs_fork
def test_folder_that_is_read_only_stops_before_any_training(tmp_path):
    tmp_path.chmod(0o555)
    require_in_a_process(fit_in_a_read_only_folder, tmp_path)
    tmp_path.chmod(0o755)
    assert os.listdir(tmp_path) == []


# Longer, and shorter


def falling(steps, lr=1e-3):
    return [lr * (1 - i / steps) for i in range(steps)]


def test_finished_fit_is_made_longer_with_a_rate_that_begins_anew(path, rates):
    first = fitted(path, lr=1e-3)[1]
    assert first.resumed_at == 0
    second = fitted(path, lr=1e-3, epochs=10)[1]  # 3000 points: 47 steps
    assert np.allclose(rates, falling(19) + falling(28))
    assert second.resumed_at == 19 and second.step == list(range(1, 48))
    assert second.loss[:19] == first.loss and second.seconds[:19] == first.seconds
    assert second.seconds == sorted(second.seconds)
    assert second.final_psnr > first.final_psnr
    third = fitted(path, lr=1e-3, epochs=10)[1]
    assert third.resumed_at == 47 and len(rates) == 47


def test_longer_fit_may_be_stopped_as_well(tmp_path, stop_at):
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    for path in (whole, parts):
        fitted(path)
    stop_at(5)
    with pytest.raises(Killed):
        fitted(parts, epochs=8)
    stop_at(-1)
    resumed = fitted(parts, epochs=8)
    same(resumed, fitted(whole, epochs=8))
    assert resumed[1].resumed_at == 19 + 5


@pytest.mark.parametrize("epochs", [3, 5])
def test_stopped_fit_keeps_its_length(path, stop_at, epochs):
    stop_at(5)
    with pytest.raises(Killed):
        fitted(path)
    stop_at(-1)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="of a fit with another number of epochs"):
        fitted(path, epochs=epochs)
    assert path.read_bytes() == before


def test_points_of_a_longer_fit_go_on_where_the_epochs_were(path, monkeypatch):
    seen, plain = [], Stepper.__call__

    def step(self, index, rate):
        seen.append(index.clone())
        plain(self, index, rate)

    monkeypatch.setattr(Stepper, "__call__", step)
    fitted(path, epochs=1)
    fitted(path, epochs=6)
    longer = torch.cat(seen)
    seen.clear()
    fitted(epochs=6)
    assert torch.equal(longer, torch.cat(seen))


def test_fit_that_reached_its_quality_goes_on_without_it(path):
    wanted = fitted(epochs=12)
    half = wanted[1].psnr[len(wanted[1].psnr) // 2]
    stopped = fitted(path, epochs=12, until=half)
    steps = len(stopped[1].step)
    assert stopped[1].final_psnr >= half and steps < len(wanted[1].step)
    again = fitted(path, epochs=12, until=half)
    assert torch.equal(again[0], stopped[0]) and again[1].resumed_at == steps
    resumed = fitted(path, epochs=12)
    same(resumed, wanted)
    assert resumed[1].resumed_at == steps


# Stopped and begun again in one session


@pytest.mark.parametrize("make", [network, normalized])
@pytest.mark.parametrize("interval", [0.0, 1e9])
def test_same_call_after_an_interrupt_goes_on(path, monkeypatch, interval, make):
    monkeypatch.setattr(checkpoints, "SECONDS", interval)
    plain, counter = Stepper.__call__, itertools.count()

    def step(self, index, rate):
        if next(counter) == 9:
            raise KeyboardInterrupt
        plain(self, index, rate)

    monkeypatch.setattr(Stepper, "__call__", step)
    model, generator = make(), torch.Generator().manual_seed(7)
    options = {"checkpoint": path, "generator": generator, **RECIPE}
    assert fit(model, picture(), **options).interrupted
    history = fit(model, picture(), **options)
    assert history.resumed_at == (9 if interval == 0 else 0)
    found = weights(model), history, generator.get_state()
    same(found, fitted(model=make()))
    # The file still knows how the fit began: it is found from a new session too.
    same(found, fitted(path, model=make()))


@pytest.mark.parametrize("step", [0, 7, 18])
def test_batch_normalization_resumes(path, stop_at, step):
    stop_at(step)
    with pytest.raises(Killed):
        fitted(path, model=normalized())
    stop_at(-1)
    resumed, whole = normalized(), normalized()
    same(fitted(path, model=resumed), fitted(model=whole))
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[name])


def test_fit_that_goes_on_says_so(path, stop_at, monkeypatch, capsys):
    stop_at(9)
    with pytest.raises(Killed):
        fitted(path)
    stop_at(-1)
    monkeypatch.delenv("SIRENLIB_BOOK")
    capsys.readouterr()
    history = fitted(path)[1]
    assert f"{path}: 9 of 19 steps are done" in capsys.readouterr().err
    assert history.resumed_at == 9


def test_quality_of_the_past_does_not_end_a_fit_that_goes_on(path, stop_at):
    _, whole, _ = fitted(path)
    stop_at(8)  # the rate begins anew, and the quality falls at first
    with pytest.raises(Killed):
        fitted(path, epochs=40)
    stop_at(-1)
    _, found, _ = fitted(path, epochs=40, until=whole.final_psnr - 0.5)
    assert found.resumed_at == 27 and found.step[-1] > 27
    assert found.final_psnr != whole.final_psnr


@needs_locks
def test_link_and_its_target_have_one_lock(tmp_path, path):
    link = tmp_path / "link.pt"
    link.symlink_to(path)
    fitted(path)
    keeper = Checkpoint(link, network(), picture(), {}, None)
    other = Checkpoint(path, network(), picture(), {}, None)
    with keeper.locked(), pytest.raises(ValueError, match="another process"):
        with other.locked():
            pass
