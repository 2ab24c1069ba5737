"""What the benchmarks and the chapters do on CUDA, or on the pretended device."""

import contextlib
import importlib
import sys
import types

import matplotlib
import nbformat
import pytest
import torch
from chapters import ROOT
from matplotlib import pyplot as plt
from torch import nn

import sirenlib
from sirenlib import Signal, fit
from sirenlib.steps import CHOICES

pytestmark = pytest.mark.cuda


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The benchmarks


@pytest.fixture
def contenders(monkeypatch):
    """The benchmark's networks that are written there."""
    if importlib.util.find_spec("siren_pytorch") is None:  # `make bench` installs it
        missing = types.SimpleNamespace(SirenNet=None)
        monkeypatch.setitem(sys.modules, "siren_pytorch", missing)
    module = importlib.import_module("contenders")
    return [each for each in module.GRAY if not each.name.startswith("siren-pytorch")]


@pytest.mark.parametrize("precision", CHOICES["precision"])
def test_contenders(precision, contenders):
    """Each rival of the benchmarks, in each precision."""
    assert len(contenders) == 5
    side = 16
    grid = sirenlib.coordinate_grid(side, side)
    signal = Signal(grid, (3 * grid[:, :1]).sin(), (side, side))
    for contender in contenders:
        losses = {}
        for device in ("cpu", "cuda"):
            model = contender.make(signal, seeded()).to(device)
            lower = precision if device == "cuda" or precision != "tf32" else "float32"
            recipe = {"batch_size": 100, "lr": contender.lr, "precision": lower}
            history = fit(model, signal, epochs=1, generator=seeded(), **recipe)
            losses[device] = history.final_psnr
        places = {(weight.device.type, weight.dtype) for weight in model.parameters()}
        assert places == {("cuda", torch.float32)}, contender.name
        assert losses["cuda"] == pytest.approx(losses["cpu"], abs=0.3), contender.name


# The chapters

# What only a GPU has the time for.
SHORTER = {
    "09_fit_a_picture": {"2501 if device": "6 if device"},
    "10_derivatives": {"range(150)": "range(2)"},
    "12_cuda_fit": {
        "512 if on_cuda": "32 if on_cuda",
        "(512, 5) if on_cuda": "(32, 1) if on_cuda",
        "2**18 if on_cuda": "2**8 if on_cuda",
        "2**28 if on_cuda": "2**12 if on_cuda",
        "2**16 if on_cuda": "2**6 if on_cuda",
    },
    "13_many_small_networks": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORTER)
def test_chapter(name, monkeypatch, tmp_path):
    """All its cells run, with fits of one epoch; what they check is another matter."""
    known_check = sirenlib.check

    def lenient(*arguments, **options):
        with contextlib.suppress(AssertionError):
            known_check(*arguments, **options)

    def short(*arguments, epochs, **options):
        return fit(*arguments, epochs=1, **options)

    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIRENLIB_BOOK", "cuda")
    monkeypatch.setattr(sirenlib, "check", lenient)
    monkeypatch.setattr(sirenlib, "fit", short)
    notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    text = "\n\n".join(cells[1:])  # without the set-up
    for long, shorter in SHORTER[name].items():
        assert long in text
        text = text.replace(long, shorter)
    namespace = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), namespace)
    plt.close("all")
    assert namespace["device"].type == "cuda"
    models = [m for m in namespace.values() if isinstance(m, nn.Module)]
    assert any(next(model.parameters()).is_cuda for model in models)
