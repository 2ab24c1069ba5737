"""The page of the whole argument: its numbers are those of the theory."""

import math
import re

import numpy as np
from argument import PICTURE, sine_of_normal
from chapters import ROOT
from PIL import Image
from scipy import integrate

from sirenlib import theory

TEXT = (ROOT / "book" / "argument.md").read_text(encoding="utf-8")


def test_numbers_are_those_of_the_theory():
    settled = theory.fixed_point()
    half_a_turn = float(theory.uniform_bias_factor(math.pi / 2))
    assert abs(theory.next_variance(0.3, half_a_turn) - 1) < 1e-15
    wanted = {
        f"{theory.sine_covariance(1, 1, 1):.3f}$",
        f"v^* = {settled:.3f}$",
        f"{math.sqrt(settled):.3f}",
        f"{theory.gradient_factor(settled):.3f}",
        f"{math.pi / 2 * math.sqrt(256):.2f}",
    }
    assert [number for number in wanted if number not in TEXT] == []


def test_every_step_has_a_panel_and_a_link():
    steps = re.split(r"\*\*\d\. ", TEXT)[1:]
    assert len(steps) == 6
    assert all("](0" in step for step in steps[1:])
    with Image.open(PICTURE) as picture:
        assert 700 <= picture.width <= 900


def test_law_of_the_fourth_panel():
    angles = np.linspace(-math.pi / 2, math.pi / 2, 2001)[1:-1]
    density = sine_of_normal(np.sin(angles)) * np.cos(angles)
    assert abs(integrate.trapezoid(density, angles) - 1) < 2e-3
    second = integrate.trapezoid(density * np.sin(angles) ** 2, angles)
    assert abs(second - float(theory.sine_covariance(1, 1, 1))) < 2e-3
