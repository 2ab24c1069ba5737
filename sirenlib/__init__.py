"""Sine networks (SIREN) in PyTorch: the library that the book's chapters import."""

from .checks import Check, check
from .citations import citation
from .derivatives import divergence, forward_laplacian, gradient, jacobian, laplace
from .diagnosis import Diagnosis, diagnose
from .environment import default_device, resolve_device
from .evaluation import evaluate, render, signal_psnr
from .files import SavedNetwork, load, save
from .fitting import fit, held_out_psnr
from .images import cameraman, image_signal, to_pixels
from .initialization import SCHEMES, initialize_
from .loop import History
from .metrics import ks_critical, ks_distance, psnr, psnr_from_mse, snr
from .quilt import Quilt
from .records import recorded
from .signals import Signal, array_signal, coordinate_grid, suggest_omega_0
from .siren import SineLayer, Siren
from .training import train

__version__ = "0.3.0"
