"""Networks in files: what comes back, what is refused, and drawing them again."""

import math
import os
import pickle

import numpy as np
import pytest
import torch
from devices import devices
from torch import nn

from sirenlib import (
    Signal,
    Siren,
    coordinate_grid,
    files,
    image_signal,
    load,
    render,
    save,
)
from sirenlib.evaluation import chunk_of


def picture(height=12, width=9, **options):
    pixels = np.linspace(0, 1, height * width).reshape(height, width)
    return image_signal(pixels, **options)


def network(**options):
    return Siren(2, 16, 1, options.pop("out_features", 1), **options)


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
    assert max(model.calls) <= chunk_of(torch.device("cpu")) and sum(
        model.calls
    ) == math.prod(shape)


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
