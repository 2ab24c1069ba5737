"""``python -m sirenlib fit PHOTO``: a picture of your own becomes a network.

``python -m sirenlib render NETWORK`` draws it again, at any size, and ``python -m
sirenlib view NETWORK`` writes a page to zoom into it.
"""

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from . import Siren, default_device, evaluate, fit, image_signal, load, render, save
from .arguments import whole_number
from .environment import resolve_device
from .fitting import CHOICES


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise ValueError(f"{message} (try `{self.prog} --help`)")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when it worked, 2 after a one-line error."""
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"sirenlib: {error}", file=sys.stderr)
        return 2
    except (MemoryError, torch.cuda.OutOfMemoryError):
        print("sirenlib: not enough memory: take a smaller --size", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sirenlib: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m sirenlib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="fit|render")
    add = _command(commands, "fit", fit_photo, "fit a network to a picture")
    add("photo", help="any still picture: JPEG, PNG, TIFF, ...")
    add("--size", type=int, default=256, help="longer side in pixels")
    add("--out", type=Path, default=Path("siren"), help="output folder")
    add("--epochs", type=int, default=12, help="passes over the picture")
    add("--lr", type=float, help="learning rate of Adam; 3e-4 above 256, else 5e-4")
    add("--seed", type=int, default=0)
    add("--device", help="cpu or cuda; the best there is by default")
    add("--precision", default="float32", choices=CHOICES["precision"])
    add("--resume", action="store_true", help="go on with a fit that was stopped")
    add = _command(commands, "render", render_network, "draw a network as a PNG file")
    add("network", help="a network.pt that fit has written")
    add("--size", type=int, help="longer side in pixels; as fitted by default")
    add("--out", type=Path, default=Path("picture.png"), help="the PNG file")
    names = ("TOP", "BOTTOM", "LEFT", "RIGHT")
    add("--window", type=float, nargs=4, metavar=names, help="a part, -1 to 1 is all")
    add("--device", help="cpu or cuda; the best there is by default")
    add = _command(commands, "view", view_network, "write a page to zoom into")
    add("network", help="a network.pt that fit has written")
    add("--out", type=Path, default=Path("picture.html"), help="the HTML file")
    add("--title", help="the page's heading; the file's name by default")
    return parser


def _command(commands, name: str, run: Callable, description: str) -> Callable:
    command = commands.add_parser(name, help=description, description=description)
    command.set_defaults(run=run)
    return command.add_argument


def fit_photo(options: argparse.Namespace) -> None:
    """Fit, then write network.pt, reconstruction.png, panels.png and history.json.

    Until they are written, checkpoint.pt keeps the state of the fit.
    """
    device = _device(options)
    whole_number("--epochs", options.epochs, 1)
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed must be from 0 to 2**63 - 1, not {options.seed}")
    signal = image_signal(options.photo, options.size)
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.exists() and not options.resume:
        raise ValueError(
            f"{checkpoint} keeps a fit that was stopped: add --resume to go on with "
            "it, or delete it, or choose another --out"
        )
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OSError(f"--out {options.out}: a file is in the way ({error})") from error
    omega_0 = max(signal.shape) / 3
    if options.lr is None:  # long fits of large pictures fall apart at 5e-4
        options.lr = 5e-4 if max(signal.shape) <= 256 else 3e-4
    generator = torch.Generator().manual_seed(options.seed)
    channels, start = signal.values.shape[1], {"init": "fast", "generator": generator}
    model = Siren(2, 256, 3, channels, first_omega_0=omega_0, **start).to(device)
    height, width = signal.shape
    print(
        f"{width}x{height} pixels, init=fast, first omega_0={omega_0:.1f} "
        f"(longest side / 3), lr={options.lr:g}, on {device}"
    )
    names = ("epochs", "lr", "precision")
    recipe = {name: getattr(options, name) for name in names}
    history = fit(model, signal, checkpoint=checkpoint, generator=generator, **recipe)
    _write(options.out, model, signal, history)
    if not history.interrupted:
        checkpoint.unlink()
    stopped = " (stopped early: --resume goes on)" if history.interrupted else ""
    seconds = history.seconds[-1] if history.seconds else 0.0
    print(f"{history.final_psnr:.2f} dB in {seconds:.1f} s{stopped}: {options.out}")


def _device(options: argparse.Namespace) -> torch.device:
    return resolve_device(options.device) if options.device else default_device()


def _write(folder: Path, model: Siren, signal, history) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from . import figures

    save(model, folder / "network.pt", signal)
    coords = signal.coords.to(next(model.parameters()).device)
    fields = evaluate(model, coords)
    picture = fields[0].cpu().reshape(*signal.shape, -1)
    _save_picture(picture, signal.value_range, folder / "reconstruction.png")
    with plt.style.context(figures.STYLE):
        figures.three_panels(*fields, signal.shape).savefig(folder / "panels.png")
    rows = json.dumps(dataclasses.asdict(history), indent=1)
    (folder / "history.json").write_text(rows + "\n", encoding="utf-8")


def render_network(options: argparse.Namespace) -> None:
    """Draw a saved network, or a window of it, into a PNG file."""
    device, saved = _device(options), load(options.network)
    if len(saved.shape) != 2 or saved.model.out_features not in (1, 3):
        raise ValueError(f"{options.network} is the network of no picture")
    _require_folder(options.out)
    window = saved.window
    if options.window:
        window = (tuple(options.window[:2]), tuple(options.window[2:]))
    if not all(-math.inf < first < last < math.inf for first, last in window):
        raise ValueError(
            f"--window {window} must be TOP < BOTTOM and LEFT < RIGHT, all finite"
        )
    # As many pixels for a length as in the picture that was fitted.
    sides = [
        pixels * (last - first) / (end - start)
        for pixels, (first, last), (start, end) in zip(
            saved.shape, window, saved.window, strict=True
        )
    ]
    size = max(saved.shape) if options.size is None else options.size
    whole_number("--size", size, 1)
    height, width = (max(1, round(size * side / max(sides))) for side in sides)
    picture = render(saved.model.to(device), height, width, window)
    _save_picture(picture, saved.value_range, options.out)
    print(f"{width}x{height} pixels: {options.out}")


def view_network(options: argparse.Namespace) -> None:
    """Write a page that needs nothing else, with the network in it."""
    from .viewer import view_picture

    saved = load(options.network)
    _require_folder(options.out)
    title = options.title or options.out.stem
    pixels = " by ".join(map(str, saved.shape))
    alt = f"{title}, learned from {pixels} pixels and drawn by a neural network."
    page = view_picture(saved, alt=alt).page(title)
    options.out.write_text(page, encoding="utf-8")
    print(f"{len(page) / 1e6:.1f} MB: {options.out}")


def _require_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise OSError(f"--out {path}: there is no such folder")


def _save_picture(picture: Tensor, value_range: tuple, path: Path) -> None:
    low, high = value_range
    unit = (picture.squeeze(-1) - low) / (high - low)
    pixels = (unit.clip_(0, 1) * 255).round_().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(path, format="PNG")


if __name__ == "__main__":
    sys.exit(main())
