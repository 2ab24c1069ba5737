"""Grids and signals: their order, their range, and what is refused."""

import math

import numpy as np
import pytest
import torch

from sirenlib import Signal, array_signal, coordinate_grid, image_signal
from sirenlib.signals import grid_between

# The grid


def test_grid_runs_row_by_row_from_end_to_end():
    assert coordinate_grid(2, 3).tolist() == [
        [-1, -1],
        [-1, 0],
        [-1, 1],
        [1, -1],
        [1, 0],
        [1, 1],
    ]


def test_grid_of_centers_tiles_the_interval():
    assert coordinate_grid(4, centers=True).flatten().tolist() == [
        -0.75,
        -0.25,
        0.25,
        0.75,
    ]


def test_every_axis_spans_the_interval_by_default():
    grid = coordinate_grid(3, 7)
    assert grid.amin(0).tolist() == [-1, -1] and grid.amax(0).tolist() == [1, 1]


def test_aspect_is_kept_on_request():
    grid = coordinate_grid(3, 6, keep_aspect=True)
    assert grid.amin(0).tolist() == [-0.5, -1] and grid.amax(0).tolist() == [0.5, 1]


def test_centers_with_aspect_are_square_cells():
    grid = coordinate_grid(3, 6, centers=True, keep_aspect=True).reshape(3, 6, 2)
    height, width = grid[1, 0, 0] - grid[0, 0, 0], grid[0, 1, 1] - grid[0, 0, 1]
    assert math.isclose(height, 1 / 3, rel_tol=1e-6)
    assert math.isclose(width, 1 / 3, rel_tol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 4)])
def test_grid_has_a_row_for_each_point(shape):
    grid = coordinate_grid(*shape)
    assert grid.shape == (math.prod(shape), len(shape)) and grid.dtype == torch.float32


@pytest.fixture
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_grid_is_float32_whatever_the_default(float64_by_default):
    assert coordinate_grid(4, 5).dtype == torch.float32
    assert image_signal(np.zeros((4, 5))).values.dtype == torch.float32


def test_grid_between_runs_from_the_first_to_the_last_also_downwards():
    grid = grid_between([(1.0, -1.0, 2), (0.0, 3.0, 3)])
    assert grid.tolist() == [[1, 0], [1, 1.5], [1, 3], [-1, 0], [-1, 1.5], [-1, 3]]


def test_last_axis_runs_fastest():
    grid = coordinate_grid(2, 3, 4).reshape(2, 3, 4, 3)
    assert torch.equal(grid[0, 0, :, 2], torch.linspace(-1, 1, 4))
    assert torch.equal(grid[:, 0, 0, 0], torch.linspace(-1, 1, 2))


@pytest.mark.parametrize("shape", [(0,), (4, 1), (4, -2), (2.5,), ("4",), (True, 4)])
def test_bad_grid_names_the_axis(shape):
    with pytest.raises(ValueError, match=r"shape\[\d\] must be a whole number from 2"):
        coordinate_grid(*shape)


def test_empty_grid_is_refused():
    with pytest.raises(ValueError, match="shape is empty"):
        coordinate_grid()


# The signal


def signal(**changes):
    fields = {"coords": coordinate_grid(2, 3), "values": torch.zeros(6, 1)}
    return Signal(**{**fields, "shape": (2, 3), **changes})


def test_data_range_is_high_minus_low():
    assert signal(value_range=(-3.0, 5.0)).data_range == 8


def test_array_has_the_shape_of_the_grid():
    values = torch.arange(6.0)[:, None] / 6
    assert torch.equal(
        torch.from_numpy(signal(values=values).array()), values.reshape(2, 3)
    )


def test_array_of_colors_has_channels_last():
    assert signal(values=torch.zeros(6, 3)).array().shape == (2, 3, 3)


def test_moving_keeps_shape_and_range():
    moved = signal(value_range=(-3.0, 5.0)).to("cpu")
    assert moved.shape == (2, 3) and moved.value_range == (-3.0, 5.0)


