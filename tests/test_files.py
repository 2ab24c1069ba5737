"""Networks in files: what comes back, what is refused, and drawing them again."""

import json
import math
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from devices import devices
from measuring import ROOT, measured, needs_fork
from torch import nn

from sirenlib import (
    Quilt,
    Signal,
    Siren,
    coordinate_grid,
    evaluate,
    files,
    fit,
    image_signal,
    load,
    render,
    save,
    signal_psnr,
)
from sirenlib.evaluation import LARGEST, chunk_of
from sirenlib.signals import grid_between


def picture(height=12, width=9, **options):
    pixels = np.linspace(0, 1, height * width).reshape(height, width)
    return image_signal(pixels, **options)


def network(**options):
    return Siren(2, 16, 1, options.pop("out_features", 1), **options)


def quilt(**options):
    options = {"window": [(2.0, -1.0), (0.0, 3.0)], "overlap": 0.3, **options}
    return Quilt((3, 2), 8, 1, options.pop("out_features", 1), **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.pt"


# There and back


@devices
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"init": "fast", "first_omega_0": 85.3, "hidden_omega_0": 12.5},
        {"outermost_linear": False, "out_features": 3},
    ],
)
def test_round_trip_gives_the_same_output_bit_for_bit(path, options, device):
    model, signal = network(**options).to(device), picture()
    save(model, path, signal)
    model = model.cpu()
    assert torch.equal(load(path).model(signal.coords), model(signal.coords))


@devices
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"init": "fast", "first_omega_0": 85.3, "out_features": 3},
        {"window": None, "overlap": 1},
        {"dtype": torch.float64},
        {"dtype": torch.bfloat16},
    ],
    ids=str,
)
def test_round_trip_of_a_quilt_gives_the_same_output_bit_for_bit(path, options, device):
    model, signal = quilt(**options).to(device), picture()
    save(model, path, signal)
    model, saved = model.cpu(), load(path)
    assert type(saved.model) is Quilt
    assert saved.model.architecture() == model.architecture()
    assert torch.equal(saved.model(signal.coords), model(signal.coords))
    assert {w.dtype for w in saved.model.parameters()} == {model.dtype}
    drawn = render(saved.model, *saved.shape, window=saved.window)
    exact = model(signal.coords).detach().to(drawn.dtype).reshape(drawn.shape)
    atol = 0.02 if model.dtype == torch.bfloat16 else 1e-4  # coordinates round first
    assert torch.allclose(drawn, exact, atol=atol)


@pytest.mark.parametrize("d", [1, 3])
def test_quilt_of_a_sound_or_a_volume_is_kept(path, d):
    coords = coordinate_grid(*[6] * d)
    signal = Signal(coords, coords[:, :1].clone(), (6,) * d)
    model = Quilt((2,) * d, 8, 1, 1)
    save(model, path, signal)
    assert torch.equal(load(path).model(coords), model(coords))


def test_network_of_a_volume_keeps_its_box(path):
    """Three axes of different lengths, of which one descends."""
    window = ((-1.0, 0.5), (0.0, 2.0), (3.0, -3.0))
    shape = (3, 4, 5)
    coords = grid_between([(*ends, n) for ends, n in zip(window, shape, strict=True)])
    model = Siren(3, 8, 1, 1)
    signal = Signal(coords, coords[:, :1].clone(), shape, (-2.0, 2.0))
    save(model, path, signal)
    saved = load(path)
    assert saved[1:] == (shape, (-2.0, 2.0), window, None)
    assert torch.equal(saved.model(coords), model(coords))


def test_file_from_before_there_were_quilts_holds_a_siren(path):
    model, signal = network(), picture()
    save(model, path, signal)
    content = torch.load(path)
    assert content.pop("kind") == "Siren"
    torch.save(content, path)
    saved = load(path)
    assert type(saved.model) is Siren
    assert torch.equal(saved.model(signal.coords), model(signal.coords))


