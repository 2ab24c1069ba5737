"""The sweep of a quilt's settings: what it changes, and what it compares."""

import math

import numpy as np
import pytest
import recipe
import torch

import sirenlib


def test_first_row_is_what_the_library_does():
    signal = recipe.signal_of(recipe.gray("camera"))
    ours = recipe.BASE.network(signal, torch.Generator().manual_seed(0))
    library = sirenlib.Quilt.for_signal(signal, generator=torch.Generator())
    for name, value in library.architecture().items():
        close = {"rel": 0.01} if name == "first_omega_0" else {"abs": 0}
        assert getattr(ours, name) == (
            pytest.approx(value, **close) if isinstance(value, float) else value
        )
    options = sirenlib.fitting.default_recipe(library, signal)
    assert tuple(recipe.BASE.options(signal).values()) == options


def test_a_row_changes_one_setting():
    for name, one in recipe.rows().items():
        key, _, value = name.rpartition(" ")
        if key in recipe.CHANGES:
            assert str(getattr(one, key)) == value or key in ("order", "decay")
            changed = {k for k in vars(one) if vars(one)[k] != vars(recipe.BASE)[k]}
            assert changed == {key}


def test_cosine_is_made_of_the_linear_fall(monkeypatch):
    seen = []
    plain = lambda self, index, rate: seen.append(rate)  # noqa: E731
    monkeypatch.setattr(recipe.Stepper, "__call__", plain)
    stepper = recipe.Cosine.__new__(recipe.Cosine)
    stepper.recipe = recipe.BASE
    for step in range(8):
        stepper(None, recipe.BASE.lr * (1 - step / 8))
    wanted = [recipe.BASE.lr * (1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)]
    assert seen == pytest.approx(wanted)


def test_differences_are_those_of_a_parabola():
    line = np.linspace(-1, 1, 9)
    pixels = 3 * line[:, None] ** 2 + 2 * line[None, :]
    inside = recipe.laplacian_of(pixels)[1:-1, 1:-1]
    assert inside == pytest.approx(np.full_like(inside, 6))
    slope = recipe.gradient_of(pixels)[1:-1, 1:-1]
    assert slope[..., 0] == pytest.approx(np.repeat(6 * line[1:-1, None], 7, 1))
    assert slope[..., 1] == pytest.approx(np.full((7, 7), 2.0))
    slope = recipe.gradient_of(pixels)
    found = recipe.compared("x", 2 * slope, slope)
    assert found == pytest.approx({"x correlation": 1, "x size": 2})
