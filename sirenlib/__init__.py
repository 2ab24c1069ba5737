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
