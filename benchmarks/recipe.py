"""The recipe of a quilt, and what each of its settings is worth.

    python benchmarks/recipe.py

Around the recipe of `Quilt.for_signal` and `sirenlib.fit` one setting is changed at a
time, on six pictures and with three seeds. A row has the means. Last come the recipe
and one network for all, fitted for about as many seconds, on five pictures that were
not looked at while the recipe was found.

The derivatives are compared with those of the pixels: the gradient with central
differences, the Laplacian with the five-point one. Their correlation is one number,
and the other is how large they are, as a ratio of root mean squares. What lies between
the pixels is read at full size after a fit to the picture at half of it.
"""

import math
import statistics
from dataclasses import dataclass, replace
from unittest import mock

import numpy as np
import skimage
import torch
from pictures import middle_square
from provenance import begin, command_line, write_record
from timing import both_seconds

import sirenlib
from sirenlib import Quilt, Signal, Siren, fitting
from sirenlib.steps import Stepper

SIDE, SEEDS = 256, 3
SWEPT = ("camera", "coffee", "astronaut", "coins", "text", "moon")
HELD_BACK = ("brick", "grass", "rocket", "chelsea", "page")


@dataclass(frozen=True)
class Recipe:
    """A quilt and its fit; the defaults are those of the library.

    Args:
        side: pixels along a tile.
        omega_0: the first one, as a multiple of chapter 11's rule for a tile.
        steps: of an epoch, so that a batch is that share of the picture.
    """

    side: int = 32
    width: int = 64
    layers: int = 1
    overlap: float = 0.125
    omega_0: float = 3.0
    hidden_omega_0: float = 30.0
    init: str = "random-phase"
    lr: float = 1e-3
    steps: int = 64
    order: str = "coarser grids"
    decay: str = "linear"
    epochs: int = 6

    def network(self, signal: Signal, generator: torch.Generator) -> Quilt:
        tiles = [max(1, round(length / self.side)) for length in signal.shape]
        pixels = signal.shape[0] / tiles[0] * (1 + self.overlap)
        return Quilt(
            tiles,
            self.width,
            self.layers,
            signal.values.shape[1],
            overlap=self.overlap,
            first_omega_0=self.omega_0 * pixels / 3,
            hidden_omega_0=self.hidden_omega_0,
            init=self.init,
            window=signal.corners(),
            generator=generator,
        )

    def options(self, signal: Signal) -> dict:
        return {"batch_size": math.ceil(len(signal.coords) / self.steps), "lr": self.lr}


@dataclass(frozen=True)
class One:
    """One network for the whole picture, and its fit."""

    width: int = 256
    layers: int = 3
    omega_0: float = 1.0
    init: str = "fast"
    lr: float = 5e-4
    order: str = "coarser grids"
    decay: str = "linear"
    epochs: int = 6

    def network(self, signal: Signal, generator: torch.Generator) -> Siren:
        return Siren(
            2,
            self.width,
            self.layers,
            signal.values.shape[1],
            first_omega_0=self.omega_0 * signal.shape[0] / 3,
            init=self.init,
            generator=generator,
        )

    def options(self, signal: Signal) -> dict:
        return {"batch_size": 1024, "lr": self.lr}


BASE, ALONE = Recipe(), One()
CHANGES = {
    "side": (16, 64),
    "width": (40, 56, 80),
    "layers": (0, 2),
    "overlap": (0.03, 0.06, 0.25, 0.5),
    "omega_0": (2.0, 2.4, 3.75),
    "hidden_omega_0": (20.0, 45.0),
    "init": ("official", "zero-bias", "fast"),
    "lr": (5e-4, 7e-4, 1.4e-3, 2e-3),
    "steps": (32, 128),
    "order": ("shuffled",),
    "decay": ("cosine",),
}
# Deeper and wider tiles want another omega_0 or width: changed together.
TOGETHER = {
    "two hidden layers of 44, omega_0 2": Recipe(layers=2, width=44, omega_0=2.0),
    "64 pixels, width 112": Recipe(side=64, width=112),
    "no hidden layer, width 400": Recipe(layers=0, width=400),
}
ALONE_CHANGES = {
    "one network": ALONE,
    "one network, shuffled": replace(ALONE, order="shuffled"),
    "one network, cosine": replace(ALONE, decay="cosine"),
    "one network, shuffled, cosine": replace(ALONE, order="shuffled", decay="cosine"),
    "one network, official start": replace(ALONE, init="official"),
    "one network, omega_0 1.5": replace(ALONE, omega_0=1.5),
    "one network, 2-320x3-1, omega_0 1.5": One(320, 2, 1.5),
}


def rows() -> dict[str, Recipe | One]:
    """The fits of the sweep, by name."""
    found = {"the recipe": BASE}
    for name, values in CHANGES.items():
        found |= {f"{name} {value}": replace(BASE, **{name: value}) for value in values}
    return found | TOGETHER | ALONE_CHANGES