def test_round_trip_keeps_the_architecture(path):
    model = network(init="fast", first_omega_0=85.3, outermost_linear=False)
    save(model, path, picture())
    assert load(path).model.architecture() == model.architecture()


def test_round_trip_keeps_shape_and_value_range(path):
    signal = Signal(coordinate_grid(3, 4), torch.zeros(12, 1), (3, 4), (-2.0, 5.0))
    save(network(), path, signal)
    saved = load(path)
    assert (saved.shape, saved.value_range) == ((3, 4), (-2.0, 5.0))


def test_round_trip_keeps_a_float64_network_exact(path):
    model, signal = network().double(), picture()
    save(model, path, signal)
    coords = signal.coords.double()
    assert torch.equal(load(path).model.double()(coords), model(coords))


def test_path_may_be_a_string(path):
    save(network(), str(path), picture())
    assert load(str(path)).shape == (12, 9)


def test_network_whose_sizes_are_numpy_integers_can_be_read_again(path):
    width, depth = np.array([16, 1])
    save(Siren(2, width, depth, 1), path, picture())
    assert load(path).model.hidden_features == 16


def test_numpy_frame_can_be_read_again(path):
    low, high = np.array([-2.0, 5.0])
    values = torch.zeros(12, 1)
    signal = Signal(coordinate_grid(3, 4), values, np.array([3, 4]), (low, high))
    save(network(), path, signal)
    assert load(path).value_range == (-2.0, 5.0)


@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize("centers", [False, True])
def test_saved_window_draws_the_picture_that_was_fitted(path, centers, keep_aspect):
    model = network()
    signal = picture(centers=centers, keep_aspect=keep_aspect)
    save(model, path, signal)
    saved = load(path)
    drawn = render(saved.model, *saved.shape, window=saved.window)
    expected = model(signal.coords).detach().reshape(12, 9, 1)
    # The coordinates are equal; products of other shapes round in another order.
    assert torch.allclose(drawn, expected, atol=1e-5)


@pytest.mark.parametrize(
    "window", [((1.0, -1.0), (-1.0, 1.0)), ((0.5, -0.5), (3.0, 2.0))]
)
def test_picture_whose_coordinates_descend_is_not_turned(path, window):
    values = picture().values
    axes = [(*edges, count) for edges, count in zip(window, (12, 9), strict=True)]
    signal = Signal(grid_between(axes), values, (12, 9))
    model = network(init="fast")
    fit(model, signal, epochs=3, lr=1e-3)
    save(model, path, signal)
    saved = load(path)
    assert saved.window == window
    drawn = render(saved.model, *saved.shape, window=saved.window)
    expected = model(signal.coords).detach().reshape(12, 9, 1)
    assert torch.allclose(drawn, expected, atol=1e-5)
    assert not torch.allclose(drawn.flip(0), expected, atol=1e-2)


HALF = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", [torch.float64, *HALF])
def test_network_of_every_floating_type_is_kept_and_drawn(path, dtype):
    model, signal = network().to(dtype), picture()
    save(model, path, signal)
    saved = load(path)
    assert {w.dtype for w in saved.model.parameters()} == {dtype}
    drawn = render(saved.model, 12, 9, window=saved.window)
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    assert drawn.dtype == wanted
    # In its own precision, on a grid that is as fine.
    grid = grid_between([(-1.0, 1.0, 12), (-1.0, 1.0, 9)], torch.float64)
    exact = model.double()(grid).detach()
    atol = 0.05 if dtype in HALF else 1e-12
    assert torch.allclose(drawn.double().reshape(-1, 1), exact, rtol=0, atol=atol)
    coords = signal.coords.double()
    value, slopes, curvature = evaluate(saved.model, coords)
    assert (slopes.shape, curvature.shape) == ((108, 2), (108, 1))
    assert value.dtype == wanted and value.isfinite().all()
    assert math.isfinite(signal_psnr(saved.model, signal))