@pytest.mark.parametrize("name", ["coords", "values"])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.zeros((6, 1)), "floating-point tensor, not float64"),
        ([[0.0]] * 6, "floating-point tensor, not list"),
        (torch.zeros(6, 1, dtype=torch.int64), "not torch.int64"),
        (torch.zeros(6, 1, dtype=torch.bool), "not torch.bool"),
        (torch.zeros(6), r"shape \(N, channels\) and N > 0, not \(6,\)"),
        (torch.zeros(0, 1), r"not \(0, 1\)"),
        (torch.zeros(6, 0), r"not \(6, 0\)"),
        (torch.full((6, 1), math.nan), "6 NaN or infinite entries: remove them"),
        (torch.tensor([[0.0]] * 5 + [[math.inf]]), "1 NaN or infinite entries"),
    ],
)
def test_bad_table_is_named(name, bad, reason):
    with pytest.raises(ValueError, match=f"^{name} .*{reason}"):
        signal(**{name: bad})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"values": torch.zeros(5, 1)}, "coords has 6 rows and values has 5"),
        ({"shape": (2, 4)}, r"shape \(2, 4\) has 8 points, coords has 6"),
        ({"shape": (-2, -3)}, "shape"),
        ({"values": torch.full((6, 1), 1.5)}, "values go from 1.5 to 1.5, outside"),
        ({"value_range": (1.0, -1.0)}, "value_range .* must be"),
        ({"value_range": (0.0, 0.0)}, "value_range .* must be"),
        ({"value_range": (math.nan, 1.0)}, "value_range .* must be"),
        ({"value_range": (-math.inf, math.inf)}, "value_range"),
    ],
)
def test_inconsistent_signal_says_why(changes, reason):
    with pytest.raises(ValueError, match=reason):
        signal(**changes)


def test_signals_are_compared_as_objects():
    one, other = signal(), signal()
    assert one == one and one != other and len({one, other, one}) == 2


def test_coordinates_that_ask_for_gradients_can_be_used():
    coords = coordinate_grid(2, 3).requires_grad_()
    values = torch.zeros(6, 1, requires_grad=True)
    asking = signal(coords=coords, values=values)
    assert asking.array().shape == (2, 3)
    assert asking.corners() == ((-1.0, 1.0), (-1.0, 1.0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_array_of_every_floating_type_has_the_values(dtype):
    values = torch.tensor([[0.0], [0.5], [-1], [1], [-0.25], [0.75]], dtype=dtype)
    assert signal(values=values).array().tolist() == [[0, 0.5, -1], [1, -0.25, 0.75]]


@pytest.mark.parametrize(
    ("first", "last"), [((-1.0, -1.0), (1.0, 1.0)), ((1.0, -0.5), (-1.0, 2.0))]
)
def test_corners_are_the_first_and_the_last_coordinates(first, last):
    coords = grid_between([(first[0], last[0], 2), (first[1], last[1], 3)])
    corners = signal(coords=coords).corners()
    assert corners == ((first[0], last[0]), (first[1], last[1]))


def test_corners_of_scattered_points_are_the_extremes():
    coords = torch.tensor([[0.0, 2.0], [3.0, -1.0], [1.0, 0.0]])
    scattered = Signal(coords, torch.zeros(3, 1), (3,))
    assert scattered.corners() == ((0.0, 3.0), (-1.0, 2.0))


@pytest.mark.parametrize(
    ("shape", "is_grid"), [((2, 3), True), ((6, 1), False), ((6,), False)]
)
def test_grid_has_an_axis_of_points_for_each_coordinate(shape, is_grid):
    assert signal(shape=shape).is_grid == is_grid


# Weights, and points left out


def test_weights_count_by_value_and_are_moved_along():
    values = torch.zeros(6, 3)
    assert signal(values=values).total_weight == 18
    rows = torch.tensor([[0.0], [1], [1], [2], [0], [1]])
    weighted = signal(values=values, weights=rows)
    assert weighted.total_weight == 15
    assert torch.equal(weighted.to("cpu").weights, rows)
    each = torch.zeros(6, 3)
    each[2, 1] = 0.5
    assert signal(values=values, weights=each).total_weight == 0.5


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (torch.ones(6), r"weights must have shape \(N, channels\)"),
        (torch.ones(6, 3), r"shape \(6, 3\): give one a row, \(6, 1\), or one a value"),
        (torch.ones(5, 1), r"shape \(5, 1\): give one a row"),
        (
            torch.ones(6, 1, dtype=torch.int64),
            "weights must be a floating-point tensor",
        ),
        (np.ones((6, 1)), "weights must be a floating-point tensor, not float64"),
        (torch.zeros(6, 1), "weights go from 0 to 0: .* one must be positive"),
        (
            torch.tensor([[1.0]] * 5 + [[-0.5]]),
            "weights go from -0.5 to 1: none may be",
        ),
        (torch.full((6, 1), math.nan), "weights holds 6 NaN or infinite"),
    ],
)
def test_bad_weights_say_why(weights, reason):
    with pytest.raises(ValueError, match=reason):
        signal(values=torch.zeros(6, 2), weights=weights)


