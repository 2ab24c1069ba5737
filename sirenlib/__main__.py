"""``python -m sirenlib fit FILE``: a picture or a sound of your own becomes a network.

``python -m sirenlib render NETWORK`` draws a picture again, at any size, and ``python
-m sirenlib view NETWORK`` writes a page to zoom into it, to turn a shape, or to hear a
sound. ``python -m sirenlib link NETWORK`` prints a small one as an address. ``python -m
sirenlib verify`` measures every claim of the book again, on this machine.
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
    psnr,
    render,
    save,
    snr,
    to_pixels,
)
from .arguments import whole_number
from .environment import DEVICES, resolve_device
from .evaluation import rendered_rows, values_at
from .files import FARTHEST, SavedNetwork, replace_file
from .fitting import default_recipe
from .links import from_link, to_link
from .signals import LARGEST
from .sounds import sound_signal, write_sound
from .steps import CHOICES

Network = Quilt | Siren
NETWORKS = {"quilt": Quilt, "siren": Siren}
SOUNDS = (".wav", ".wave")
# What PyTorch says on a CPU, on Linux and on Windows, in a plain RuntimeError.
NO_MEMORY = ("can't allocate memory", "not enough memory")
# What a file of ours has at its beginning, so that it may be written again.
PNG_MARK = b"tEXtSoftware\0sirenlib"
PAGE_MARK = b'<div class="sirenlib" data-key='
VERIFY_MARK = b'{\n "sirenlib": "'
SVG_MARK = b"<desc>sirenlib</desc>"
MOST_IN_QR = 2_953  # bytes, of the largest code there is
LINK_PAGE = "picture.html"  # of the book


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
        0 when it worked, 1 when a claim of the book failed, 2 after a one-line error,
        130 when it was stopped.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot print
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        return options.run(options) or 0
    except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
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
    commands = parser.add_subparsers(
        required=True, metavar="fit|render|view|link|verify"
    )
    add = _command(commands, "fit", fit_file, "fit a network to a picture or a sound")
    add("file", type=Path, help="any still picture (JPEG, PNG, ...), or a WAV file")
    add("--size", type=int, help="longer side of a picture in pixels; 256 by default")
    add("--out", type=Path, help="output folder; named like the file by default")
    passes = "passes over the file; 12 for a picture by default, 24 for a sound"
    add("--epochs", type=int, help=passes)
    kinds = "many small networks, one a tile (the faster way), or one for all"
    add("--network", default="quilt", choices=NETWORKS, help=kinds)
    narrow = "units a layer of one network; 256 by default, 24 for a link"
    add("--width", type=int, help=narrow)
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
    add = _command(commands, "view", view_network, "write a page with it")
    add("network", type=Path, help="a network.pt that fit has written")
    add("--out", type=Path, default=Path("picture.html"), help="the HTML file")
    add("--title", help="the page's heading; the file's name by default")
    add = _command(commands, "link", link_network, "print it as an address")
    add("network", type=Path, help="the network.pt of a small one: fit --width 24")
    pages = "the address of the page that draws it; that of the book by default"
    add("--base", metavar="URL", help=pages)
    add("--qr", type=Path, metavar="FILE", help="a QR code of it, .svg or .png")
    add = _command(commands, "verify", verify_book, "measure the book's claims again")
    beside = "the folder of the book; that of the clone by default"
    add("book", type=Path, nargs="?", metavar="BOOK", help=beside)
    add("--chapters", type=int, nargs="+", metavar="N", help="these, instead of all")
    add("--out", type=Path, default=Path("verify.json"), help="the file to share")
    add("--device", default="cpu", choices=DEVICES, help="cpu by default, as the book")
    return parser


def _command(commands, name: str, run: Callable, description: str) -> Callable:
    command = commands.add_parser(name, help=description, description=description)
    command.set_defaults(run=run)
    return command.add_argument


def fit_file(options: argparse.Namespace) -> int | None:
    """Fit, then write network.pt, history.json, panels.png, and reconstruction.png or
    reconstruction.wav.

    Beside them checkpoint.pt keeps the state of the fit, so that it can go on.
    """
    device = _device(options)
    is_sound = options.file.suffix.lower() in SOUNDS
    epochs = (24 if is_sound else 12) if options.epochs is None else options.epochs
    whole_number("--epochs", epochs, 1)
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed must be from 0 to 2**63 - 1, not {options.seed}")
    if is_sound and options.size is not None:
        raise ValueError("--size is for pictures: a sound is fitted with all samples")
    if options.width is not None and options.network != "siren":
        raise ValueError("--width is for one network: add --network siren")
    folder = options.out or Path(options.file.stem)
    checkpoint = folder / "checkpoint.pt"
    _require_free(folder, options.resume)
    print(f"reading {options.file}", flush=True)
    if is_sound:
        signal, rate = sound_signal(options.file)
        size = f"{len(signal.coords) / rate:.1f} s at {rate} samples a second"
    else:
        size = 256 if options.size is None else options.size
        signal, rate = image_signal(options.file, size, keep_aspect=True), None
        size = "{1}x{0} pixels".format(*signal.shape)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OSError(
            f"{folder}: a file is in the way, choose another --out ({error})"
        ) from error
    generator = torch.Generator().manual_seed(options.seed)
    kind = NETWORKS[options.network]
    width = {} if options.width is None else {"hidden_features": options.width}
    model = kind.for_signal(signal, **width, generator=generator).to(device)
    lr = default_recipe(model, signal)[1]
    if is_sound:  # its first omega_0 is too large for Adam's steps (chapter 14)
        model.net[0].requires_grad_(False)
        lr = 5e-4
    lr = lr if options.lr is None else options.lr
    print(
        f"{size}, {_named(model)}, init={model.init}, first omega_0="
        f"{model.first_omega_0:.1f}, lr={lr:g}, on {device}",
        flush=True,
    )
    try:
        history = fit(
            model,
            signal,
            epochs=epochs,
            lr=lr,
            precision=options.precision,
            until=options.until,
            checkpoint=checkpoint,
            generator=generator,
        )
    except FloatingPointError:
        checkpoint.unlink(missing_ok=True)  # to go on with it would end like this
        raise
    quality = _write(folder, model, signal, history, rate)
    stopped = " (stopped early: --resume goes on)" if history.interrupted else ""
    seconds = history.seconds[-1] if history.seconds else 0.0
    print(f"{quality} in {seconds:.1f} s{stopped}: {folder}")
    return 130 if history.interrupted else 0


def _named(model: Network) -> str:
    """The network in a few words."""
    width = f"width {model.hidden_features}"
    if isinstance(model, Siren):
        return f"one network of {width}"
    tiles = "x".join(map(str, reversed(model.tiles)))
    return f"a quilt of {tiles} networks of {width}"


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


def _write(
    folder: Path, model: Network, signal: Signal, history: History, rate: int | None
) -> str:
    """Write all files, and say how good the network is."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from . import figures

    save(model, folder / "network.pt", signal, rate=rate)
    rows = dataclasses.asdict(history)
    # The settings of the user's matplotlibrc could make them unreadable.
    with plt.style.context(["default", figures.STYLE]):
        if rate is None:
            quality = f"{history.final_psnr:.2f} dB"
            fields = evaluate(model, signal.coords)
            pixels = to_pixels(fields[0], signal.value_range)
            pixels = pixels.reshape(*signal.shape, -1)
            _save_png(pixels, folder / "reconstruction.png")
            panels = figures.three_panels(*fields, signal.shape)
        else:
            sound = values_at(model, signal.coords)
            rows["final_snr"] = snr(sound, signal.values)
            quality = f"signal-to-noise ratio {rows['final_snr']:.2f} dB"
            write_sound(sound, rate, folder / "reconstruction.wav")
            panels = figures.two_spectrograms(signal.values, sound, rate)
        panels.savefig(folder / "panels.png")
        plt.close(panels)
    for name in ("final_psnr", "final_snr"):
        if not math.isfinite(rows.get(name, 0.0)):
            rows[name] = None  # a perfect fit; JSON knows no infinity
    rows["psnr"] = [each if math.isfinite(each) else None for each in history.psnr]
    text = json.dumps(rows, indent=1, allow_nan=False) + "\n"
    replace_file(folder / "history.json", text.encode())
    return quality


