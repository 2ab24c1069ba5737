"""The arithmetic of the pages, against NumPy and PyTorch."""

import browser
import numpy as np
import pytest
import torch
from browser import run

import sirenlib
from sirenlib.derivatives import jacobian, laplace
from sirenlib.quilt import Quilt
from sirenlib.viewer.view_picture import packed


def siren(width=10, hidden_layers=2, outputs=1, **settings):
    generator = torch.Generator().manual_seed(3)
    return sirenlib.Siren(
        2, width, hidden_layers, outputs, generator=generator, **settings
    )


@pytest.mark.parametrize("rows, columns, inner", [(8, 6, 5), (7, 3, 4), (1, 1, 1)])
def test_products(page, rows, columns, inner):
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(rows, inner)), rng.normal(size=(columns, inner))
    body = """
      const [A, B] = given.matrices.map((m) => Float64Array.from(m.flat()));
      const C = new Float64Array(given.size[0] * given.size[1]);
      ({ timesTransposed, transposedTimes })[given.name](A, B, C, ...given.size);
      return Array.from(C);"""
    for name, left, right in [
        ("timesTransposed", A, B),
        ("transposedTimes", A.T, B.T),
    ]:
        given = {
            "name": name,
            "matrices": [left.tolist(), right.tolist()],
            "size": [rows, columns, inner],
        }
        got = np.reshape(run(page, "algebra", body, given), (rows, columns))
        assert np.allclose(got, A @ B.T, rtol=1e-13, atol=1e-14), name


@pytest.mark.parametrize(
    "model",
    [
        siren(),
        siren(hidden_layers=0, outputs=3),
        siren(outputs=2, outermost_linear=False, hidden_omega_0=7.0),
    ],
    ids=["deep", "flat", "sine at the end"],
)
def test_network_in_64_bits(page, model):
    coords = 2 * torch.rand(37, 2, generator=torch.Generator().manual_seed(0)) - 1
    coords = coords.double()
    body = """
      const found = evaluateNetwork(
        readNetwork(given.network), Float64Array.from(given.coords), given.all);
      return Array.from(found);"""
    given = {"network": packed(model), "coords": coords.flatten().tolist()}
    value, slopes, laplacian = sirenlib.forward_laplacian(model.double(), coords)
    wanted = torch.stack([value, *slopes.unbind(-1), laplacian]).detach().numpy()
    for everything in (False, True):
        given["all"] = everything
        got = np.array(run(page, "network", body, given))
        got = got.reshape(-1, *value.shape)
        for field, expected in zip(got, wanted, strict=False):
            scale = max(1.0, np.abs(expected).max())
            assert np.abs(field - expected).max() < 1e-11 * scale


WINDOW = ((0.5, 2.0), (3.0, -1.0))  # the columns descend

EVERYTHING = """
  const found = evaluateNetwork(
    readNetwork(given.network), Float64Array.from(given.coords), true);
  return Array.from(found);"""


def places(window) -> torch.Tensor:
    """Two thirds of them in the window, the others around it."""
    unit = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)).double()
    first, last = torch.tensor(window).double().unbind(-1)
    middle, span = (first + last) / 2, last - first
    return middle + 1.2 * span * (unit - 0.5)


def quilt_errors(page, tiles, outputs=1, overlap=0.3) -> np.ndarray:
    """How far value, slopes and Laplacian are off, relative to the largest of each."""
    generator = torch.Generator().manual_seed(0)
    model = Quilt(
        tiles, 9, 1, outputs, overlap=overlap, window=WINDOW, generator=generator
    )
    coords = places(WINDOW)
    given = {"network": packed(model), "coords": coords.flatten().tolist()}
    got = np.array(run(page, "network", EVERYTHING, given))
    coords.requires_grad_()
    value = model.double()(coords)
    laplacian = torch.cat([laplace(each, coords) for each in value.split(1, 1)], 1)
    wanted = [value, *jacobian(value, coords).unbind(-1), laplacian]
    wanted = torch.stack(wanted).detach().numpy()
    off = np.abs(got.reshape(wanted.shape) - wanted)
    return off.max(axis=(1, 2)) / np.abs(wanted).max(axis=(1, 2))


@pytest.mark.parametrize("tiles", [(1, 1), (3, 5), (1, 4)])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("overlap", [0.02, 0.3, 1.0])
def test_quilt_in_64_bits(page, tiles, outputs, overlap):
    assert quilt_errors(page, tiles, outputs, overlap).max() < 1e-11


@pytest.mark.parametrize(
    "term, wrong",
    [
        ("2 * (down * row + right * column)", "0"),
        ("(y.bend * x.share + y.share * x.bend) * value", "0"),
        ("+ down * value", ""),
        ("[y.slope * x.share, y.share * x.slope]", "[y.slope, x.slope]"),
    ],
)
def test_a_missing_term_is_noticed(page, term, wrong, monkeypatch):
    joined = browser.joined
    assert term in joined("network")
    monkeypatch.setattr(
        browser, "joined", lambda *names: joined(*names).replace(term, wrong)
    )
    assert quilt_errors(page, (3, 5)).max() > 1e-3
