"""Sine networks alive in a page: no kernel, no network connection, no other file."""

from .activations import explore_activations
from .folding import explore_folding
from .frame import LiveOutput
from .kernel import Explored, explore
from .picture import view_picture
from .scrub import scrub_training
from .training import train_here