def test_default_type_changes_neither_file_nor_drawing(path):
    model = network()
    expected = render(model, 12, 9)
    try:
        torch.set_default_dtype(torch.float64)
        save(model, path, picture())
        saved = load(path)
        drawn = render(saved.model, 12, 9, window=saved.window)
        double = network()
        save(double, path.with_name("double.pt"), picture())
    finally:
        torch.set_default_dtype(torch.float32)
    assert drawn.dtype == torch.float32 and torch.equal(drawn, expected)
    drawn = render(load(path.with_name("double.pt")).model, 12, 9)
    assert drawn.dtype == torch.float64


def test_reading_draws_no_random_numbers(path):
    save(network(), path, picture())
    before = torch.get_rng_state()
    load(path)
    save(network(generator=torch.Generator()), path, picture())
    assert torch.equal(torch.get_rng_state(), before)


def test_network_read_in_inference_mode_can_be_trained_outside(path):
    save(network(), path, picture())
    with torch.inference_mode():
        saved = load(path)
        drawn = render(saved.model, 4, 4)
    fit(saved.model, picture(), epochs=1)
    assert not torch.equal(render(saved.model, 4, 4), drawn)


def test_signal_of_one_dimension_has_a_window_of_one(path):
    signal = Signal(coordinate_grid(7), torch.zeros(7, 1), (7,))
    save(Siren(1, 8, 1, 1), path, signal)
    assert load(path).window == ((-1.0, 1.0),)


# Whole or not at all


def test_nothing_but_the_file_is_left(path):
    save(network(), path, picture())
    assert os.listdir(path.parent) == ["network.pt"]


def test_failed_write_leaves_the_old_file(path, monkeypatch):
    save(network(), path, picture())
    before = path.read_bytes()

    def disk_full(content, file):
        file.write(b"half a netw")
        raise OSError("No space left on device")

    monkeypatch.setattr(files.torch, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        save(network(), path, picture())
    assert path.read_bytes() == before and os.listdir(path.parent) == ["network.pt"]


def test_content_is_on_the_disk_before_the_name_is_given(path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("sync"), sync(file)))
    monkeypatch.setattr(
        os, "replace", lambda *names: (done.append("replace"), replace(*names))
    )
    save(network(), path, picture())
    assert done == ["sync", "replace"]


