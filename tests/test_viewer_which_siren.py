"""Which SIREN is this, in a page: its results against sirenlib, and its use."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import colors_in_the_dark, frames, run, show, watched
from test_diagnosis import Evil, fresh, official, safetensors

import sirenlib
from sirenlib import diagnose
from sirenlib.diagnosis import Diagnosis
from sirenlib.starts import STARTS
from sirenlib.viewer import which_siren

ALT = "Two histograms of a fresh layer, both flat."
SCRIPT = "which_siren"
TABLE = json.loads(which_siren(alt=ALT).spec)

# Files as Python writes them, read by the page, and what both find in them.
READ = """return (async () => {
  const content = bytes(given.content).buffer;
  const arrays = await readArrays(given.name, content);
  return diagnoseArrays(arrays, given.table);
})()"""


@pytest.fixture(scope="module")
def compute(chromium):
    with watched(chromium) as page:
        yield lambda body, given=None: run(page, SCRIPT, body, given)


def given(name: str, content: bytes) -> dict:
    return {
        "name": name,
        "content": base64.b64encode(content).decode(),
        "table": TABLE,
    }


def torch_file(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def npz_file(state: dict, write=np.savez) -> bytes:
    buffer = io.BytesIO()
    write(buffer, **{name: np.asarray(array) for name, array in state.items()})
    return buffer.getvalue()


def assert_alike(found: dict, wanted: Diagnosis) -> None:
    """The page's result is Python's, its numbers to a millionth."""
    close = lambda number: pytest.approx(number, rel=1e-6, abs=1e-12)  # noqa: E731
    assert found["scheme"] == wanted.scheme
    assert tuple(found["names"]) == wanted.names
    assert found["also"] == wanted.also and found["advice"] == wanted.advice
    for number, other in zip(
        found["told"], (wanted.first_omega_0, wanted.hidden_omega_0), strict=True
    ):
        assert (number is None) == (other is None)
        assert number is None or number == close(other)
    assert found["assumed"] == [close(each) for each in wanted.assumed]
    digits = re.compile(r"\d+(?:\.\d+)?(?:e-\d+)?")
    for sentence, other in zip(found["evidence"], wanted.evidence, strict=True):
        assert digits.sub("", sentence) == digits.sub("", other)
        numbers = [float(each) for each in digits.findall(sentence)]
        wanted_ones = [float(each) for each in digits.findall(other)]
        assert numbers == pytest.approx(wanted_ones, rel=2e-5)
    for layer, other in zip(found["layers"], wanted.layers, strict=True):
        assert layer["name"] == other.name
        assert layer["inputs"] == other.in_features
        assert layer["outputs"] == other.out_features
        for part in ("weights", "biases"):
            law = getattr(other, part)
            assert layer[part]["kind"] == law.kind
            assert layer[part]["count"] == law.count
            for field in ("largest", "deviation", "distance"):
                assert layer[part][field] == close(getattr(law, field))
        for pair in ("phases", "sines", "gradients"):
            numbers = getattr(other, pair)
            assert layer[pair] == (numbers and [close(each) for each in numbers])


def trained() -> dict:
    generator = torch.Generator().manual_seed(0)
    siren = sirenlib.Siren(2, 32, 1, 3, init="fast", generator=generator)
    target = torch.randn(64, 3, generator=generator)
    coords = sirenlib.coordinate_grid(8, 8)
    adam = torch.optim.Adam(siren.parameters(), lr=1e-3)
    for _ in range(30):
        adam.zero_grad()
        (siren(coords) - target).square().mean().backward()
        adam.step()
    return siren.state_dict()


def jax() -> dict:
    """Matrices the other way round, one of them normal, in an order of their own."""
    rng = np.random.default_rng(0)
    return {
        "layers_10.kernel": rng.normal(0, 1 / 8, (64, 3)),
        "layers_10.bias": np.zeros(3),
        "layers_9.bias": np.zeros(64),
        "layers_9.kernel": np.asfortranarray(rng.uniform(-0.01, 0.01, (64, 64))),
        "layers_0.kernel": rng.uniform(-0.5, 0.5, (2, 64)),
        "layers_0.bias": np.zeros(64),
    }


def quilt() -> dict:
    generator = torch.Generator().manual_seed(0)
    return sirenlib.Quilt((2, 2), 16, 1, 1, generator=generator).state_dict()


def bfloat(state: dict) -> dict:
    return {name: tensor.bfloat16() for name, tensor in state.items()}


def half(state: dict) -> dict:
    return {name: tensor.half() for name, tensor in state.items()}


def parameters() -> dict:
    """Not detached, beside what is no tensor, and one a view of another's storage."""
    state = {name: torch.nn.Parameter(w) for name, w in official(32).items()}
    storage = torch.cat([torch.zeros(7), state["net.0.bias"].detach()])
    state["net.0.bias"] = storage[7:]
    state["net.0.weight"] = state["net.0.weight"].detach().T.contiguous().T
    extra = {"epoch": 3, "rate": -1e-4, "names": ["a", None, True], "big": -(2**40)}
    return {"model": state, **extra}


