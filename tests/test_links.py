"""A network as a link: the same network comes back, and nothing else does."""

import base64
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sirenlib
from sirenlib import Quilt, Signal, Siren, coordinate_grid, links, render
from sirenlib.files import SavedNetwork
from sirenlib.links import MARK, from_link, quantized, to_link

PICTURE = sirenlib.cameraman(32)
WINDOW = ((0.5, 2.0), (3.0, -1.0))  # the columns descend


def siren(width=10, hidden_layers=2, outputs=1, **options):
    generator = torch.Generator().manual_seed(0)
    return Siren(2, width, hidden_layers, outputs, generator=generator, **options)


def saved(model, shape=(24, 40), value_range=(-1.0, 1.0), window=WINDOW):
    return SavedNetwork(model, shape, value_range, window)


def text_of(content: bytes) -> str:
    """A link with these bytes, and with the checksum that belongs to them."""
    content += struct.pack("<I", zlib.crc32(content))
    return MARK + base64.urlsafe_b64encode(content).decode().rstrip("=")


def content_of(link: str) -> bytearray:
    """The bytes of a link, without their checksum."""
    text = link.removeprefix(MARK)
    return bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-4])


@pytest.fixture(scope="module")
def trained():
    generator = torch.Generator().manual_seed(0)
    model = Siren(2, 24, 2, 1, first_omega_0=11, init="fast", generator=generator)
    sirenlib.fit(model, PICTURE, epochs=100, lr=5e-3, generator=generator)
    return model


# What comes back


@pytest.mark.parametrize(
    "model",
    [
        siren(outputs=3),
        siren(hidden_layers=0, first_omega_0=40.0),
        siren(outputs=2, outermost_linear=False, hidden_omega_0=7.0),
        siren(width=1, init="zero-bias"),
    ],
    ids=["color", "flat", "sine at the end", "without biases"],
)
def test_a_link_holds_the_rounded_network_and_its_frame(model):
    again = from_link(to_link(saved(model)))
    assert again[1:] == saved(model)[1:]
    wanted = quantized(model).state_dict()
    for name, weight in again.model.state_dict().items():
        torch.testing.assert_close(weight, wanted[name], rtol=1e-6, atol=0)
    assert str(again.model.net) == str(model.net)
    assert torch.isfinite(render(again.model, 5, 5)).all()


def test_a_signal_gives_a_bare_network_its_frame():
    grid = coordinate_grid(3, 5)
    signal = Signal(grid, torch.zeros(15, 1), (3, 5), value_range=(0.0, 2.0))
    again = from_link(to_link(siren(), signal))
    assert (again.shape, again.value_range) == ((3, 5), (0.0, 2.0))
    assert again.window == ((-1.0, 1.0), (-1.0, 1.0))


def test_a_link_of_a_link_is_the_same_picture():
    once = from_link(to_link(saved(siren())))
    twice = from_link(to_link(once))
    torch.testing.assert_close(render(once.model, 9, 9), render(twice.model, 9, 9))


def test_base_stands_before_the_mark_and_is_not_read():
    link = to_link(saved(siren()), base="https://example.org/picture.html")
    assert link.startswith(f"https://example.org/picture.html#{MARK}")
    assert from_link(f" {link}\n").shape == (24, 40)
    assert set(link.partition("#")[2]) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    )


# Rounding


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_rounding_is_at_most_half_a_step(bits):
    model = siren()
    pairs = zip(model.parameters(), quantized(model, bits).parameters(), strict=True)
    for i, (weight, rounded) in enumerate(pairs):
        top = 2 ** ((16 if i < 2 else bits) - 1) - 1
        step = weight.abs().max() / top
        off = (weight - rounded).abs()
        assert off.max() <= 0.5 * step * (1 + 1e-4)
        assert (rounded / step).round().unique().numel() <= 2 * top + 1
        largest = weight.abs().max().item()
        assert rounded.abs().max().item() == pytest.approx(largest, rel=1e-6)


def test_rounding_leaves_the_model_alone():
    model = siren()
    before = [weight.clone() for weight in model.parameters()]
    quantized(model, 3)
    assert all(map(torch.equal, before, model.parameters()))


def test_eight_bits_cost_little_and_five_cost_much(trained):
    psnrs = {b: sirenlib.signal_psnr(quantized(trained, b), PICTURE) for b in (5, 8)}
    full = sirenlib.signal_psnr(trained, PICTURE)
    assert full > 27
    assert full - psnrs[8] < 1
    assert full - psnrs[5] > 3