# What a disk does that is full: no file may grow beyond 20 kB.
FULL_DISK = """
import json, pathlib, resource, sys, torch
from PIL import Image
from sirenlib import Siren, fit, image_signal, save
from sirenlib.__main__ import main

small, large = Siren(2, 8, 1, 3), Siren(2, 99, 1, 3)
Image.effect_mandelbrot((32, 24), (-2, -1, 1, 1), 50).convert("RGB").save("photo.png")
signal = image_signal("photo.png")
save(small, "network.pt", signal)
fit(small, signal, epochs=1, checkpoint="fit.pt")
main(["view", "network.pt", "--out", "page.html"])
names = ("network.pt", "fit.pt", "page.html", "photo.png")
before = {name: pathlib.Path(name).read_bytes() for name in names}
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
said = {}
for name, work in {
    "save": lambda: save(large, "network.pt", signal),
    "fit": lambda: fit(large, signal, epochs=1, checkpoint="new.pt"),
    "view": lambda: main(["view", "network.pt", "--out", "page.html"]),
    "command": lambda: main(["fit", "photo.png", "--epochs", "1", "--out", "out"]),
}.items():
    try:
        said[name] = work()
    except BaseException as error:
        said[name] = type(error).__name__
said["same"] = [n for n in names if pathlib.Path(n).read_bytes() == before[n]]
said["files"] = sorted(str(p) for p in pathlib.Path().rglob("*") if p.is_file())
print(json.dumps(said))
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the limit is one of Unix"
)
def test_full_disk_is_an_os_error_and_leaves_the_old_files(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SIRENLIB_BOOK": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    names = ["network.pt", "fit.pt", "page.html", "photo.png"]
    assert said.pop("same") == names and said.pop("files") == sorted(names)
    assert said == {"save": "OSError", "fit": "OSError", "view": 2, "command": 2}
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and all(
        line.startswith("sirenlib: [Errno") for line in lines
    )


def test_saving_again_replaces_the_file(path):
    save(network(), path, picture())
    save(network(), path, picture(5, 6))
    assert load(path).shape == (5, 6)


@pytest.mark.parametrize("name", ["missing/network.pt", "file/network.pt", "folder"])
def test_path_that_cannot_be_written_is_an_os_error(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=name.split("/")[0]):
        save(network(), tmp_path / name, picture())


def test_only_a_siren_is_saved(path):
    with pytest.raises(ValueError, match=r"not Sequential: use torch\.save"):
        save(nn.Sequential(nn.Linear(2, 1)), path, picture())
    assert not path.exists()


def with_weight_norm(model):
    nn.utils.parametrizations.weight_norm(model.net[1].linear)


def without_bias(model):
    model.net[1].linear.bias = None


def with_another_width(model):
    model.net[1] = type(model.net[1])(16, 24)
    model.net[2] = nn.Linear(24, 1)


def with_another_frequency(model):
    model.net[1].omega_0 = 29.99  # nearly the same values


def with_another_activation(model):
    model.net[1] = nn.Sequential(model.net[1])


def with_a_hook(model):
    model.net[1].register_forward_hook(lambda *given: given[-1] * 1.1)


def in_two_types(model):
    model.net[2].double()


@pytest.mark.parametrize(
    "change",
    [
        with_weight_norm,
        without_bias,
        with_another_width,
        with_another_frequency,
        with_another_activation,
        with_a_hook,
        in_two_types,
    ],
)
def test_siren_that_would_come_back_as_another_is_not_saved(path, change):
    model = network()
    save(model, path, picture())
    before = path.read_bytes()
    change(model)
    with pytest.raises(ValueError, match=r"has been changed: use torch\.save for it"):
        save(model, path, picture())
    assert path.read_bytes() == before and os.listdir(path.parent) == ["network.pt"]


def test_siren_of_other_coordinates_than_the_signal_is_not_saved(path):
    with pytest.raises(ValueError, match="another number of coordinates"):
        save(Siren(3, 8, 1, 1), path, picture())
    assert not path.exists()


def test_diverged_network_is_saved_as_it_is(path):
    model = network()
    nn.init.constant_(model.net[2].bias, math.nan)
    save(model, path, picture())
    assert load(path).model.net[2].bias.isnan().all()


# What is no network


def test_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"network\.pt: there is no such file"):
        load(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"just words", b"Read me", b"Xyz", b"qed.", bytes(100), b"\x80\x02X\xff"],
)
def test_file_that_is_no_network_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"network\.pt is no network of sirenlib"):
        load(path)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.99])
def test_truncated_file_is_refused(path, part):
    save(network(), path, picture())
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match="or it is damaged: fit and save it again"):
        load(path)


@pytest.mark.parametrize(
    "content",
    [network().state_dict(), torch.zeros(3), None, [1], 3, "format", {"format": "x"}],
    ids=["state dict", "tensor", "None", "list", "number", "text", "other format"],
)
def test_other_file_of_torch_is_refused(path, content):
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"network\.pt is no network of sirenlib"):
        load(path)


@pytest.mark.parametrize(
    "name", ["format", "architecture", "weights", "shape", "value_range", "window"]
)
def test_incomplete_file_is_refused(path, name):
    save(network(), path, picture())
    content = torch.load(path)
    del content[name]
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"network\.pt is no network of sirenlib"):
        load(path)


@pytest.mark.parametrize(
    "change", [{"init": "glorot"}, {"hidden_features": 17}, {"hidden_layers": -1}]
)
def test_file_whose_parts_do_not_fit_is_refused(path, change):
    save(network(), path, picture())
    content = torch.load(path)
    content["architecture"].update(change)
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"network\.pt is no network of sirenlib"):
        load(path)


def of_weights(change):
    return lambda content: {
        "weights": {name: change(name, w) for name, w in content["weights"].items()}
    }


def one_only(name, w):
    return w.double() if name.startswith("net.1") else w


CRAFTED = {
    "no shape": lambda _: {"shape": None},
    "empty shape": lambda _: {"shape": ()},
    "shape of nothing": lambda _: {"shape": (0, 0)},
    "shape of NaN": lambda _: {"shape": (math.nan, 3)},
    "no range": lambda _: {"value_range": None},
    "range of words": lambda _: {"value_range": ("a", "b")},
    "range of nothing": lambda _: {"value_range": (1.0, 1.0)},
    "range upside down": lambda _: {"value_range": (1.0, -1.0)},
    "range of NaN": lambda _: {"value_range": (math.nan, 1.0)},
    "infinite range": lambda _: {"value_range": (-1e308, 1e308)},
    "no window": lambda _: {"window": None},
    "window of NaN": lambda _: {"window": ((-1.0, 1.0), (0.0, math.nan))},
    "infinite window": lambda _: {"window": ((-math.inf, 1.0), (0.0, 1.0))},
    "huge window": lambda _: {"window": ((-1e308, 1e308), (0.0, 1.0))},
    "window of one axis": lambda _: {"window": ((-1.0, 1.0),)},
    "window of three axes": lambda _: {"window": ((-1.0, 1.0),) * 3},
    "window of triples": lambda _: {"window": ((-1.0, 0.0, 1.0),) * 2},
    "no architecture": lambda _: {"architecture": None},
    "no weights": lambda _: {"weights": None},
    "weights in a list": lambda content: {"weights": list(content["weights"])},
    "weights as lists": of_weights(lambda _, w: w.tolist()),
    "whole numbers": of_weights(lambda _, w: w.long()),
    "complex numbers": of_weights(lambda _, w: w.to(torch.complex64)),
    "two types": of_weights(one_only),
    "eight bits": of_weights(lambda _, w: w.to(torch.float8_e4m3fn)),
    "weights without numbers": of_weights(lambda _, w: w.to("meta")),
    "sparse weights": of_weights(lambda _, w: w.to_sparse()),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_file_is_refused(path, name):
    save(network(), path, picture())
    content = torch.load(path)
    torch.save(content | CRAFTED[name](content), path)
    with pytest.raises(ValueError, match=r"network\.pt is no network of sirenlib"):
        load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"tiles": (3, 3)},
        {"tiles": (6,)},
        {"tiles": (10**9, 10**9)},
        {"tiles": (10**30, 1)},
        {"tiles": ("3", "2")},
        {"tiles": (3.0, 2)},
        {"tiles": 6},
        {"tiles": None},
        {"overlap": 2},
        {"overlap": math.nan},
        {"overlap": "much"},
        {"window": ((-1.0, 1.0),)},
        {"window": ((-1.0, 1.0),) * 3},
        {"window": ((-1.0, 1.0), (0.0, math.inf))},
        {"window": ((-1.0, 1.0, 2.0),) * 2},
        {"window": "all"},
        {"generator": None, "colour": 3},
    ],
    ids=str,
)
def test_quilt_whose_arguments_make_no_sense_is_refused(path, change):
    save(quilt(), path, picture())
    content = torch.load(path)
    content["architecture"].update(change)
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"network\.pt is no network of sirenlib"):
        load(path)


@pytest.mark.parametrize("kind", ["Siren", "Sequential", None, ["Quilt"]], ids=str)
def test_quilt_under_another_name_is_refused(path, kind):
    save(quilt(), path, picture())
    torch.save(torch.load(path) | {"kind": kind}, path)
    with pytest.raises(ValueError, match=r"network\.pt is no network of sirenlib"):
        load(path)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("", "overlap", 0.31), ("net.1", "omega_0", 29.0), ("net.0", "omega_0", 29.0)],
)
def test_quilt_that_has_been_changed_is_not_saved(path, part, name, value):
    model = quilt()
    setattr(model.get_submodule(part), name, value)
    with pytest.raises(ValueError, match=r"has been changed: use torch\.save for it"):
        save(model, path, picture())


@needs_fork
def test_file_that_claims_a_huge_quilt_is_refused_fast_and_without_memory(path):
    names = []
    for i, change in enumerate(
        [
            {"tiles": (10**5, 10**5)},
            {"tiles": (10**9, 10**9)},
            {"hidden_layers": 10**5},
            {"tiles": (1,) * 1000},
        ]
    ):
        save(quilt(), path, picture())
        content = torch.load(path)
        content["architecture"] |= change
        names.append(str(path.with_name(f"{i}.pt")))
        torch.save(content, names[-1])
    works = [
        f"try: sirenlib.load({name!r}); raise SystemExit(1)\nexcept ValueError: pass"
        for name in names
    ]
    for seconds, memory in measured(*works, cwd=path.parent):
        assert seconds < 5 and memory < 100e6


@needs_fork
def test_file_that_claims_a_huge_network_is_refused_fast_and_without_memory(path):
    names = []
    for i, change in enumerate(
        [
            {"hidden_features": 20_000},
            {"hidden_layers": 100_000},
            {"out_features": 10**9},
        ]
    ):
        save(network(), path, picture())
        content = torch.load(path)
        content["architecture"] |= change
        names.append(str(path.with_name(f"{i}.pt")))
        torch.save(content, names[-1])
        assert path.with_name(f"{i}.pt").stat().st_size < 20_000
    works = [
        f"try: sirenlib.load({name!r}); raise SystemExit(1)\nexcept ValueError: pass"
        for name in names
    ]
    # Made in memory they took 1.6 GB and 12 s, and more than a minute.
    for seconds, memory in measured(*works, cwd=path.parent):
        assert seconds < 5 and memory < 100e6


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything"
)
def test_network_that_may_not_be_read_is_a_permission_error(path):
    save(network(), path, picture())
    path.chmod(0)
    with pytest.raises(PermissionError):
        load(path)


@pytest.mark.parametrize("error", [PermissionError(13, "no"), MemoryError()])
def test_error_of_the_system_is_not_called_damage(path, monkeypatch, error):
    save(network(), path, picture())

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr("zipfile.ZipFile", refuse)
    with pytest.raises(type(error)):
        load(path)


class Attack:
    """A pickle that would make a folder when it is loaded carelessly."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("write", [torch.save, lambda o, p: p.write_bytes(o)])
