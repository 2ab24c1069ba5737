"""Where the work runs: the device, and whether a book is being made."""

import os
import warnings

import torch

BOOK_VARIABLE = "SIRENLIB_BOOK"
DEVICES = ("cpu", "cuda")


def in_book() -> bool:
    """True while the book's outputs are made or tested.

    The environment variable ``SIRENLIB_BOOK`` says so. Progress bars are off
    then, live widgets become pictures, and `default_device` returns the
    variable's value (``cpu`` for the outputs that are committed).
    """
    return bool(os.environ.get(BOOK_VARIABLE))


def default_device() -> torch.device:
    """The book's device while the book is made; else CUDA if one works, or the CPU.

    A GPU that this PyTorch has no kernels for is passed over with a warning.
    """
    if in_book():
        return resolve_device(os.environ[BOOK_VARIABLE])
    if torch.cuda.is_available():
        try:
            return resolve_device("cuda")
        except ValueError as error:
            warnings.warn(f"{error} The CPU is used.", stacklevel=2)
    return resolve_device("cpu")


def resolve_device(name: str) -> torch.device:
    """The device of that name, after a first gradient on it.

    Raises:
        ValueError: the name is neither a CPU nor a CUDA device, this machine does not
            have it, or this PyTorch does not run on it.

    Example:
        >>> import sirenlib
        >>> sirenlib.resolve_device("cpu")
        device(type='cpu')
    """
    try:
        device = torch.device(name)
        one = torch.ones(1, device=device, requires_grad=True)
        # Backward too: on CUDA its thread would warn if a product were its first work.
        one.square().sum().backward()
        one.grad.cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device {name!r} cannot be used: PyTorch {torch.__version__} finds "
            f"{torch.cuda.device_count()} CUDA devices. Use 'cpu', or a PyTorch build "
            f"for your GPU. ({str(error).splitlines()[0]})"
        ) from error
    require_supported(device)
    return device


def require_supported(device: torch.device) -> None:
    """Raise a ValueError where fits are not supported: they add up in float64."""
    if device.type not in DEVICES:
        raise ValueError(
            f"device {device.type!r} is not supported: fits run on "
            f"{' and '.join(DEVICES)}"
        )