def render_network(options: argparse.Namespace) -> None:
    """Draw a saved network, or a window of it, into a PNG file."""
    device, saved = _device(options), load(options.network)
    if len(saved.shape) != 2 or saved.model.out_features not in (1, 3):
        raise ValueError(
            f"{options.network} is the network of no picture: `view` shows what it is"
        )
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
    saved = load(options.network)
    _require_free_file(options.out, PAGE_MARK)
    title = options.title or options.out.stem
    page = _page(saved, title)
    # A name that is no UTF-8 stands in the title as Python spells it.
    replace_file(options.out, page.encode("utf-8", "backslashreplace"))
    print(f"{len(page) / 1e6:.1f} MB: {options.out}")


def link_network(options: argparse.Namespace) -> None:
    """Print a small network as an address, and how much the rounding changes it."""
    saved = load(options.network)
    base = _link_page() if options.base is None else options.base
    link = to_link(saved, base=base)
    if options.qr:
        _write_qr(link, options.qr)
    drawn = [
        to_pixels(render(each.model, *saved.shape, saved.window), saved.value_range)
        for each in (saved, from_link(link))
    ]
    same = psnr(drawn[1].astype(float), drawn[0].astype(float), data_range=255)
    print(link)
    said = (
        f"{len(link):,} characters. Rounded, it is within {same:.1f} dB of the network"
    )
    if not base:
        said += f". Put it behind the # of {LINK_PAGE}, a page of the book"
    print(said, file=sys.stderr)


