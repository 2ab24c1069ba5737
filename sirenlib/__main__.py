"""``python -m sirenlib fit PHOTO``: a picture of your own becomes a network.

``python -m sirenlib render NETWORK`` draws it again, at any size, and ``python -m
sirenlib view NETWORK`` writes a page to zoom into it, or to turn a shape.
"""

import argparse
import dataclasses
import io
import json
import math
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from . import (
    History,
    Quilt,
    Signal,
    Siren,
    default_device,
    evaluate,
    fit,
    image_signal,
    load,
    save,
    to_pixels,
)
from .arguments import whole_number
from .environment import resolve_device
from .evaluation import rendered_rows
from .files import FARTHEST, SavedNetwork, replace_file
from .fitting import default_recipe
from .signals import LARGEST
from .steps import CHOICES

Network = Quilt | Siren
NETWORKS = {"quilt": Quilt, "siren": Siren}
# What PyTorch says on a CPU, on Linux and on Windows, in a plain RuntimeError.
NO_MEMORY = ("can't allocate memory", "not enough memory")
# What a file of ours has at its beginning, so that it may be written again.
PNG_MARK = b"tEXtSoftware\0sirenlib"
PAGE_MARK = b'<div class="sirenlib" data-key='


class _Parser(argparse.ArgumentParser):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        # A number such as -1e-3 is none of argparse's own negative numbers.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str):
        raise ValueError(f"{message} (try `{self.prog} --help`)")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 when it worked, 2 after a one-line error, 130 when it was stopped.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot print
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        return options.run(options) or 0
    except (ValueError, OSError, FloatingPointError) as error:
        return _failed(str(error))
    except (MemoryError, RuntimeError) as error:
        memory = (MemoryError, torch.cuda.OutOfMemoryError)
        if isinstance(error, memory) or any(text in str(error) for text in NO_MEMORY):
            return _failed("not enough memory: take a smaller --size")
        raise
    except KeyboardInterrupt:
        _failed("stopped")
        return 130


