"""Sine networks (SIREN) in PyTorch: the library that the book's chapters import."""

from .checks import Check, check
from .derivatives import (
    divergence,
    evaluate,
    forward_laplacian,
    gradient,
    jacobian,
    laplace,
)
from .environment import default_device, resolve_device
from .files import SavedNetwork, load, render, save
from .fitting import History, fit, signal_psnr
from .initialization import SCHEMES, initialize_
from .metrics import ks_critical, ks_distance, psnr, psnr_from_mse
from .records import recorded
from .signals import Signal, cameraman, coordinate_grid, image_signal
from .siren import SineLayer, Siren

__version__ = "0.1.0"

__all__ = [
    "SCHEMES",
    "Check",
    "History",
    "SavedNetwork",
    "Signal",
    "SineLayer",
    "Siren",
    "cameraman",
    "check",
    "coordinate_grid",
    "default_device",
    "divergence",
    "evaluate",
    "fit",
    "forward_laplacian",
    "gradient",
    "image_signal",
    "initialize_",
    "jacobian",
    "ks_critical",
    "ks_distance",
    "laplace",
    "load",
    "psnr",
    "psnr_from_mse",
    "recorded",
    "render",
    "resolve_device",
    "save",
    "signal_psnr",
]
