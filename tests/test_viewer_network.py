"""The arithmetic of the pages, against NumPy and PyTorch."""

import numpy as np
import pytest
import torch
from browser import run

import sirenlib
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
