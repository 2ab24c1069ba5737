"""Sine networks alive in a page: no kernel, no network connection, no other file."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .explore import explore
    from .explore_activations import explore_activations
    from .explore_cobweb import explore_cobweb
    from .explore_folding import explore_folding
    from .explore_omega_0 import explore_omega_0
    from .explore_quilt import explore_quilt
    from .play_sound import play_sound
    from .race_here import race_here
    from .scrub_training import scrub_training
    from .train_here import train_here
    from .view_link import view_link
    from .view_picture import view_picture
    from .view_shape import view_shape
    from .which_siren import which_siren

__all__ = [
    "explore",
    "explore_activations",
    "explore_cobweb",
    "explore_folding",
    "explore_omega_0",
    "explore_quilt",
    "play_sound",
    "race_here",
    "scrub_training",
    "train_here",
    "view_link",
    "view_picture",
    "view_shape",
    "which_siren",
]


class _Viewers(ModuleType):
    """This package. Each name of ``__all__`` is a function of the module so named.

    A module is imported when its function is first asked for. Python then binds the
    module itself to the package, whoever asked: here its function takes that place.
    """

    def __getattr__(self, name: str):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{name}"), name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Viewers
