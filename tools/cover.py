"""Draw the book's logo and its cover with the book's own code.

The cover picture is one photograph, learned by one network, in three bands: the
network's value, the length of its gradient, and its Laplacian. On the book's first page
a smaller network of the same photograph is alive, and below it one is trained. On a
page of its own five networks race on the same cat. The smallest is the example of the
page of links. The pictures take about three minutes on two CPU cores. `write` makes the
live parts alone, from the network in ``book/cover.pt`` and the link in
``book/picture.txt``, and the one of the page "Which SIREN is this?".
"""

from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image
from skimage.data import chelsea

import sirenlib
from sirenlib import figures
from sirenlib.links import from_link, to_link
from sirenlib.viewer import (
    race_here,
    train_here,
    view_link,
    view_picture,
    which_siren,
)

matplotlib.use("Agg")
from matplotlib import pyplot as plt

BOOK = Path(__file__).resolve().parent.parent / "book"
HEIGHT, WIDTH = 660, 960
PHOTO = chelsea()[55:275, 75:395]

VIEW = "The face of a cat, in color, as a neural network draws it."
PLACES = {
    "the eye": ((-0.82, -0.06), (-0.77, -0.01)),
    "a whisker": ((0.44, 0.86), (-0.96, -0.54)),
    "past the edge": ((-1.9, 1.9), (-1.9, 1.9)),
}
LINK = "The face of a cat, a little blurred, as a network of 1,563 numbers draws it."
TRAIN = (
    "Left, the photograph of a man behind a camera, 64 by 64 pixels. Right, what a "
    "network has learned of it."
)
WHICH = (
    "Two histograms, of the weights and of the biases of a fresh layer with 64 units: "
    "both are flat and end at the edges of their laws, 0.0102 and 0.125."
)
RACE = "The face of a cat in gray, 64 by 64 pixels: what five networks learn."


def logo() -> None:
    """A sine, and its derivative, which is a sine again."""
    figure, axes = plt.subplots(figsize=(2.56, 2.56), dpi=100)
    x = np.linspace(-1, 1, 400)
    for y, color in [
        (np.cos(np.pi * x), figures.PREDICTED),
        (np.sin(np.pi * x), figures.MEASURED),
    ]:
        axes.plot(x, 0.9 * y, color=color, linewidth=17, solid_capstyle="round")
    axes.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    axes.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    figure.savefig(BOOK / "logo.png", transparent=True, metadata={"Software": None})


def cover() -> None:
    """One network, drawn as value, gradient and Laplacian, band beside band."""
    signal = sirenlib.image_signal(PHOTO, size=240)
    generator = torch.Generator().manual_seed(0)
    device = sirenlib.default_device()
    model = sirenlib.Siren(2, 256, 3, 3, generator=generator).to(device)
    history = sirenlib.fit(model, signal, epochs=60, generator=generator)
    print(f"{signal.shape} pixels, {history.final_psnr:.1f} dB")

    coords = sirenlib.coordinate_grid(HEIGHT, WIDTH).to(device)
    value, slope, laplacian = sirenlib.evaluate(model, coords)
    slope[:, 1] *= signal.shape[0] / signal.shape[1]  # square pixels, not square axes
    bands = [
        (value.reshape(HEIGHT, WIDTH, 3).cpu().numpy() + 1) / 2,
        _colored(slope.norm(dim=1), "viridis", signed=False),
        _colored(laplacian[:, 0], "RdBu_r", signed=True),
    ]
    _compose(bands).save(BOOK / "cover.png", optimize=True)


def _colored(field: torch.Tensor, cmap: str, signed: bool) -> np.ndarray:
    field = field.reshape(HEIGHT, WIDTH).cpu().numpy()
    edge = np.quantile(np.abs(field), 0.985)
    low = -edge if signed else 0
    return plt.get_cmap(cmap)((field - low) / (edge - low))[..., :3]


def _compose(bands: list[np.ndarray]) -> Image.Image:
    """The bands side by side, cut along slanted lines, with a white seam."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    place = columns / WIDTH + 0.10 * (rows / HEIGHT - 0.5)
    picture = bands[0].clip(0, 1)
    for band, cut in zip(bands[1:], (0.44, 0.66), strict=True):
        picture = np.where((place > cut)[..., None], band, picture)
        picture[np.abs(place - cut) < 2 / WIDTH] = 1
    colors = Image.fromarray((picture * 255).round().astype(np.uint8))
    return colors.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)


def network() -> None:
    """Fit the network that the first page holds: small, so that the page is light."""
    signal = sirenlib.image_signal(PHOTO, size=160)
    generator = torch.Generator().manual_seed(0)
    start = {"init": "fast", "generator": generator}
    model = sirenlib.Siren(2, 64, 2, 3, first_omega_0=160 / 4, **start)
    history = sirenlib.fit(model, signal, epochs=60, lr=2e-3, generator=generator)
    print(f"{signal.shape} pixels, {history.final_psnr:.1f} dB")
    sirenlib.save(model, BOOK / "cover.pt", signal)


def cat() -> sirenlib.Signal:
    """The middle of the photograph, gray, 64 by 64 pixels."""
    gray = Image.fromarray(PHOTO[:, 50:270]).convert("L")
    return sirenlib.image_signal(gray, size=64)


def link() -> None:
    """Fit the network of the example of a link: the face alone, in 96 by 96 pixels."""
    signal = sirenlib.image_signal(PHOTO[:, 50:270], size=96)
    generator = torch.Generator().manual_seed(0)
    start = {"init": "fast", "generator": generator}
    model = sirenlib.Siren(2, 26, 2, 3, first_omega_0=96 / 3, **start)
    history = sirenlib.fit(model, signal, epochs=1500, lr=5e-3, generator=generator)
    text = to_link(model, signal)
    rounded = sirenlib.signal_psnr(from_link(text).model, signal)
    print(f"{history.final_psnr:.1f} dB, {rounded:.1f} dB in {len(text):,} characters")
    (BOOK / "picture.txt").write_text(f"{text}\n", encoding="utf-8")


def live() -> dict[str, str]:
    """What pages include: the live parts, by the names of their files."""
    saved = sirenlib.load(BOOK / "cover.pt")
    signal = sirenlib.image_signal(PHOTO, size=160)
    numbers = sum(weight.numel() for weight in saved.model.parameters())
    height, width = saved.shape
    decibels = sirenlib.signal_psnr(saved.model, signal)
    caption = (
        f"<p><small>{numbers:,} numbers, fitted to {width} × {height} pixels of the "
        f"photograph <em>chelsea</em> from scikit-image, {decibels:.1f} dB.</small></p>"
    )
    picture = view_picture(saved, signal, alt=VIEW, places=PLACES)
    trainer = train_here(sirenlib.cameraman(64), alt=TRAIN, page="picture.html")
    example = (BOOK / "picture.txt").read_text(encoding="utf-8")
    return {
        "cover.html": f"{picture.html()}\n{caption}\n",
        "train.html": f"{trainer.html()}\n",
        "picture.html": f"{view_link(example, alt=LINK).html()}\n",
        "which_siren.html": f"{which_siren(alt=WHICH).html()}\n",
        "race.html": f"{race_here(cat(), alt=RACE).html()}\n",
    }


def write() -> None:
    """Write the live parts anew."""
    for name, text in live().items():
        (BOOK / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    logo()
    cover()
    network()
    link()
    write()
