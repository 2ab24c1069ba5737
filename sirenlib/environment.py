"""Where the work runs: the device, and whether a book is being made."""

import os

import torch

BOOK_VARIABLE = "SIRENLIB_BOOK"


def in_book() -> bool:
    """True while the book's outputs are made or tested.

    The environment variable ``SIRENLIB_BOOK`` says so. Progress bars are off
    then, live widgets become pictures, and `default_device` returns the
    variable's value (``cpu`` for the outputs that are committed).
    """
    return bool(os.environ.get(BOOK_VARIABLE))


def default_device() -> torch.device:
    """The book's device while the book is made; else CUDA if there is one."""
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return resolve_device(os.environ.get(BOOK_VARIABLE) or found)


def resolve_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        ValueError: the name is no device, or this machine does not have it.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device {name!r} cannot be used: PyTorch {torch.__version__} finds "
            f"{torch.cuda.device_count()} CUDA devices. Use 'cpu', or a PyTorch build "
            "for your GPU."
        ) from error
    return device


def chunk_of(device: torch.device) -> int:
    """Points that are computed at a time: what a CPU's caches hold, more on a GPU."""
    return 4096 if device.type == "cpu" else 2**18
