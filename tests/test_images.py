"""Pictures from files, arrays and Pillow: read right, shrunk right, or refused."""

import math
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from measuring import measured, needs_fork
from PIL import Image, ImageCms
from skimage.transform import resize

from sirenlib import cameraman, coordinate_grid, image_signal, images, to_pixels


def color_picture(height=6, width=8):
    """A smooth RGB picture, different in every pixel and channel."""
    row, column = np.mgrid[0:height, 0:width]
    channels = [20 * row, 20 * column, 255 - 10 * row - 10 * column]
    return np.stack(channels, -1).astype(np.uint8)


def smooth_picture(height, width):
    """A smooth RGB picture, of any size, that no turn or mirror leaves as it is."""
    row, column = np.mgrid[0:height, 0:width]
    third = 0.5 + 0.5 * np.sin(7 * row / height) * np.cos(5 * column / width)
    channels = [row / height, column / width, third]
    return (np.stack(channels, -1) * 255).round().astype(np.uint8)


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


def test_float_file_keeps_its_values(photo):
    array = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    picture = image_signal(photo(array, "a.tif"))
    assert np.allclose(unit(picture), array, atol=1e-6)


# A Pillow image itself, and its file

GRAY, ALPHA = color_picture()[..., 0], np.full((6, 8), 51, np.uint8)  # a fifth
ON_WHITE = 4 / 5 + GRAY / 255 / 5
COLOR_ON_WHITE = 4 / 5 + color_picture() / 255 / 5
DEEP = (GRAY.astype(np.uint16) << 8) + 3


def two_colors(mode="P"):
    image = Image.fromarray(GRAY // 100, "P")
    image.putpalette([250, 0, 10, 20, 30, 240])
    return image.convert(mode)


def clear_color():
    image = two_colors()
    image.info["transparency"] = 0
    return image


def half_clear_color():
    image = two_colors()
    image.info["transparency"] = bytes([51, 255])
    return image


def in_lab():
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    return ImageCms.applyTransform(Image.fromarray(color_picture()), transform)


def colors(first=(250, 0, 10)):
    choice = np.array([first, (20, 30, 240)]) / 255
    return choice[GRAY // 100]


def rgb(mode):
    return Image.fromarray(color_picture()).convert(mode)


# Mode and kind, how it is made, the picture in [0, 1], and a file that can hold it.
KINDS = {
    "1": (lambda: Image.fromarray(GRAY > 50), GRAY > 50, "a.png"),
    "L": (lambda: Image.fromarray(GRAY), GRAY / 255, "a.png"),
    "LA": (lambda: Image.fromarray(np.dstack([GRAY, ALPHA])), ON_WHITE, "a.png"),
    "La": (
        lambda: Image.fromarray(np.dstack([GRAY, ALPHA])).convert("La"),
        ON_WHITE,
        None,
    ),
    "P": (two_colors, colors(), "a.gif"),
    "P, clear": (clear_color, colors((255, 255, 255)), "a.png"),
    "P, half clear": (half_clear_color, colors((254, 204, 206)), "a.png"),
    "PA": (lambda: two_colors("PA"), colors(), "a.tif"),
    "RGB": (lambda: rgb("RGB"), color_picture() / 255, "a.png"),
    "RGBA": (
        lambda: Image.fromarray(np.dstack([color_picture(), ALPHA])),
        COLOR_ON_WHITE,
        "a.png",
    ),
    "RGBa": (
        lambda: Image.fromarray(np.dstack([color_picture(), ALPHA])).convert("RGBa"),
        COLOR_ON_WHITE,
        None,
    ),
    "RGBX": (lambda: rgb("RGBX"), color_picture() / 255, "a.tif"),
    "CMYK": (lambda: rgb("CMYK"), color_picture() / 255, "a.tif"),
    "YCbCr": (lambda: rgb("YCbCr"), color_picture() / 255, "a.tif"),
    "HSV": (lambda: rgb("HSV"), color_picture() / 255, None),
    "LAB": (in_lab, color_picture() / 255, "a.tif"),
    "I": (lambda: Image.fromarray(DEEP.astype(np.int32)), DEEP / 65535, "a.tif"),
    "I;16": (lambda: Image.fromarray(DEEP), DEEP / 65535, "a.png"),
    "I;16B": (lambda: Image.fromarray(DEEP.astype(">u2")), DEEP / 65535, "a.tif"),
    "I;16L": (
        lambda: Image.frombytes("I;16L", (8, 6), DEEP.astype("<u2").tobytes()),
        DEEP / 65535,
        None,
    ),
    "F": (
        lambda: Image.fromarray((GRAY / 255).astype(np.float32)),
        GRAY / 255,
        "a.tif",
    ),
}
# Conversions in 8 bits round; that of Lab also cuts off what it cannot hold.
ROUGH = {"YCbCr": 0.015, "HSV": 0.02, "LAB": 0.15, "La": 0.004, "RGBa": 0.004}


@pytest.mark.parametrize("kind", KINDS)
def test_pillow_image_of_every_mode_is_the_picture_that_it_shows(kind):
    make, expected, _ = KINDS[kind]
    image = make()
    assert image.mode == kind.split(",")[0]
    found = unit(image_signal(image))
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=ROUGH.get(kind, 1e-6))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][2]])
def test_file_gives_the_same_as_its_pillow_image(photo, kind):
    make, _, name = KINDS[kind]
    path = photo(make(), name)
    if kind == "YCbCr" and Image.__version__ < "13":
        pytest.skip("Pillow before 13 cannot read what it has written")
    with Image.open(path) as image:
        by_image = image_signal(image)
    assert torch.equal(image_signal(path).values, by_image.values)
    atol = 1e-6 if kind == "LAB" else ROUGH.get(kind, 1e-6)
    assert np.allclose(by_image.array(), image_signal(make()).array(), atol=atol)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [None, 4])
