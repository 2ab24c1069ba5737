"""``python -m sirenlib fit PHOTO``: a picture of your own becomes a network."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import torch
from PIL import Image

from . import Siren, default_device, evaluate, fit, image_signal, resolve_device, save
from .arguments import whole_number


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise ValueError(f"{message} (try `python -m sirenlib fit --help`)")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when it worked, 2 after a one-line error."""
    try:
        options = _parser().parse_args(arguments)
        fit_photo(options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"sirenlib: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("sirenlib: not enough memory: take a smaller --size", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sirenlib: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m sirenlib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="fit")
    command = commands.add_parser("fit", help="fit a network to a picture")
    command.add_argument("photo", help="any still picture: JPEG, PNG, TIFF, ...")
    command.add_argument("--size", type=int, default=256, help="longer side in pixels")
    command.add_argument(
        "--out", type=Path, default=Path("siren"), help="output folder"
    )
    command.add_argument(
        "--epochs", type=int, default=12, help="passes over the picture"
    )
    command.add_argument("--lr", type=float, default=5e-4, help="learning rate of Adam")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", help="cpu or cuda; the best there is by default")
    return parser


def fit_photo(options: argparse.Namespace) -> None:
    """Fit, then write network.pt, reconstruction.png, panels.png and history.json."""
    device = resolve_device(options.device) if options.device else default_device()
    whole_number("--epochs", options.epochs, 1)
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed must be from 0 to 2**63 - 1, not {options.seed}")
    signal = image_signal(options.photo, options.size)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OSError(f"--out {options.out}: a file is in the way ({error})") from error
    omega_0 = max(signal.shape) / 3
    generator = torch.Generator().manual_seed(options.seed)
    model = Siren(
        2,
        256,
        3,
        signal.values.shape[1],
        first_omega_0=omega_0,
        init="fast",
        generator=generator,
    ).to(device)
    height, width = signal.shape
    print(
        f"{width}x{height} pixels, init=fast, first omega_0={omega_0:.1f} "
        f"(longest side / 3), on {device}"
    )
    history = fit(
        model, signal, epochs=options.epochs, lr=options.lr, generator=generator
    )
    _write(options.out, model, signal, history)
    stopped = " (stopped early)" if history.interrupted else ""
    seconds = history.seconds[-1] if history.seconds else 0.0
    print(f"{history.final_psnr:.2f} dB in {seconds:.1f} s{stopped}: {options.out}")


def _write(folder: Path, model: Siren, signal, history) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from . import figures

    save(model, folder / "network.pt", signal)
    coords = signal.coords.to(next(model.parameters()).device)
    fields = evaluate(model, coords)
    unit = (fields[0].cpu().reshape(*signal.shape, -1).squeeze(-1) + 1) / 2
    pixels = (unit.clip(0, 1) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(folder / "reconstruction.png")
    with plt.style.context(figures.STYLE):
        figures.three_panels(*fields, signal.shape).savefig(folder / "panels.png")
    rows = json.dumps(dataclasses.asdict(history), indent=1)
    (folder / "history.json").write_text(rows + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