def _link_page() -> str:
    """The book's page of links: online, or as it is built here, or empty."""
    root = Path(__file__).parent.parent
    config, built = root / "_config.yml", root / "book" / "_build" / "html" / LINK_PAGE
    text = config.read_text(encoding="utf-8") if config.is_file() else ""
    if online := re.search(r"^  baseurl: (\S+?)/?$", text, re.MULTILINE):
        return f"{online[1]}/{LINK_PAGE}"
    return built.as_uri() if built.is_file() else ""


def _write_qr(link: str, path: Path) -> None:
    """A QR code of the link, as the ending of the file's name says."""
    marks = {".svg": SVG_MARK, ".png": PNG_MARK}
    if path.suffix.lower() not in marks:
        raise ValueError(f"--qr {path}: its name must end with .svg or .png")
    size = len(link.encode())
    if size > MOST_IN_QR:
        raise ValueError(
            f"the link has {size:,} bytes, and a QR code holds at most {MOST_IN_QR:,}: "
            "fit a narrower network, with --width 24"
        )
    _require_free_file(path, marks[path.suffix.lower()])
    try:
        import segno
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a QR code needs the package segno: pip install segno"
        ) from error
    code = segno.make(link, error="l", micro=False, boost_error=False)
    if path.suffix.lower() == ".png":
        rows = code.matrix_iter(scale=4, border=4)  # (H, W) of 0, and of 1 for dark
        dark = np.array([list(row) for row in rows], dtype=bool)
        _save_png(np.where(dark, 0, 255).astype(np.uint8)[..., None], path)
        return
    file = io.BytesIO()
    code.save(
        file, kind="svg", scale=4, light="white", desc="sirenlib", title="QR code"
    )
    replace_file(path, file.getbuffer())


def verify_book(options: argparse.Namespace) -> int:
    """Run the chapters, print what differs from the book, and write one file."""
    from . import verify  # only here: it runs notebooks

    device, book = resolve_device(options.device), verify.find_book(options.book)
    runs = verify.read_book(book, options.chapters)
    _require_free_file(options.out, VERIFY_MARK)
    finished = verify.measure(runs, options.device)
    claims = [claim for run in runs for claim in run.claims()]
    lines = [verify.differences(runs), verify.stops(runs), verify.summary(claims)]
    print("\n\n".join(filter(None, lines)))
    text = json.dumps(verify.report(runs, book, device), ensure_ascii=False, indent=1)
    replace_file(options.out, f"{text}\n".encode())
    print(f"{'written' if finished else 'stopped, and written so far'}: {options.out}")
    return int(any(run.error for run in runs)) if finished else 130


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


def _page(saved: SavedNetwork, title: str) -> str:
    """A page with what a network of so many coordinates is."""
    from .viewer import play_sound, view_picture, view_shape

    views = {
        1: (play_sound, "samples and played"),
        2: (view_picture, "pixels and drawn"),
        3: (view_shape, "points and drawn"),
    }
    view, made = views.get(saved.model.in_features, views[2])
    count = " by ".join(map(str, saved.shape))
    alt = f"{title}, learned from {count} {made} by a neural network."
    return view(saved, alt=alt).page(title)


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