def test_image_of_the_user_is_left_alone(kind, size):
    image = KINDS[kind][0]().resize(
        (80, 60), Image.Resampling.NEAREST
    )  # so large that it is shrunk first
    image.getexif()[0x0112] = 6
    before = image.mode, image.size, image.tobytes(), dict(image.info)
    assert image_signal(image, size).shape == ((80, 60) if size is None else (4, 3))
    assert (image.mode, image.size, image.tobytes(), dict(image.info)) == before
    assert image.getexif()[0x0112] == 6


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_transparent_level_of_sixteen_bits_is_white(mode):
    image = KINDS[mode][0]()
    image.info["transparency"] = int(DEEP[2, 0])
    expected = np.where(DEEP == DEEP[2, 0], 65535, DEEP) / 65535
    assert np.allclose(unit(image_signal(image)), expected, atol=1e-6)


def test_deep_file_with_a_transparent_level_keeps_its_precision(photo):
    if Image.__version__ < "10.2":
        pytest.skip("Pillow 10.1 does not write such a file")
    path = photo(DEEP, transparency=int(DEEP[2, 0]))
    assert Image.open(path).info["transparency"] == DEEP[2, 0]
    expected = np.where(DEEP == DEEP[2, 0], 65535, DEEP) / 65535
    assert np.allclose(unit(image_signal(path)), expected, atol=1e-6)


def test_float_image_with_a_transparent_level_keeps_its_values():
    image = KINDS["F"][0]()
    image.info["transparency"] = 0
    assert np.allclose(unit(image_signal(image)), GRAY / 255, atol=1e-6)


def test_integers_beyond_sixteen_bits_are_black_and_white():
    image = Image.fromarray(np.array([[-5, 70000], [0, 65535]], np.int32))
    assert unit(image_signal(image)).tolist() == [[0, 1], [0, 1]]


def test_pillow_image_that_cannot_be_used_is_called_the_image():
    with pytest.raises(ValueError, match="the image is 1x5 pixels"):
        image_signal(Image.new("L", (1, 5)))


# What a viewer shows for each EXIF orientation of the stored rows.
SHOWN = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", SHOWN)
def test_turned_picture_stands_upright(photo, orientation):
    path = photo(color_picture(), exif=turned(orientation))
    expected = SHOWN[orientation](color_picture()) / 255
    image = Image.fromarray(color_picture())
    image.getexif()[0x0112] = orientation
    for picture in (path, Image.open(path), image):
        found = unit(image_signal(picture))
        assert found.shape == expected.shape
        assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["a.jpg", "a.mpo", "a.tif", "a.png", "a.webp"])
@pytest.mark.parametrize("orientation", SHOWN)
def test_turned_picture_that_is_shrunk_first_stands_upright(photo, orientation, name):
    stored = smooth_picture(240, 400)
    path = photo(stored, name, exif=turned(orientation))
    expected = unit(image_signal(np.ascontiguousarray(SHOWN[orientation](stored)), 16))
    for picture in (path, Image.open(path)):
        found = unit(image_signal(picture, 16))
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 0.04