def test_the_first_layer_needs_more_bits_than_the_others(trained):
    """With 8 bits its 72 numbers cost about as much as the 1,225 others."""
    others, first = quantized(trained, 8), quantized(trained, 16)
    with torch.no_grad():
        for part in first.net[0].linear.parameters():
            step, counts = links._rounded(part, 8)
            rounded = torch.from_numpy(counts * float(step))
            part.copy_(rounded.reshape(part.shape))
    lost = [
        float((render(each, 32, 32) - render(trained, 32, 32)).square().mean())
        for each in (others, first)
    ]
    assert lost[1] > 0.3 * lost[0]


@pytest.mark.parametrize("bits", [1, 17, 7.5])
def test_bits_out_of_range(bits):
    with pytest.raises(ValueError, match="bits must be"):
        quantized(siren(), bits)


# What is no link


def test_too_large_a_network_is_told_its_length():
    with pytest.raises(ValueError, match=r"would have 265,\d\d\d characters.*--width"):
        to_link(saved(siren(256, 3)))
    longest = siren(64, 1)
    assert len(to_link(saved(longest))) == 6_245  # the trainer's network
    with pytest.raises(ValueError, match="characters, and 8,000 are the most"):
        to_link(saved(siren(76, 1)))


def test_length_is_told_before_anything_is_written():
    model = siren(26, 2, 3)
    sizes = [tuple(weight.shape) for weight in model.parameters()]
    link = to_link(saved(model))
    assert len(link) == len(MARK) + -(-links._byte_count(sizes) * 4 // 3)
    assert 2_200 < len(link) < 2_300


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (saved(Quilt((2, 2), 8, 1, 1)), "quilt.*--network siren"),
        (saved(torch.nn.Linear(2, 1)), "not Linear"),
        (saved(Siren(3, 8, 1, 1), (4, 4, 4)), "3 coordinates to 1 outputs"),
        (saved(siren(outputs=4)), "2 coordinates to 4 outputs"),
        (saved(siren(), (70_000, 3)), "up to 65535"),
        (saved(siren(), value_range=(1e9, 1e9 + 1)), "lost in 32 bits"),
        (saved(siren(first_omega_0=1e-60)), "lost in 32 bits"),
        (siren(), "needs the signal"),
    ],
)
def test_what_cannot_be_a_link(network, words):
    with pytest.raises(ValueError, match=words):
        to_link(network)


def test_a_weight_that_is_not_finite():
    model = siren()
    with torch.no_grad():
        model.net[1].linear.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        to_link(saved(model))


@pytest.mark.parametrize("text", ["", "https://example.org", "#siren", "siren-Ä", "%"])
def test_what_holds_no_picture(text):
    with pytest.raises(ValueError, match="no picture in this link"):
        from_link(text)


LINK = to_link(saved(siren(4, 1)))


@settings(max_examples=60, deadline=None)
@given(place=st.integers(len(MARK), len(LINK) - 3), letter=st.sampled_from("AZaz09-_"))
def test_any_changed_letter_is_noticed(place, letter):
    changed = LINK[:place] + letter + LINK[place + 1 :]
    if changed != LINK:
        with pytest.raises(ValueError, match="damaged"):
            from_link(changed)


@pytest.mark.parametrize("text", [LINK[:-1], LINK[:-2], LINK[:60], f"{MARK}AAAAA"])
def test_a_part_that_is_missing_is_noticed(text):
    with pytest.raises(ValueError, match="damaged"):
        from_link(text)


def test_too_long_a_text_is_not_read():
    with pytest.raises(ValueError, match="at most 8,000 are read"):
        from_link(MARK + "A" * 8_000)


# A place in the bytes, what stands there, and what is said about it. The checksums are
# right: somebody made them by hand.
FORGED = [
    (0, "<B", 2, "version 2"),
    (1, "<B", 0, "no sense"),
    (1, "<B", 4, "no sense"),
    (2, "<B", 255, "no sense"),
    (3, "<B", 2, "no sense"),
    (4, "<H", 0, "no sense"),
    (4, "<H", 65535, "no sense"),
    (6, "<H", 0, "no sense"),
    (10, "<f", 0.0, "no sense"),
    (14, "<f", float("inf"), "no sense"),
    (18, "<f", 5.0, "no sense"),
    (26, "<f", float("nan"), "no sense"),
    (38, "<f", 1e31, "no sense"),
    (42, "<f", float("nan"), "no sense"),
    (42, "<f", -1.0, "no sense"),
]


@pytest.mark.parametrize(("place", "kind", "number", "words"), FORGED)
def test_forged_bytes_are_refused(place, kind, number, words):
    content = content_of(LINK)
    struct.pack_into(kind, content, place, number)
    with pytest.raises(ValueError, match=words):
        from_link(text_of(bytes(content)))


def test_bytes_of_random_numbers_are_refused_or_read():
    rng = np.random.default_rng(0)
    for _ in range(300):
        content = rng.integers(0, 256, rng.integers(1, 200), np.uint8).tobytes()
        with pytest.raises(ValueError):
            from_link(text_of(b"\x01" + content))