def gray(name: str) -> np.ndarray:
    """The square in the middle of a picture of scikit-image, at most `SIDE` wide."""
    pixels = middle_square(name)
    if pixels.ndim == 3:
        pixels = skimage.color.rgb2gray(pixels[..., :3])
    pixels = skimage.util.img_as_float(pixels)
    side = min(len(pixels) // 2 * 2, SIDE)
    pixels = skimage.transform.resize(pixels, (side, side), anti_aliasing=True)
    return np.clip(2 * pixels - 1, -1, 1)


def signal_of(pixels: np.ndarray, centers: bool = False) -> Signal:
    values = torch.from_numpy(pixels.reshape(-1, 1)).float()
    coords = sirenlib.coordinate_grid(*pixels.shape, centers=centers)
    return Signal(coords, values, pixels.shape)


class Cosine(Stepper):
    """Makes the linear fall of `sirenlib.fit` a cosine."""

    def __call__(self, index: torch.Tensor, rate: float) -> None:
        left = rate / self.recipe.lr
        super().__call__(index, self.recipe.lr * (1 - math.cos(math.pi * left)) / 2)


def fitted(recipe: Recipe | One, signal: Signal, seed: int) -> tuple:
    """A network of that recipe after its fit, and the fit's CPU seconds."""
    generator = torch.Generator().manual_seed(seed)
    model = recipe.network(signal, generator)
    learned = signal
    if recipe.order == "shuffled":  # as the points of no grid are
        learned = signal.subset(torch.arange(len(signal.coords)))
    stepper = Cosine if recipe.decay == "cosine" else Stepper

    def work() -> None:
        options = recipe.options(signal) | {"generator": generator}
        with mock.patch.object(fitting, "Stepper", stepper):
            sirenlib.fit(model, learned, epochs=recipe.epochs, **options)

    return model, both_seconds(work, signal.coords.device)[0]


def quality(recipe: Recipe | One, pixels: np.ndarray, seed: int) -> dict:
    """The numbers of one fit."""
    signal = signal_of(pixels)
    model, seconds = fitted(recipe, signal, seed)
    value, slope, laplacian = sirenlib.evaluate(model, signal.coords)
    found = {"seconds": seconds, "psnr": sirenlib.psnr(value, signal.values, 2.0)}
    found |= compared("gradient", slope.numpy(), gradient_of(pixels))
    found |= compared("laplacian", laplacian.numpy(), laplacian_of(pixels))
    halves = pixels.reshape(len(pixels) // 2, 2, -1, 2).mean((1, 3))
    small, _ = fitted(recipe, signal_of(halves, centers=True), seed)
    between = sirenlib.signal_psnr(small, signal_of(pixels, centers=True))
    return found | {"between": between}


def compared(name: str, found: np.ndarray, true: np.ndarray) -> dict:
    """Correlation and ratio of sizes of two fields, the outermost pixels aside."""
    found = found.reshape(*true.shape)[1:-1, 1:-1].astype(float).ravel()
    true = true[1:-1, 1:-1].ravel()
    size = np.sqrt(np.mean(found**2) / np.mean(true**2))
    correlation = np.corrcoef(found, true)[0, 1]
    return {f"{name} correlation": correlation, f"{name} size": size}


def gradient_of(pixels: np.ndarray) -> np.ndarray:
    """Central differences ``(H, W, 2)``, for coordinates from -1 to 1."""
    steps = [2 / (length - 1) for length in pixels.shape]
    return np.stack(np.gradient(pixels, *steps), -1)


def laplacian_of(pixels: np.ndarray) -> np.ndarray:
    """The five-point Laplacian ``(H, W, 1)``, for coordinates from -1 to 1."""
    total = np.zeros_like(pixels)
    for axis, length in enumerate(pixels.shape):
        second = np.roll(pixels, 1, axis) + np.roll(pixels, -1, axis) - 2 * pixels
        total += second / (2 / (length - 1)) ** 2
    return total[..., None]


def measured(recipe: Recipe | One, names: tuple[str, ...]) -> dict:
    """The means over pictures and seeds, and the decibels of each picture."""
    fits = {
        name: [quality(recipe, gray(name), seed) for seed in range(SEEDS)]
        for name in names
    }
    every = [one for each in fits.values() for one in each]
    row = {key: statistics.mean(one[key] for one in every) for key in every[0]}
    pictures = {
        name: [statistics.mean(one[key] for one in each) for key in ("psnr", "between")]
        for name, each in fits.items()
    }
    return row | {"pictures": pictures}


def main() -> None:
    options = command_line(__doc__).parse_args()
    device = begin(options)
    torch.set_num_threads(1)
    record = {"side": SIDE, "seeds": SEEDS, "epochs": BASE.epochs, "swept": []}
    for name, recipe in rows().items():
        row = {"name": name} | measured(recipe, SWEPT)
        print(row, flush=True)
        record["swept"].append(row)
    # About as many seconds as the one network takes for its epochs.
    spent = {row["name"]: row["seconds"] for row in record["swept"]}
    epochs = round(BASE.epochs * spent["one network"] / spent["the recipe"])
    last = {
        "the recipe": BASE,
        f"the recipe, {epochs} epochs": replace(BASE, epochs=epochs),
        "one network": ALONE,
    }
    record["held back"] = [
        {"name": name} | measured(recipe, HELD_BACK) for name, recipe in last.items()
    ]
    write_record("recipe", record, device, options.draft)


if __name__ == "__main__":
    main()