@pytest.mark.parametrize("orientation", [6, 8])
def test_turned_palette_that_is_shrunk_first_stands_upright(photo, orientation):
    stored = Image.fromarray(smooth_picture(240, 400)).quantize(64)
    path = photo(stored, exif=turned(orientation))
    shown = SHOWN[orientation](np.asarray(stored.convert("RGB")))
    expected = unit(image_signal(np.ascontiguousarray(shown), 16))
    assert np.allclose(unit(image_signal(path, 16)), expected, atol=0.01)


def test_phone_photo_with_a_preview_is_read(photo):
    preview = Image.new("RGB", (8, 6))
    image = Image.fromarray(smooth_picture(60, 80))
    path = photo(image, "a.mpo", save_all=True, append_images=[preview], quality=95)
    assert (Image.open(path).format, Image.open(path).n_frames) == ("MPO", 2)
    found = image_signal(path)
    assert found.shape == (60, 80)
    assert np.abs(unit(found) - smooth_picture(60, 80) / 255).max() < 0.05


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


def whole(array, size):
    """The exact way: scikit-image's resize of the whole picture, in one step."""
    top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
    scale = size / max(array.shape[:2])
    lengths = [round(side * scale) for side in array.shape[:2]]
    array = array.astype(np.float64) / top
    return resize(array, lengths, anti_aliasing=scale < 1).clip(0, 1)


def noisy_picture(height, width):
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [16, 13, 100, 150])
@pytest.mark.parametrize("make", [smooth_picture, noisy_picture])
def test_size_up_to_eight_times_smaller_or_larger_is_exact(make, size):
    array = make(90, 100)
    found = image_signal(array, size).values.reshape(*whole(array, size).shape)
    expected = torch.from_numpy(whole(array, size) * 2 - 1).float()
    assert torch.equal(found, expected)


def test_sharp_edge_is_not_drawn_beyond_black_and_white():
    edge = np.zeros((40, 40), np.uint8)
    edge[:, 20:] = 255
    for size in (7, 39, 57, 80):
        values = image_signal(edge, size).values
        assert values.min() >= -1 and values.max() <= 1


def as_bool(picture):
    return picture[..., 0] > 127


FORMS = {
    "gray": lambda picture: picture[..., 0],
    "one channel": lambda picture: picture[..., :1],
    "color": lambda picture: picture,
    "16 bits": lambda picture: picture.astype(np.uint16) * 257,
    "float32": lambda picture: (picture / 255).astype(np.float32),
    "float64": lambda picture: picture / 255,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(900, 1200), (887, 1193), (1193, 651)])
@pytest.mark.parametrize(
    # In levels of 8 bits: the mean difference and the largest.
    ("make", "mean", "most"),
    [(smooth_picture, 0.5, 3), (noisy_picture, 1.0, 6)],
)
def test_much_smaller_picture_is_nearly_exact(make, mean, most, shape, form):
    array = FORMS[form](make(*shape))
    expected = whole(array, 64).squeeze()
    found = unit(image_signal(array, 64))
    assert found.shape == expected.shape
    difference = np.abs(found - expected) * 255
    assert difference.mean() < mean and difference.max() < most


@pytest.mark.parametrize("shape", [(900, 1200), (887, 1193), (1193, 651)])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
@pytest.mark.parametrize(
    ("make", "mean", "most"),
    [(smooth_picture, 0.5, 4), (noisy_picture, 1.6, 9)],
)
def test_much_smaller_file_is_nearly_exact(photo, make, mean, most, shape, name):
    path = photo(make(*shape), name)
    expected = whole(np.asarray(Image.open(path)), 64)
    found = unit(image_signal(path, 64))
    assert found.shape == expected.shape
    difference = np.abs(found - expected) * 255
    assert difference.mean() < mean and difference.max() < most


def test_photo_whose_decoder_rounds_its_sides_up_keeps_its_place(photo):
    # At an eighth it has 193 columns for 192.1: a fifth of a pixel of the result.
    row, column = np.mgrid[0:1025, 0:1537]
    waves = 127.5 + 127.5 * np.sin(row / 60) * np.sin(column / 60)
    path = photo(waves.round().astype(np.uint8), "a.jpg", quality=95)
    expected = whole(np.asarray(Image.open(path)), 48)
    difference = np.abs(unit(image_signal(path, 48)) - expected) * 255
    assert difference.mean() < 2 and difference.max() < 6


