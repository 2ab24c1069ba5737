"""The densities behind the activation explorer's picture, against simulation."""

import functools
import math

import numpy as np
import pytest
from scipy import special

from sirenlib import theory
from sirenlib.viewer.densities import phase_density, sine_density

SAMPLES = 200_000


def uniform(half_width, seed):
    return np.random.default_rng(seed).uniform(-half_width, half_width, SAMPLES)


LAYERS = [
    {"bias": 0.0, "q": 0.004},
    {"bias": 0.0, "q": 1.0},
    {"bias": 2.65, "q": 0.98},
    {"bias": math.pi, "q": 0.3},
    {"bias": 0.0, "weight": 30.0},
    {"bias": 0.4, "weight": 2.0},
    {"bias": 30.0, "weight": 30.0},
]
layers_of_all_kinds = pytest.mark.parametrize("layer", LAYERS, ids=str)


def drawn_phases(layer) -> np.ndarray:
    """The weighted sums of a layer, its biases added."""
    if "q" in layer:
        sums = np.random.default_rng(0).standard_normal(SAMPLES) * math.sqrt(layer["q"])
    else:
        sums = uniform(layer["weight"], seed=1) * uniform(1.0, seed=2)
    return sums + uniform(layer["bias"], seed=3)


def require_density(sample, density, edges):
    """The share of a sample in each bin is the density's integral over it."""
    places = np.linspace(edges[:-1], edges[1:], 401)
    middles, steps = (places[1:] + places[:-1]) / 2, np.diff(places, axis=0)
    share = (density(middles) * steps).sum(axis=0)
    found = np.histogram(sample, edges)[0] / len(sample)
    error = np.sqrt(share * (1 - share) / len(sample))
    assert (np.abs(found - share) < 5 * error + 2e-5).all()
    assert abs(share.sum() - 1) < 1e-3


@layers_of_all_kinds
def test_phases_have_their_density(layer):
    sample = drawn_phases(layer)
    edge = np.abs(sample).max()
    density = functools.partial(phase_density, **layer)
    require_density(sample, density, np.linspace(-edge, edge, 41))


@layers_of_all_kinds
def test_sines_have_their_density(layer):
    """In bins of arcsin y, where the density is bounded."""

    def density(angle):
        return sine_density(np.sin(angle), **layer) * np.cos(angle)

    sample = np.arcsin(np.sin(drawn_phases(layer)))
    require_density(sample, density, np.linspace(-math.pi / 2, math.pi / 2, 41))


def test_densities_meet_the_closed_forms():
    y = np.linspace(-0.99, 0.99, 45)
    arcsine = theory.ARCSINE.pdf(y)
    for layer in ({"q": 0.7}, {"weight": 30.0}):  # phases uniform over whole turns
        found = sine_density(y, bias=math.pi, **layer)
        np.testing.assert_allclose(found, arcsine, rtol=1e-12)
    for s in (0.05, 0.5, 2.0):
        step = 1e-5
        below = [theory.sine_of_normal_cdf(y + h, s) for h in (-step, step)]
        found = sine_density(y, bias=0.0, q=s**2)
        slope = (below[1] - below[0]) / (2 * step)
        np.testing.assert_allclose(found, slope, rtol=1e-5, atol=1e-6)
    # Two ways to add a small bias.
    z = np.linspace(-3, 3, 31)
    for layer in ({"q": 0.7}, {"weight": 2.5}):
        none = phase_density(z + 0.01, bias=1e-9, **layer)
        small = phase_density(z + 0.01, bias=1e-5, **layer)
        np.testing.assert_allclose(small, none, atol=1e-8)


def test_densities_by_fourier_series():
    """Their cosine series, with E cos(t z) of a sum and of a uniform bias."""
    t = np.pi / 40 * np.arange(1, 4000)

    def series(z, mean):
        return (1 + 2 * np.cos(np.multiply.outer(z, t)) @ mean) / 80

    z = np.linspace(-35, 35, 71)
    bias = np.sinc(t * 2.65 / np.pi)
    first = bias * special.sici(30 * t)[0] / (30 * t)
    found = phase_density(z, bias=2.65, weight=30.0)
    np.testing.assert_allclose(found, series(z, first), atol=2e-7)
    hidden = bias * np.exp(-0.4 * t**2)
    found = phase_density(z, bias=2.65, q=0.8)
    np.testing.assert_allclose(found, series(z, hidden), atol=1e-12)
    even = 2 * np.arange(1, 40)
    y = np.linspace(-0.9, 0.9, 19)
    waves = np.cos(np.multiply.outer(np.arcsin(y), even))
    mean = np.sinc(even * 2.65 / np.pi) * np.exp(-0.4 * even**2)
    wanted = theory.ARCSINE.pdf(y) * (1 + 2 * waves @ mean)
    found = sine_density(y, bias=2.65, q=0.8)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: phase_density(0, bias=1), "give q for a hidden layer"),
        (lambda: sine_density(0, bias=1, q=1, weight=1), "give q for"),
        (lambda: phase_density(0, bias=-1, q=1), "must not be negative"),
        (lambda: phase_density(0, bias=math.nan, q=1), "must not be negative"),
        (lambda: sine_density(0, bias=1, q=0), "q must be a positive number"),
        (lambda: phase_density(0, bias=1, weight=0), "weight must be"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