FILES = {
    "official.pt": lambda: torch_file(fresh("official")),
    "parameters.pth": lambda: torch_file(parameters()),
    "half.pt": lambda: torch_file(half(fresh("lucidrains"))),
    "bfloat.pt": lambda: torch_file(bfloat(fresh("dalmia"))),
    "trained.pt": lambda: torch_file(trained()),
    "quilt.pt": lambda: torch_file(quilt()),
    "unknown.npz": lambda: npz_file(official(64, l0_bias=1.3)),
    "packed.npz": lambda: npz_file(fresh("half-turn"), np.savez_compressed),
    "jax.npz": lambda: npz_file(jax()),
    "fast.safetensors": lambda: safetensors(fresh("fast", 32)),
    "bfloat.safetensors": lambda: safetensors(bfloat(fresh("zero-bias"))),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_and_diagnosed_as_in_python(compute, tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name]())
    wanted = diagnose(tmp_path / name)
    found = compute(READ, given(name, FILES[name]()))
    assert_alike(found, wanted)
    expected = {"parameters": "official", "half": "lucidrains", "packed": "half-turn"}
    stem = name.split(".")[0]
    assert wanted.scheme == expected.get(stem, wanted.scheme)


def test_a_file_of_the_other_byte_order(compute):
    """Big-endian numbers, in both formats that have them."""
    state = fresh("official")
    swapped = {name: w.numpy().astype(">f4") for name, w in state.items()}
    found = compute(READ, given("big.npz", npz_file(swapped)))
    assert_alike(found, diagnose(state))


@pytest.mark.parametrize("start", range(len(STARTS)))
def test_networks_of_the_page_are_those_of_the_table(compute, start):
    """Drawn by the page, diagnosed by both, and named."""
    arrays = compute(
        """const arrays = drawnNetwork(given.table.starts[given.start], [2, 64, 64, 1],
             seededNumbers(7));
           return [...arrays].map(([name, { shape, values }]) =>
             [name, shape, [...values]]);""",
        {"table": TABLE, "start": start},
    )
    state = {
        name: np.reshape(values, shape).astype(float) for name, shape, values in arrays
    }
    found = diagnose(state)
    assert STARTS[start].name in found.names
    body = """const arrays = new Map(given.arrays.map(([name, shape, values]) =>
        [name, { shape, values: Float64Array.from(values), epsilon: 1e-6 }]));
      return diagnoseArrays(arrays, given.table);"""
    assert_alike(compute(body, {"arrays": arrays, "table": TABLE}), found)