def test_code_in_a_file_is_not_executed(path, write):
    attack = Attack(path.parent / "attacked")
    write(pickle.dumps(attack) if write is not torch.save else attack, path)
    with pytest.raises(ValueError, match="no network of sirenlib"):
        load(path)
    assert not attack.folder.exists()


# Drawing


@devices
def test_render_gives_height_width_channels_on_the_cpu(device):
    drawn = render(network(out_features=3).to(device), 5, 7)
    assert drawn.shape == (5, 7, 3) and drawn.device.type == "cpu"


def test_render_covers_the_grid_of_the_paper():
    model = network()
    expected = model(coordinate_grid(5, 7)).detach().reshape(5, 7, 1)
    assert torch.allclose(render(model, 5, 7), expected, atol=1e-5)


def test_render_zooms_into_a_window():
    model = network()
    whole = render(model, 9, 9)
    part = render(model, 5, 3, window=((0.0, 1.0), (-1.0, -0.5)))
    assert torch.allclose(part, whole[4:, :3], atol=1e-5)


class Watched(nn.Module):
    """Gives the coordinates back, and counts the points of each call."""

    def __init__(self):
        super().__init__()
        self.unused, self.calls = nn.Parameter(torch.zeros(1)), []

    def forward(self, coords):
        self.calls.append(len(coords))
        return coords