def test_much_smaller_black_and_white_array_is_nearly_exact():
    array = as_bool(noisy_picture(900, 1200))
    difference = unit(image_signal(array, 64)) - whole(array, 64)
    assert np.abs(difference).mean() < 0.01 and np.abs(difference).max() < 0.06


@pytest.mark.parametrize("form", ["color", "16 bits", "float64"])
def test_much_smaller_transparent_picture_has_no_dark_edge(form):
    # Half of it is clear, and black where it is clear: on white nothing is dark.
    picture = np.zeros((900, 1200, 4), np.uint8)
    picture[:, 601:] = 250, 240, 230, 255
    array = FORMS[form](picture)
    found = unit(image_signal(array, 64))
    on_white = np.full((900, 1200, 3), 255, np.uint8)
    on_white[:, 601:] = 250, 240, 230
    assert found.min() > 229 / 255
    assert np.abs(found - whole(on_white, 64)).max() < 3 / 255


@pytest.mark.parametrize("channels", [2, 4])
def test_much_smaller_half_clear_picture_lies_on_white(channels):
    picture = np.full((900, 1200, channels), 51, np.uint8)  # a fifth of a fifth
    found = unit(image_signal(picture, 64))
    # The eight bits are averaged as color times alpha, so half a level is lost.
    assert np.allclose(found, 1 / 5 / 5 + 4 / 5, atol=0.5 / 255)


def test_size_of_a_large_picture_is_that_of_a_small_one():
    # Half a pixel decides; the sides must not be rounded twice.
    for height in range(100, 1200, 3):
        expected = round(height * 64 / 1200)
        assert image_signal(np.zeros((height, 1200), bool), 64).shape[0] == expected


def test_array_of_the_user_is_left_alone():
    for dtype in (np.float64, np.float32):
        array = np.linspace(0, 1, 48, dtype=dtype).reshape(6, 8)
        before = array.copy()
        for size in (None, 4, 8, 12):
            image_signal(array, size)
        assert np.array_equal(array, before)


@needs_fork
def test_large_pictures_take_little_time_and_memory(photo):
    path = photo(smooth_picture(3024, 4032), "a.jpg")
    (seconds, reading), (_, keeping) = measured(
        f"sirenlib.image_signal({str(path)!r}, 256)",
        "sirenlib.image_signal(array)",
        before="array = numpy.full((2048, 2048, 3), 7, numpy.uint8)",
        cwd=path.parent,
    )
    # A phone's photo: 0.3 s and 0.09 GB. In one exact step it was 4 s and 0.6 GB.
    assert seconds < 2 and reading < 0.25e9
    # Every pixel kept: 20 bytes of each are the signal. It was 68.
    assert keeping < 45 * 2048**2


@needs_fork
@pytest.mark.slow
def test_photo_of_a_hundred_megapixels_is_read_in_little_time_and_memory(photo):
    block = np.kron(smooth_picture(90, 120), np.ones((100, 100, 1), np.uint8))
    path = photo(block, "a.jpg")
    photo(block[..., 0], "a.png")
    costs = measured(
        *(
            f"sirenlib.image_signal({str(path.with_suffix(end))!r}, 256)"
            for end in (".jpg", ".png")
        ),
        cwd=path.parent,
    )
    # In one exact step it was 86 s and 5.7 GB.
    for seconds, memory in costs:
        assert seconds < 5 and memory < 0.6e9


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


def container(brand):
    """A file that begins as HEIC pictures and MP4 videos do."""
    return b"\x00\x00\x00\x20ftyp" + brand + b"\x00\x00\x02\x00isomiso2" + bytes(999)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"isom"])
def test_picture_of_a_phone_that_pillow_cannot_read_gets_a_remedy(tmp_path, brand):
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(container(brand))
    with pytest.raises(
        ValueError, match=r"^IMG_1\.HEIC is a HEIC .*or a video.*export it as JPEG"
    ):
        image_signal(path)


@pytest.mark.skipif(
    "AVIF" not in Image.registered_extensions().values(), reason="Pillow without AVIF"
)
def test_damaged_picture_of_a_kind_that_pillow_reads_is_called_damaged(photo):
    path = photo(color_picture(64, 64), "a.avif")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"^a\.avif"):
        image_signal(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"just words\n" * 50, b"\x89PNG\r\n\x1a\n", b"P6\n24", b"BM"],
    ids=["empty", "text", "png-head", "ppm-head", "bmp-head"],
)
def test_file_that_is_no_picture_gets_a_remedy(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^photo\.jpg cannot be read.*save it as PNG"):
        image_signal(path)


def heading(width, height):
    """The beginning of a PNG file of that size, which tells only the size."""
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(content))
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13)
    return start + content + check + struct.pack(">I", 99) + b"IDAT"


