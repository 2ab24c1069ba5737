"""Grids and pictures: their order, their range, and what is refused."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from sirenlib import Signal, cameraman, coordinate_grid, image_signal


def color_picture(height=6, width=8):
    """A smooth RGB picture, different in every pixel and channel."""
    row, column = np.mgrid[0:height, 0:width]
    channels = [20 * row, 20 * column, 255 - 10 * row - 10 * column]
    return np.stack(channels, -1).astype(np.uint8)


def unit(signal):
    """The values as a picture in [0, 1]."""
    return (signal.array() + 1) / 2


def opened(path):
    """What the values of a picture file must be, for a file without surprises."""
    return np.asarray(Image.open(path), dtype=np.float64) / 255


@pytest.fixture
def photo(tmp_path):
    """A function that writes a picture and returns its path."""

    def write(image, name="photo.png", **options):
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return write


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


# Pictures of every kind


def test_gray_array():
    gray = color_picture()[..., 0]
    picture = image_signal(gray)
    assert picture.values.shape == (48, 1) and picture.shape == (6, 8)
    assert np.allclose(unit(picture), gray / 255, atol=1e-7)


def test_color_array():
    picture = image_signal(color_picture())
    assert picture.values.shape == (48, 3)
    assert np.allclose(unit(picture), color_picture() / 255, atol=1e-7)


def test_black_is_minus_one_and_white_is_one():
    values = image_signal(np.array([[0, 255], [255, 0]], np.uint8)).values
    assert values.flatten().tolist() == [-1, 1, 1, -1]


def test_picture_has_the_coordinates_of_its_grid():
    assert torch.equal(image_signal(color_picture()).coords, coordinate_grid(6, 8))


def test_options_of_the_grid_are_passed_on():
    picture = image_signal(color_picture(), centers=True, keep_aspect=True)
    expected = coordinate_grid(6, 8, centers=True, keep_aspect=True)
    assert torch.equal(picture.coords, expected)


@pytest.mark.parametrize(
    ("array", "top"),
    [
        (np.array([[0, 65535], [30000, 7]], np.uint16), 65535),
        (np.array([[0.0, 1.0], [0.25, 0.5]]), 1),
        (np.array([[0.0, 1.0], [0.25, 0.5]], np.float16), 1),
        (np.array([[False, True], [True, True]]), 1),
    ],
)
def test_range_of_an_array_is_that_of_its_dtype(array, top):
    assert np.allclose(unit(image_signal(array)), array / top, atol=1e-7)


def test_transparent_array_lies_on_white():
    gray_alpha = np.array([[[0, 255], [0, 0]], [[0, 51], [100, 255]]], np.uint8)
    expected = [[0, 1], [0.8, 100 / 255]]
    assert np.allclose(unit(image_signal(gray_alpha)), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp", "a.ppm"])
def test_color_file(photo, name):
    path = photo(color_picture(), name)
    assert np.allclose(unit(image_signal(path)), opened(path), atol=1e-7)


def test_path_may_be_a_string(photo):
    assert image_signal(str(photo(color_picture()))).shape == (6, 8)


def test_transparent_file_lies_on_white(photo):
    alpha = np.full((6, 8, 1), 51, np.uint8)  # a fifth
    path = photo(np.concatenate([color_picture(), alpha], -1))
    expected = color_picture() / 255 / 5 + 4 / 5
    assert np.allclose(unit(image_signal(path)), expected, atol=1e-6)


def test_transparent_gray_file_lies_on_white(photo):
    image = Image.fromarray(color_picture()[..., 0])
    image.putalpha(0)
    assert np.allclose(unit(image_signal(photo(image))), 1)


def test_sixteen_bit_file_keeps_its_precision(photo):
    array = np.array([[0, 65535], [30000, 30001]], np.uint16)
    picture = unit(image_signal(photo(array)))
    assert np.allclose(picture, array / 65535, atol=1e-6)


def test_palette_file_is_color(photo):
    image = Image.fromarray(color_picture()).quantize(16)
    expected = np.asarray(image.convert("RGB")) / 255
    assert np.allclose(unit(image_signal(photo(image))), expected, atol=1e-6)


def test_transparent_palette_entry_is_white(photo):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    picture = unit(image_signal(photo(image, transparency=0)))
    assert np.allclose(picture[0], [[1, 1, 1], [0, 0, 1]], atol=1e-6)


def test_transparent_color_of_an_rgb_file_is_white(photo):
    array = np.zeros((2, 2, 3), np.uint8)
    array[0, 0] = 255, 0, 0
    path = photo(array, transparency=(255, 0, 0))
    assert np.allclose(unit(image_signal(path))[0, 0], 1)


def test_transparent_gray_level_is_white(photo):
    path = photo(np.array([[9, 0], [0, 0]], np.uint8), transparency=9)
    assert np.isclose(unit(image_signal(path)).flat[0], 1)


def test_one_bit_file_is_black_and_white(photo):
    image = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert unit(image_signal(photo(image))).tolist() == [[0, 1], [1, 0]]


def test_cmyk_file_is_color(photo):
    red = Image.new("RGB", (16, 16), (255, 0, 0)).convert("CMYK")
    picture = unit(image_signal(photo(red, "a.jpg", quality=95)))
    assert np.allclose(picture[8, 8], [1, 0, 0], atol=0.03)  # JPEG loses a little


def test_rotated_file_stands_upright(photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned clockwise
    path = photo(color_picture(), exif=exif)
    expected = np.rot90(color_picture(), -1) / 255
    assert np.allclose(unit(image_signal(path)), expected, atol=1e-6)


def test_float_file_keeps_its_values(photo):
    array = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    picture = image_signal(photo(array, "a.tif"))
    assert np.allclose(unit(picture), array, atol=1e-6)


# Size


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((40, 80), 20, (10, 20)),
        ((80, 40), 20, (20, 10)),
        ((30, 30), 15, (15, 15)),
        ((10, 20), 40, (20, 40)),
        ((6, 8), None, (6, 8)),
    ],
)
def test_size_is_the_longer_side(shape, size, expected):
    assert image_signal(color_picture(*shape), size).shape == expected


def test_shrinking_is_anti_aliased():
    # One white column in eight: without a filter every sample falls between them.
    stripes = np.tile(np.array([255] + [0] * 7, np.uint8), (64, 8))
    small = unit(image_signal(stripes, 8))
    assert np.abs(small[:, 2:-2] - 1 / 8).max() < 0.03


def test_shrinking_keeps_the_mean():
    picture = color_picture(64, 64) % 200
    small, large = image_signal(picture, 32), image_signal(picture)
    assert np.allclose(small.array().mean(), large.array().mean(), atol=0.02)


def test_size_of_its_own_changes_nothing():
    picture = color_picture()
    assert np.allclose(image_signal(picture, 8).array(), image_signal(picture).array())


@pytest.mark.parametrize("size", [0, -3, 1, "a", 1.5, True, math.nan])
def test_bad_size_is_named(size):
    with pytest.raises(ValueError, match=r"^size must be a whole number from 2, not"):
        image_signal(color_picture(), size)


def test_bad_size_is_found_before_the_file_is_read():
    with pytest.raises(ValueError, match="size"):
        image_signal("there is no such file", 0)


# Bad pictures


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png: there is no such file"):
        image_signal(tmp_path / "gone.png")


def test_folder(tmp_path):
    with pytest.raises(ValueError, match="is a folder: give the picture file itself"):
        image_signal(tmp_path)


MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(2000)


@pytest.mark.parametrize(
    "content",
    [b"", b"just words\n" * 50, MP4, b"\x89PNG\r\n\x1a\n", b"P6\n24", b"BM"],
    ids=["empty", "text", "mp4", "png-head", "ppm-head", "bmp-head"],
)
def test_file_that_is_no_picture_gets_a_remedy(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^photo\.jpg cannot be read.*save it as PNG"):
        image_signal(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.tif", "a.webp"])
def test_truncated_file_gets_a_remedy(photo, name, part):
    path = photo(color_picture(64, 64) ^ 90, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=r"damaged.*save it as PNG"):
        image_signal(path)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_animation_says_how_many_frames(photo, name):
    frames = [Image.new("RGB", (8, 8), (0, 0, 90 * i)) for i in range(3)]
    path = photo(frames[0], name, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=f"{name} has 3 frames.*Save one frame as PNG"):
        image_signal(path)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 4), np.int64), "dtype int64, whose white is not known"),
        (np.zeros((4, 4), np.int8), "dtype int8"),
        (np.zeros((4, 4), complex), "dtype complex128"),
        (np.full((4, 4), "a"), "dtype"),
        (np.full((4, 4), -0.1), r"from -0\.1 to -0\.1: scale them to \[0, 1\]"),
        (np.full((4, 4), 255.0), "from 255 to 255: scale them"),
        (np.full((4, 4), math.nan), "NaN or infinite pixels: replace them"),
        (np.full((4, 4), math.inf), "NaN or infinite pixels"),
        (np.zeros((4, 4, 5), np.uint8), r"shape \(4, 4, 5\); a picture is \(H, W\)"),
        (np.zeros((3, 64, 64), np.uint8), r"shape \(3, 64, 64\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\)"),
    ],
)
def test_bad_array_says_why(array, reason):
    with pytest.raises(ValueError, match=f"^the array .*{reason}"):
        image_signal(array)


@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_picture_one_pixel_thin_is_refused(shape, size):
    height, width = shape
    with pytest.raises(ValueError, match=f"{width}x{height} pixels: .* 2 on each side"):
        image_signal(np.zeros(shape, np.uint8), size)


def test_float_file_out_of_range_is_named(photo):
    path = photo(np.full((4, 4), 255, np.float32), "a.tif")
    with pytest.raises(ValueError, match=r"^a\.tif has float pixels from 255"):
        image_signal(path)


# The bundled picture


def test_cameraman_is_square_gray_and_in_range():
    picture = cameraman(64)
    assert picture.shape == (64, 64) and picture.values.shape == (4096, 1)
    assert -1 <= picture.values.min() < -0.9 and 0.8 < picture.values.max() <= 1


def test_cameraman_has_256_pixels_by_default():
    assert cameraman().shape == (256, 256)