def test_subset_holds_the_rows_of_a_mask_or_of_numbers():
    values = torch.linspace(-1, 1, 6)[:, None]
    weights = torch.arange(6.0)[:, None]
    whole = signal(values=values, weights=weights, value_range=(-2.0, 3.0))
    mask = torch.tensor([False, True, False, False, True, True])
    for rows in (mask, torch.tensor([1, 4, 5])):
        part = whole.subset(rows)
        assert torch.equal(part.coords, whole.coords[[1, 4, 5]])
        assert torch.equal(part.values, values[[1, 4, 5]])
        assert torch.equal(part.weights, weights[[1, 4, 5]])
        assert (part.shape, part.value_range) == ((3,), (-2.0, 3.0))
        assert not part.is_grid
    assert signal().subset(mask).weights is None


def test_subset_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"N > 0, not \(0, 2\)"):
        signal().subset(torch.zeros(6, dtype=torch.bool))


# The rule for omega_0


def noise(*shape):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(math.prod(shape), 1, generator=generator) * 2 - 1
    return Signal(coordinate_grid(*shape), values, shape)


def test_grid_is_what_lies_evenly():
    x = torch.linspace(-1, 1, 33)[:, None]
    line = Signal(x, x, (33,))
    assert line.is_grid and line.subset(torch.arange(0, 33, 2)).is_grid
    shuffled = line.subset(torch.randperm(33))
    uneven = Signal(x**3, x, (33,))
    one_place = Signal(0 * x, x, (33,))
    turned = Signal(-x, x, (33,))
    tiny = Signal(1e-7 * x + 1e-7 * x**3, x, (33,))
    for other in (shuffled, uneven, one_place, tiny):
        assert not other.is_grid
    assert turned.is_grid and turned.corners() == ((1.0, -1.0),)
    assert shuffled.corners() == line.corners() == ((-1.0, 1.0),)
    double = Signal(x.double() / 3, x, (33,))
    assert double.is_grid


def test_row_of_points_has_the_corners_of_a_picture():
    x = torch.stack([torch.zeros(8), torch.linspace(1, -1, 8)], 1)
    row = Signal(x, torch.zeros(8, 1), (1, 8))
    assert not row.is_grid and row.corners() == ((0.0, 0.0), (1.0, -1.0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("side", [16, 64, 256])
def test_grid_is_known_in_every_precision(dtype, side):
    coords = coordinate_grid(side, side).to(dtype)
    coords[:, 0] *= -1
    signal = Signal(coords, torch.zeros(side**2, 1), (side, side))
    assert signal.is_grid and signal.corners() == ((1.0, -1.0), (-1.0, 1.0))


def test_shuffled_times_far_from_zero_are_no_grid():
    times = 1.7e9 + torch.arange(800, dtype=torch.float64)[:, None] / 100
    series = Signal(times, torch.zeros(800, 1), (800,))
    assert series.is_grid and not series.subset(torch.randperm(800)).is_grid


# Arrays


@pytest.mark.parametrize("shape", [(9,), (4, 5), (2, 3, 4)])
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_array_with_any_number_of_axes(shape, kind):
    values = np.arange(np.prod(shape)).reshape(shape) - 20
    signal = array_signal(kind(values))
    assert signal.is_grid and signal.shape == shape
    assert signal.coords.equal(coordinate_grid(*shape))
    assert (signal.array() == values).all()
    largest = abs(values).max()
    assert signal.value_range == (-largest, largest)


def test_array_with_a_range_of_its_own():
    assert array_signal(np.zeros(5), value_range=(0, 2)).data_range == 2
    with pytest.raises(ValueError, match="outside value_range"):
        array_signal(np.arange(5), value_range=(0, 2))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), "nothing to learn"),
        (np.ones((3, 1)), r"shape\[1\]"),
        (np.ones(()), "shape is empty"),
        (np.ones(3, complex), "real numbers"),
        (np.ones(3, bool), "real numbers"),
        (np.array([1, np.nan]), "NaN"),
    ],
)
def test_array_that_is_no_signal(values, message):
    with pytest.raises(ValueError, match=message):
        array_signal(values)