@pytest.mark.parametrize(
    ("width", "height", "millions"),
    [(20_001, 20_000, "400"), (90_000, 70_000, "6,300")],
)
def test_picture_of_too_many_pixels_gets_a_remedy(tmp_path, width, height, millions):
    path = tmp_path / "large.png"
    path.write_bytes(heading(width, height))
    with pytest.raises(
        ValueError,
        match=rf"^large\.png has {millions} million pixels; .* make it smaller",
    ):
        image_signal(path, 64)


def test_picture_of_as_many_pixels_as_allowed_is_opened(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(heading(20_000, 20_000))
    with pytest.raises(ValueError, match=r"^large\.png cannot be read .*damaged"):
        image_signal(path, 64)


def test_limit_of_pillow_is_ours_while_reading_and_its_own_afterwards(
    photo, monkeypatch
):
    path = photo(color_picture(60, 60))
    for limit in (100, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert image_signal(path).shape == (60, 60)  # Pillow allows twice its limit
        assert limit == Image.MAX_IMAGE_PIXELS
        path.with_name("cut.png").write_bytes(path.read_bytes()[:100])
        with pytest.raises(ValueError, match="damaged"):
            image_signal(path.with_name("cut.png"))
        assert limit == Image.MAX_IMAGE_PIXELS
        with monkeypatch.context() as patch, pytest.raises(ValueError, match="million"):
            patch.setattr(images, "MOST", 3599)
            image_signal(path)
        assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_photo_of_two_hundred_megapixels_is_read(photo, name):
    path = photo(Image.new("L", (16_320, 12_240), 102), name)
    found = image_signal(path, 64)
    assert found.shape == (48, 64) and np.allclose(unit(found), 0.4, atol=0.005)


def test_side_beyond_that_of_a_jpeg_is_refused():
    with pytest.raises(ValueError, match="size must be at most 65535, not 65536"):
        image_signal(color_picture(), 65_536)
    narrow = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match="size must be at most"):
        image_signal(narrow, 10**9)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything"
)
def test_picture_that_may_not_be_read_is_a_permission_error(photo):
    path = photo(color_picture())
    path.chmod(0)
    with pytest.raises(PermissionError):
        image_signal(path)


def test_picture_that_the_system_refuses_is_a_permission_error(photo, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        image_signal(photo(color_picture()))


@pytest.mark.parametrize("excess", [1e-7, 9e-7])
def test_rounding_beyond_black_and_white_is_cut_off(excess):
    array = np.array([[1 + excess, -excess], [0.5, 1]])
    for dtype in (np.float64, np.float32):
        expected = [[1, 0], [0.5, 1]]
        assert unit(image_signal(array.astype(dtype))).tolist() == expected


@pytest.mark.parametrize(
    ("value", "digits"), [(1.00001, r"to 1\.00001:"), (-2e-6, "from -2e-06 to")]
)
def test_more_than_a_rounding_is_refused_with_enough_digits(value, digits):
    array = np.array([[value, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match=f"{digits}.* scale them"):
        image_signal(array)


def test_damaged_picture_is_read_without_warnings(photo, recwarn):
    path = photo(color_picture(), "a.tif")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="damaged"):
        image_signal(path)
    assert not recwarn.list


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


# Back to pixels


def test_pixels_of_a_picture_are_those_that_it_was_made_of():
    for array in (color_picture(), np.arange(256, dtype=np.uint8).reshape(16, 16)):
        pixels = to_pixels(image_signal(array).array())
        assert pixels.dtype == np.uint8 and np.array_equal(pixels, array)


def test_values_beyond_their_range_are_cut_off():
    assert to_pixels(np.array([-9.0, -1, 0, 1, 9])).tolist() == [0, 0, 128, 255, 255]
    assert to_pixels(np.array([-9.0, 0, 5, 10, 99]), (0, 10)).tolist() == [
        0,
        0,
        128,
        255,
        255,
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_tensor_with_a_graph_becomes_pixels(dtype):
    values = torch.tensor([[-1.0, 1.0]], dtype=dtype, requires_grad=True)
    assert to_pixels(values).tolist() == [[0, 255]]