@pytest.mark.parametrize("x", [-9.0, -4.5, -4.0, -1.3, 0.0, 0.2, 3.999, 4.001, 8.0])
def test_the_normal_law(compute, x):
    from scipy.special import ndtr

    assert compute("return normalBelow(given)", x) == pytest.approx(ndtr(x), abs=1e-14)


# In a page


def said(page) -> str:
    return page.get_by_role("status").inner_text()


def drop(page, name: str, content: bytes) -> None:
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": "application/octet-stream", "buffer": content}]
    )


def test_choosing_a_file(page):
    show(page, which_siren(alt=ALT))
    assert "No file yet" in said(page)
    drop(page, "mine.pt", torch_file(fresh("lucidrains", 128)))
    page.get_by_role("heading", name="This is lucidrains").wait_for()
    assert said(page) == "mine.pt."
    text = page.locator(".target").inner_text()
    assert "The hidden omega_0 was 1" in text and "claim 8.2" in text
    first = page.get_by_role("slider", name="first omega_0")
    assert first.input_value() == "30"
    rows = page.get_by_role("table").nth(1).locator("tbody tr")
    before = rows.first.inner_text()
    first.press("ArrowRight")
    frames(page, 3)
    assert rows.count() == 4 and rows.first.inner_text() != before


def test_trying_one_after_the_other(page):
    show(page, which_siren(alt=ALT))
    for start in STARTS[:3]:
        page.get_by_role("button", name="try one").press("Enter")
        page.get_by_role("heading", name=f"This is {start.name}").wait_for()
        assert f"drawn here as {start.name}" in said(page)


def test_a_file_is_dropped(page):
    show(page, which_siren(alt=ALT))
    transfer = page.evaluate_handle(
        """(content) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(content)], "a.safetensors"));
          return transfer;
        }""",
        list(safetensors(official(32))),
    )
    page.locator(".target").dispatch_event("drop", {"dataTransfer": transfer})
    page.get_by_role("heading", name="This is official").wait_for()


BROKEN = {
    "evil.pt": (lambda: torch_file({"a": Evil()}), "nothing is run here"),
    "whole.pt": (lambda: torch_file(torch.nn.Linear(2, 2)), "cannot be read"),
    "text.pt": (lambda: b"this is no file of torch.save", "it is no zip file"),
    "cut.safetensors": (lambda: safetensors(official(32))[:900], "cannot be read"),
    "objects.npz": (
        lambda: npz_file({"a": np.array([{}], dtype=object)}),
        "holds objects, not numbers",
    ),
    "one.npz": (lambda: npz_file({"a.weight": np.ones((3, 2))}), "make no chain"),
    "list.pt": (lambda: torch_file([1, 2]), "it holds no dict"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_said(page, name):
    make, words = BROKEN[name]
    show(page, which_siren(alt=ALT))
    page.get_by_role("button", name="try one").click()
    page.get_by_role("heading").wait_for()
    drop(page, name, make())
    page.get_by_role("heading").wait_for(state="detached")
    assert words in said(page) and said(page).startswith(name)


@pytest.mark.parametrize("width", [320, 390, 1100])
def test_a_report_fits_and_can_be_read(chromium, width):
    with watched(chromium, viewport={"width": width, "height": 900}) as page:
        page.set_content(which_siren(alt=ALT).page("A page"))
        page.get_by_role("button", name="try one").click()
        page.get_by_role("heading", name="This is official").wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            violations = Axe().run(page).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []
        for control in page.locator("button:visible, input:visible").all():
            assert control.bounding_box()["height"] >= 32


def test_dark(page):
    places = [("[role=status]", "color"), ("button", "color")]
    colors = colors_in_the_dark(page, which_siren(alt=ALT), *places)
    assert colors == ["rgb(221, 221, 221)"] * 2


def test_alt_is_asked_for():
    with pytest.raises(ValueError, match="alt is empty"):
        which_siren(alt=" ")
    assert len(which_siren(alt=ALT).html()) < 80_000