@pytest.mark.parametrize("shape", [(100, 100), (3, 4096), (4097, 1), (1, 1)])
def test_render_works_in_chunks(shape):
    model = Watched()
    render(model, *shape)
    assert max(model.calls) <= chunk_of(model) and sum(model.calls) == math.prod(shape)


def test_chunks_do_not_move_the_rows():
    drawn = render(Watched(), 100, 100).reshape(-1, 2)
    assert torch.equal(drawn, coordinate_grid(100, 100))


def test_render_leaves_no_graph():
    assert not render(network(), 3, 3).requires_grad


@pytest.mark.parametrize("name", ["height", "width"])
@pytest.mark.parametrize("value", [0, -3, 1.5, "7"])
def test_bad_render_size_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number from 1"):
        render(network(), **{"height": 5, "width": 5, name: value})


def test_render_is_one_forward_pass_in_parts():
    model = network(out_features=3)
    window = ((-0.5, 0.25), (2.0, -1.0))
    drawn = render(model, 70, 90, window)
    coords = grid_between([(-0.5, 0.25, 70), (2.0, -1.0, 90)])
    assert torch.allclose(drawn.reshape(-1, 3), model(coords).detach(), atol=1e-5)


def test_what_was_drawn_can_be_used_like_any_tensor():
    model = network()
    drawn = render(model, 4, 5)
    weight = torch.ones(1, requires_grad=True)
    loss = (drawn * weight).sum() + (
        model(coordinate_grid(4, 5)) - drawn.reshape(-1, 1)
    ).square().mean()
    loss.backward()
    assert weight.grad.isfinite().all() and not drawn.is_inference()
    assert drawn.clamp_(0, 0.1).max() <= 0.1


