"""The first omega_0 that is suggested for a signal."""

import math

import numpy as np
import pytest
import torch
from skimage import data

from sirenlib import (
    Signal,
    Siren,
    cameraman,
    coordinate_grid,
    image_signal,
    suggest_omega_0,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(shape, **options):
    """A signal without any frequency that it lacks."""
    coords = coordinate_grid(*shape, **options)
    values = torch.rand(len(coords), 1, generator=seeded()) * 2 - 1
    return Signal(coords, values, shape)


@pytest.mark.parametrize("name", ["camera", "astronaut", "coffee", "brick"])
@pytest.mark.parametrize("keep_aspect", [False, True])
def test_photograph_gets_a_third_of_its_pixels(name, keep_aspect):
    picture = getattr(data, name)()
    signal = image_signal(picture, 128, keep_aspect=keep_aspect)
    assert suggest_omega_0(signal) == pytest.approx(128 / 3, rel=0.01)


@pytest.mark.parametrize("shape", [(128, 32), (32, 128)])
def test_finer_axis_counts_where_a_picture_is_elongated(shape):
    assert suggest_omega_0(noise(shape)) == pytest.approx(127 / 3)
    square = suggest_omega_0(noise(shape, keep_aspect=True))
    # From end to end the short side has 31 steps on a quarter of the length.
    assert square == pytest.approx(127 / 3, rel=0.03)


@pytest.mark.parametrize(
    ("shape", "share"), [((128,), 6), ((64, 64), 3), ((20, 24, 28), 2)]
)
def test_dimension_is_a_factor(shape, share):
    signal = noise(shape)
    assert suggest_omega_0(signal) == pytest.approx((max(shape) - 1) / share)
    # Three times as long: all its frequencies are a third.
    long = Signal(3 * signal.coords, signal.values, shape)
    assert suggest_omega_0(long) == pytest.approx((max(shape) - 1) / share / 3)
    back = Signal(-signal.coords, signal.values, shape)
    assert suggest_omega_0(back) == pytest.approx(suggest_omega_0(signal))


@pytest.mark.parametrize("half_waves", [200, 500, 900])
def test_sound_gets_a_fifth_of_its_top_frequency(half_waves):
    x = coordinate_grid(8192, centers=True)
    top = half_waves * math.pi / 2
    sound = 0.2 * torch.cos(top * (x + 1)) + 0.6 * torch.cos(5 * (x + 1))
    found = suggest_omega_0(Signal(x, sound, (8192,)))
    assert type(found) is float and found == pytest.approx(top / 5, rel=0.03)


@pytest.mark.parametrize("omega", [200, 400, 1000])
def test_sine_gets_about_a_fifth_of_its_frequency(omega):
    x = coordinate_grid(8192)
    found = suggest_omega_0(Signal(x, 0.9 * torch.sin(omega * x), (8192,)))
    # The ends of a wave that does not fit hold a thousandth up to twice its frequency.
    assert omega / 5 <= found <= 2.1 * omega / 5


@pytest.mark.parametrize("omega", [2, 20, 60])
def test_what_moves_slowly_gets_30_on_two_units(omega):
    x = coordinate_grid(4096)
    sine = torch.sin(omega * x)
    for length in (1.0, 3.5):
        found = suggest_omega_0(Signal(length * x, sine, (4096,)))
        assert found == pytest.approx(30 / length)


def test_fast_sine_gets_what_noise_gets():
    x = coordinate_grid(256)
    sine = Signal(x, torch.sin(0.9 * 127.5 * math.pi * x), (256,))
    assert suggest_omega_0(sine) == pytest.approx(255 / 6)


def test_slow_picture_gets_less_than_a_photograph():
    grid = coordinate_grid(128, 128, centers=True)
    wave = torch.cos(10 * math.pi / 2 * (grid[:, :1] + 1))
    found = suggest_omega_0(Signal(grid, wave, (128, 128)))
    # Along the other axis nothing moves: there its limit is that of the grid.
    assert found == pytest.approx(128 / 3)
    both = wave * torch.cos(60 * math.pi / 2 * (grid[:, 1:] + 1))
    found = suggest_omega_0(Signal(grid, both, (128, 128)))
    assert found == pytest.approx(2 * 61 * math.pi / 2 / 5)


def test_mean_of_a_signal_does_not_count():
    x = coordinate_grid(1024, centers=True)
    wave = 0.01 * torch.cos(60 * math.pi / 2 * (x + 1))
    without, raised = (Signal(x, wave + mean, (1024,)) for mean in (0.0, 0.9))
    assert suggest_omega_0(raised) == pytest.approx(suggest_omega_0(without), rel=0.02)


def test_direction_channels_and_offset_do_not_count():
    coords = coordinate_grid(401)
    wave = torch.sin(30 * coords)
    expected = suggest_omega_0(Signal(coords, wave, (401,)))
    turned = Signal(-coords, wave, (401,))
    two = Signal(coords, torch.cat([wave, 0 * wave], 1), (401,))
    lifted = Signal(coords, wave + 1000, (401,), (0.0, 2000.0))
    for other in (turned, two, lifted):
        assert suggest_omega_0(other) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_constant_picture_gets_what_a_photograph_gets(value):
    signal = Signal(coordinate_grid(64, 64), torch.full((4096, 1), value), (64, 64))
    assert suggest_omega_0(signal) == pytest.approx(63 / 3)


def test_scattered_points_count_by_their_mean_distance():
    coords = torch.rand(4096, 2, generator=seeded()) * 2 - 1
    signal = Signal(coords, coords[:, :1], (4096,))
    assert suggest_omega_0(signal) == pytest.approx(64 / 3, rel=0.01)
    tripled = Signal(3 * coords, coords[:, :1], (4096,))
    assert suggest_omega_0(tripled) == pytest.approx(64 / 9, rel=0.01)
    line = Signal(coords[:, :1], coords[:, 1:], (4096,))
    assert math.isfinite(suggest_omega_0(line))


def test_points_all_at_one_place_get_a_number():
    signal = Signal(torch.zeros(4, 2), torch.zeros(4, 1), (4,))
    assert suggest_omega_0(signal) > 0


def test_grid_of_one_row_is_taken_as_points():
    x = torch.stack([torch.zeros(64), torch.linspace(-1, 1, 64)], 1)
    signal = Signal(x, torch.zeros(64, 1), (1, 64))
    assert np.isfinite(suggest_omega_0(signal)) and suggest_omega_0(signal) > 0


def test_subset_is_of_scattered_points():
    signal = noise((6, 5))
    for rows in (torch.arange(30) % 3 == 0, torch.arange(0, 30, 3)):
        part = signal.subset(rows)
        assert part.shape == (10,) and not part.is_grid
        assert torch.equal(part.coords, signal.coords[::3])
        assert torch.equal(part.values, signal.values[::3])
        assert part.value_range == signal.value_range and part.weights is None


def test_subset_keeps_the_weights():
    plain, counts = noise((6, 5)), torch.arange(1.0, 31)[:, None]
    signal = Signal(plain.coords, plain.values, (6, 5), (-2, 3), counts)
    part = signal.subset(torch.tensor([7, 3]))
    assert part.weights.tolist() == [[8], [4]] and part.value_range == (-2, 3)


@pytest.mark.parametrize(
    ("layers", "times"), [(0, 3), (1, 3), (2, 1.5), (3, 1), (4, 1), (9, 1)]
)
def test_fewer_hidden_layers_may_have_more(layers, times):
    signal = cameraman(64)
    found = suggest_omega_0(signal, layers) / suggest_omega_0(signal)
    assert found == pytest.approx(times)
    model = Siren.for_signal(signal, 8, layers)
    assert model.first_omega_0 == suggest_omega_0(signal, layers)