def _failed(message: str) -> int:
    print(f"sirenlib: {message}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m sirenlib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="fit|render|view")
    add = _command(commands, "fit", fit_photo, "fit a network to a picture")
    add("photo", type=Path, help="any still picture: JPEG, PNG, TIFF, ...")
    add("--size", type=int, default=256, help="longer side in pixels")
    add("--out", type=Path, help="output folder; named like the picture by default")
    add("--epochs", type=int, default=12, help="passes over the picture")
    kinds = "many small networks, one a tile (the faster way), or one for all"
    add("--network", default="quilt", choices=NETWORKS, help=kinds)
    add("--lr", type=float, help="learning rate of Adam; that of the recipe by default")
    add("--until", type=float, help="stop early at so many decibels")
    add("--seed", type=int, default=0)
    add("--device", help="cpu or cuda; the best there is by default")
    add("--precision", default="float32", choices=CHOICES["precision"])
    longer = "go on with a fit that was stopped, or, with more --epochs, was finished"
    add("--resume", action="store_true", help=longer)
    add = _command(commands, "render", render_network, "draw a network as a PNG file")
    add("network", type=Path, help="a network.pt that fit has written")
    add("--size", type=int, help="longer side in pixels; as fitted by default")
    add("--out", type=Path, default=Path("picture.png"), help="the PNG file")
    names = ("TOP", "BOTTOM", "LEFT", "RIGHT")
    add("--window", type=float, nargs=4, metavar=names, help="a part of the picture")
    add("--device", help="cpu or cuda; the best there is by default")
    add = _command(commands, "view", view_network, "write a page to zoom or turn")
    add("network", type=Path, help="a network.pt that fit has written")
    add("--out", type=Path, default=Path("picture.html"), help="the HTML file")
    add("--title", help="the page's heading; the file's name by default")
    return parser


def _command(commands, name: str, run: Callable, description: str) -> Callable:
    command = commands.add_parser(name, help=description, description=description)
    command.set_defaults(run=run)
    return command.add_argument


def fit_photo(options: argparse.Namespace) -> int | None:
    """Fit, then write network.pt, reconstruction.png, panels.png and history.json.

    Beside them checkpoint.pt keeps the state of the fit, so that it can go on.
    """
    device = _device(options)
    whole_number("--epochs", options.epochs, 1)
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed must be from 0 to 2**63 - 1, not {options.seed}")
    folder = options.out or Path(options.photo.stem)
    checkpoint = folder / "checkpoint.pt"
    _require_free(folder, options.resume)
    print(f"reading {options.photo}", flush=True)
    signal = image_signal(options.photo, options.size, keep_aspect=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OSError(
            f"{folder}: a file is in the way, choose another --out ({error})"
        ) from error
    generator = torch.Generator().manual_seed(options.seed)
    kind = NETWORKS[options.network]
    model = kind.for_signal(signal, generator=generator).to(device)
    lr = default_recipe(model, signal)[1] if options.lr is None else options.lr
    height, width = signal.shape
    print(
        f"{width}x{height} pixels, {_named(model)}, init={model.init}, first omega_0="
        f"{model.first_omega_0:.1f}, lr={lr:g}, on {device}",
        flush=True,
    )
    try:
        history = fit(
            model,
            signal,
            epochs=options.epochs,
            lr=lr,
            precision=options.precision,
            until=options.until,
            checkpoint=checkpoint,
            generator=generator,
        )
    except FloatingPointError:
        checkpoint.unlink(missing_ok=True)  # to go on with it would end like this
        raise
    _write(folder, model, signal, history)
    stopped = " (stopped early: --resume goes on)" if history.interrupted else ""
    seconds = history.seconds[-1] if history.seconds else 0.0
    print(f"{history.final_psnr:.2f} dB in {seconds:.1f} s{stopped}: {folder}")
    return 130 if history.interrupted else 0


def _named(model: Network) -> str:
    """The network in a few words."""
    width = f"width {model.hidden_features}"
    if isinstance(model, Siren):
        return f"one network of {width}"
    down, right = model.tiles
    return f"a quilt of {right}x{down} networks of {width}"


def _require_free(folder: Path, resume: bool) -> None:
    """Raise a ValueError where a fit would overwrite another one's network."""
    network, checkpoint = folder / "network.pt", folder / "checkpoint.pt"
    if resume and network.exists() and not checkpoint.exists():
        raise ValueError(
            f"{folder} holds a network without a checkpoint.pt, from which a fit could "
            "go on: choose another --out"
        )
    if not resume and (network.exists() or checkpoint.exists()):
        raise ValueError(
            f"{folder} holds a fit already: add --resume to go on with it, or choose "
            "another --out"
        )


def _device(options: argparse.Namespace) -> torch.device:
    if options.device:
        return resolve_device(options.device)
    if torch.version.cuda is None and shutil.which("nvidia-smi"):
        print(
            "there is an NVIDIA GPU, but this PyTorch is a build for the CPU: "
            "https://pytorch.org/get-started has the others",
            file=sys.stderr,
        )
    return default_device()


def _write(folder: Path, model: Network, signal: Signal, history: History) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from . import figures

    save(model, folder / "network.pt", signal)
    fields = evaluate(model, signal.coords)
    picture = fields[0].reshape(*signal.shape, -1)
    _save_png(to_pixels(picture, signal.value_range), folder / "reconstruction.png")
    # The settings of the user's matplotlibrc could make it unreadable.
    with plt.style.context(["default", figures.STYLE]):
        panels = figures.three_panels(*fields, signal.shape)
        panels.savefig(folder / "panels.png")
        plt.close(panels)
    rows = dataclasses.asdict(history)
    if not math.isfinite(history.final_psnr):
        rows["final_psnr"] = None  # a perfect fit; JSON knows no infinity
    rows["psnr"] = [each if math.isfinite(each) else None for each in history.psnr]
    text = json.dumps(rows, indent=1, allow_nan=False) + "\n"
    replace_file(folder / "history.json", text.encode())


def render_network(options: argparse.Namespace) -> None:
    """Draw a saved network, or a window of it, into a PNG file."""
    device, saved = _device(options), load(options.network)
    if len(saved.shape) != 2 or saved.model.out_features not in (1, 3):
        raise ValueError(f"{options.network} is the network of no picture")
    _require_free_file(options.out, PNG_MARK)
    window = saved.window
    if options.window:
        top, bottom, left, right = options.window
        window = ((top, bottom), (left, right))
        _require_window(window, saved)
    # As many pixels for a length as in the picture that was fitted.
    sides = [
        pixels * (last - first) / (end - start) if end != start else pixels
        for pixels, (first, last), (start, end) in zip(
            saved.shape, window, saved.window, strict=True
        )
    ]
    size = max(saved.shape) if options.size is None else options.size
    if whole_number("--size", size, 1) > LARGEST:
        raise ValueError(f"--size must be at most {LARGEST}, not {size}")
    height, width = (max(1, round(size * side / max(sides))) for side in sides)
    pixels = np.empty((height, width, saved.model.out_features), np.uint8)
    for rows, part in rendered_rows(saved.model.to(device), height, width, window):
        pixels[rows] = to_pixels(part, saved.value_range)
    _save_png(pixels, options.out)
    print(f"{width}x{height} pixels: {options.out}")


def _require_window(window: tuple, saved: SavedNetwork) -> None:
    """Raise a ValueError unless each axis runs as it was fitted."""
    for (first, last), (start, end) in zip(window, saved.window, strict=True):
        far = max(abs(first), abs(last)) >= FARTHEST
        if far or not (last - first) * (end - start) > 0:
            raise ValueError(
                f"--window {window} must be TOP BOTTOM LEFT RIGHT, all finite, in the "
                f"order of the whole picture, which is {saved.window}"
            )


def view_network(options: argparse.Namespace) -> None:
    """Write a page that needs nothing else, with the network in it."""
    from .viewer import view_picture, view_shape

    saved = load(options.network)
    _require_free_file(options.out, PAGE_MARK)
    title = options.title or options.out.stem
    is_shape = saved.model.in_features == 3
    view, kind = (view_shape, "points") if is_shape else (view_picture, "pixels")
    samples = " by ".join(map(str, saved.shape))
    alt = f"{title}, learned from {samples} {kind} and drawn by a neural network."
    page = view(saved, alt=alt).page(title)
    # A name that is no UTF-8 stands in the title as Python spells it.
    replace_file(options.out, page.encode("utf-8", "backslashreplace"))
    print(f"{len(page) / 1e6:.1f} MB: {options.out}")


def _require_free_file(path: Path, mark: bytes) -> None:
    """Raise an error where there is no folder, or a file without our mark."""
    if not path.parent.is_dir():
        raise OSError(f"--out {path}: there is no such folder")
    if path.exists():
        with open(path, "rb") as file:
            if mark not in file.read(2**16):
                raise ValueError(
                    f"--out {path} is there already, and this command did not write "
                    "it: choose another name"
                )


def _save_png(pixels: np.ndarray, path: Path) -> None:
    """Gray or RGB pixels ``(H, W, 1 or 3)`` as a PNG file, marked as ours."""
    gray = pixels.shape[2] == 1
    image = Image.fromarray(pixels[..., 0] if gray else pixels)
    file, mark = io.BytesIO(), PngInfo()
    mark.add_text("Software", "sirenlib")
    image.save(file, format="PNG", pnginfo=mark)
    replace_file(path, file.getbuffer())


if __name__ == "__main__":
    sys.exit(main())