@pytest.mark.parametrize("name", ["height", "width"])
def test_picture_wider_than_a_file_can_be_is_refused_at_once(name):
    model = Watched()
    sides = {"height": 1, "width": 1, name: LARGEST + 1}
    with pytest.raises(ValueError, match=f"{name} must be at most 65535, not 65536"):
        render(model, **sides)
    assert model.calls == []
    assert render(model, **{**sides, name: LARGEST}).numel() == 2 * LARGEST


def layered():
    return nn.Sequential(
        nn.Linear(2, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(32, 1),
    )


def test_drawing_uses_evaluation_mode_and_puts_every_mode_back():
    model = layered()
    model(torch.rand(99, 2))
    model[1].eval()  # one part was frozen by its user
    before = {name: w.clone() for name, w in model.state_dict().items()}
    drawn = render(model, 6, 7)
    signal = picture(6, 7)
    value, _, _ = evaluate(model, signal.coords)
    assert [part.training for part in model] == [True, False, True, True, True]
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())
    expected = model.eval()(signal.coords).detach()
    for found in (drawn.reshape(-1, 1), value):
        assert torch.allclose(found, expected, atol=1e-6)


def test_mode_is_put_back_after_an_error():
    model = layered()
    with pytest.raises(RuntimeError):
        evaluate(model, torch.rand(4, 3))
    assert all(part.training for part in model)


class Formula(nn.Module):
    def forward(self, coords):
        return coords.square().sum(1, keepdim=True)


def test_formula_without_parameters_is_drawn():
    drawn = render(Formula(), 3, 3)
    assert drawn.squeeze(-1).tolist() == [[2, 1, 2], [1, 0, 1], [2, 1, 2]]
    _, slopes, curvature = evaluate(Formula(), coordinate_grid(3, 3))
    assert torch.equal(slopes, 2 * coordinate_grid(3, 3)) and (curvature == 4).all()


def test_coordinates_of_any_type_and_with_a_graph_are_evaluated():
    model = network()
    coords = coordinate_grid(5, 5)
    expected = evaluate(model, coords)
    for dtype in (torch.float64, torch.float32):
        given = coords.to(dtype).requires_grad_()
        for found, wanted in zip(evaluate(model, given), expected, strict=True):
            assert torch.equal(found, wanted) and not found.requires_grad
