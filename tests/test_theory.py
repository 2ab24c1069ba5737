"""The closed forms, against simulation and against each other."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as some
from scipy import optimize, stats

from sirenlib import Siren, ks_distance, theory
from sirenlib.initialization import SCHEMES, phase_bounds

SAMPLES = 200_000
LEVELS = np.linspace(-1, 1, 1001)
# Of a normal law one value in 15,000 lies outside of four standard errors.
ERRORS = 4


def uniform(half_width=1.0, size=SAMPLES, seed=0):
    return np.random.default_rng(seed).uniform(-half_width, half_width, size)


def normal(*size, seed=0):
    return np.random.default_rng(seed).standard_normal(size or SAMPLES)


def require_mean(sample, expected):
    """The mean of independent values is the expected one, within its own error."""
    error = np.std(sample) / math.sqrt(np.size(sample))
    assert abs(np.mean(sample) - expected) < ERRORS * error


def require_law(sample, cdf):
    """A distance of 2.7/sqrt(N) is exceeded with a probability of 1e-6."""
    assert ks_distance(sample, cdf) < 2.7 / math.sqrt(len(sample))


# Sines of uniform and of normal angles


@pytest.mark.parametrize("a", [0.3, 1, math.pi / 2, 2, math.pi, 7, 30])
@pytest.mark.parametrize("b", [0, 0.7, math.pi / 2, -4])
def test_sine_of_uniform_follows_its_law(a, b):
    sample = np.sin(a * uniform() + b)
    require_law(sample, lambda y: theory.sine_of_uniform_cdf(y, a, b))


def test_sine_of_uniform_is_a_distribution_function_beyond_its_support():
    outside = theory.sine_of_uniform_cdf([-5, -1, 1, 5], 2.0, 0.3)
    np.testing.assert_allclose(outside, [0, 0, 1, 1], atol=1e-15)


def distance_to_arcsine(a, b):
    law = theory.sine_of_uniform_cdf(LEVELS, a, b)
    return np.abs(law - theory.ARCSINE.cdf(LEVELS)).max()


@given(some.floats(0.05, 500), some.floats(-10, 10))
def test_bound_holds_for_every_angle(a, b):
    assert distance_to_arcsine(a, b) <= theory.sine_of_uniform_bound(a) + 1e-12


@given(some.integers(1, 50), some.floats(-10, 10))
def test_whole_turns_give_the_arcsine_law_exactly(k, b):
    assert distance_to_arcsine(k * math.pi, b) < 1e-12


@pytest.mark.parametrize("k", [1, 2, 10])
def test_bound_is_attained(k):
    a = (k - 0.5) * math.pi
    assert math.isclose(
        distance_to_arcsine(a, math.pi / 2), theory.sine_of_uniform_bound(a)
    )


@pytest.mark.parametrize("s", [0.1, 0.3, 0.893, 1, math.pi / 2, 6])
def test_sine_of_normal_follows_its_law(s):
    sample = np.sin(s * normal())
    require_law(sample, lambda y: theory.sine_of_normal_cdf(y, s))


@pytest.mark.parametrize("s", [0.02, 0.5, 1, 3])
def test_sine_of_normal_has_summed_enough_terms(s):
    whole_turns = np.arange(-3 - int(9 * s), 4 + int(9 * s))
    folded = stats.norm.cdf(
        (2 * np.pi * whole_turns + np.arcsin(LEVELS)[:, None]) / s
    ) - stats.norm.cdf(
        (2 * np.pi * whole_turns - np.pi - np.arcsin(LEVELS)[:, None]) / s
    )
    found = theory.sine_of_normal_cdf(LEVELS, s)
    np.testing.assert_allclose(found, folded.sum(axis=1), atol=1e-13)


# One layer


BIASES = {
    "none": (lambda size: np.zeros(size), 1.0),
    "narrow": (lambda size: uniform(0.8, size, 9), theory.uniform_bias_factor(0.8)),
    "half": (lambda size: uniform(math.pi / 2, size, 9), 0.0),
    "wide": (lambda size: uniform(2.3, size, 9), theory.uniform_bias_factor(2.3)),
    "normal": (lambda size: 0.9 * normal(size, seed=9), math.exp(-2 * 0.9**2)),
}


@pytest.mark.parametrize("law", BIASES)
def test_bias_factor_is_the_mean_cosine(law):
    draw, s = BIASES[law]
    assert abs(np.cos(2 * draw(SAMPLES)).mean() - s) < ERRORS / math.sqrt(2 * SAMPLES)


@pytest.mark.parametrize("law", BIASES)
@pytest.mark.parametrize(("q", "r", "rho"), [(1, 1, 1), (0.8, 1.5, 0.6), (1, 2, -0.5)])
def test_sine_covariance(law, q, r, rho):
    draw, s = BIASES[law]
    first, second = normal(2, SAMPLES)
    u = math.sqrt(q) * first
    v = math.sqrt(r) * (rho * first + math.sqrt(1 - rho**2) * second)
    b = draw(SAMPLES)
    expected = theory.sine_covariance(q, r, rho * math.sqrt(q * r), float(s))
    require_mean(np.sin(u + b) * np.sin(v + b), expected)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("half_width", [0.0, 0.4, 30.0])
def test_first_sine_covariance(d, half_width):
    x, y = uniform(size=(2, d), seed=1)
    w, b = uniform(6.0, (SAMPLES, d), 2), uniform(half_width, SAMPLES, 3)
    expected = theory.first_sine_covariance(
        x, y, 6.0, float(theory.uniform_bias_factor(half_width))
    )
    require_mean(np.sin(w @ x + b) * np.sin(w @ y + b), expected)


def test_first_sine_covariance_is_that_of_many_pairs():
    x, y = uniform(size=(5, 1, 2)), uniform(size=(7, 2), seed=1)
    table = theory.first_sine_covariance(x, y, 15.0, 0.3)
    assert table.shape == (5, 7)
    assert table[3, 4] == theory.first_sine_covariance(x[3, 0], y[4], 15.0, 0.3)


# Invariants of the recursion

factors = some.floats(-1, 1)
scales = some.floats(0.2, 5)


@example(1.0, 1.625)  # 0, and rounded below it
@given(factors, scales)
def test_fixed_point_is_fixed_and_bounded(s, c):
    q = theory.fixed_point(s, c)
    assert math.isclose(theory.next_variance(q, s, c), q, rel_tol=1e-7, abs_tol=1e-7)
    assert -1e-12 <= q <= c**2 / 6 * (1 + abs(s)) * (1 + 1e-12)
    if s < 0.999 or c**2 > 3.01:
        assert q > 0


@settings(deadline=None)
@given(some.floats(-0.22, 1), some.floats(2, 3), some.floats(0.01, 3))
def test_recursion_tends_to_the_fixed_point(s, c, q):
    for _ in range(300):
        q = float(theory.next_variance(q, s, c))
    assert math.isclose(q, theory.fixed_point(s, c), rel_tol=1e-9)


@given(factors, factors, scales)
def test_fixed_point_decreases_in_s(s, t, c):
    low, high = sorted((s, t))
    assert theory.fixed_point(low, c) >= theory.fixed_point(high, c) - 1e-7


@given(some.floats(0, 10), factors, scales)
def test_what_the_sine_keeps_and_what_the_cosine_keeps_add_up(q, s, c):
    both = theory.next_variance(q, s, c) + theory.gradient_factor(q, s, c)
    assert math.isclose(both, c**2 / 3)


@given(some.floats(0.5, 50), some.integers(4, 4096), some.integers(1, 5))
def test_only_omega_0_over_the_root_of_the_width_counts(omega_0, n, t):
    def default_bias(omega_0, n):
        return omega_0 / math.sqrt(n)

    once = theory.uniform_bias_factor(default_bias(omega_0, n))
    again = theory.uniform_bias_factor(default_bias(t * omega_0, t**2 * n))
    assert math.isclose(once, again, abs_tol=1e-12)
    fixed = (theory.fixed_point(float(factor)) for factor in (once, again))
    assert math.isclose(*fixed)


def test_without_biases_the_map_is_the_simple_one():
    q = np.linspace(0, 3, 50)
    np.testing.assert_allclose(theory.next_variance(q), 1 - np.exp(-2 * q))
    small = float(theory.uniform_bias_factor(1e-9))
    np.testing.assert_allclose(theory.next_variance(q, small), 1 - np.exp(-2 * q))


def test_no_scale_holds_both_directions_without_biases():
    for c in np.linspace(1.8, 6, 20):
        v = theory.fixed_point(1.0, c)
        chi = theory.gradient_factor(v, 1.0, c)
        assert math.isclose(chi, v / math.tanh(v)) and chi > 1


def test_fixed_point_agrees_with_a_root_finder():
    for s, c in [(1, 2.449), (0.5, 2.0), (-0.2, 3.0), (-1, 2.449)]:
        root = optimize.brentq(lambda q: theory.next_variance(q, s, c) - q, 1e-9, 20)  # noqa: B023
        assert math.isclose(theory.fixed_point(s, c), root, rel_tol=1e-9)


# Whole networks


def simulate(coords, layers, width, networks, seed=0):
    """Per network and layer: variance, within, sine variance; and the gradient's."""
    generator = torch.Generator().manual_seed(seed)

    def draw(half_width, *shape):
        numbers = torch.rand(networks, *shape, generator=generator, dtype=torch.float64)
        return half_width * (2 * numbers - 1)

    h = torch.from_numpy(coords).expand(networks, -1, -1)
    rows, phases, weights = [], [], []
    for fan_in, (weight, bias) in layers:
        weights.append(draw(weight, fan_in, width))
        z = h @ weights[-1] + draw(bias, 1, width)
        h = z.sin()
        phases.append(z)
        spread = z.var(1, correction=0).mean(1)
        rows.append([z.square().mean((1, 2)), spread, h.square().mean((1, 2))])
    delta = draw(1.0, len(coords), width)
    gradients = [delta.square().mean((1, 2))]
    for z, weight in zip(reversed(phases[:-1]), reversed(weights[1:]), strict=True):
        delta = (delta @ weight.transpose(1, 2)) * z.cos()
        gradients.append(delta.square().mean((1, 2)))
    stacked = torch.stack([torch.stack(row) for row in rows])
    return stacked.numpy(), torch.stack(gradients[::-1]).numpy()


CASES = [
    (scheme, width, d, omega_0, depth)
    for scheme in ("official", "zero-bias", "random-phase", "fast")
    for width, d, omega_0, depth in [
        (64, 1, 30.0, 6),
        (64, 3, 5.0, 3),
        (256, 2, 30.0, 5),
        (256, 1, 90.0, 3),
    ]
]


@pytest.mark.parametrize(("scheme", "width", "d", "omega_0", "depth"), CASES)
def test_networks_follow_the_law(scheme, width, d, omega_0, depth):
    """To four standard errors over the networks, and 4/n for the finite width."""
    siren = Siren(d, width, depth - 1, 1, True, omega_0, omega_0, init=scheme)
    layers = phase_bounds(siren, scheme)[:-1]
    coords = uniform(size=(48, d), seed=5)
    networks = 20_000 // width
    measured, gradients = simulate(coords, layers, width, networks)
    laws = theory.network_law(coords, layers)
    for layer, law in enumerate(laws):
        wanted = (law.variance, law.within, law.sine_variance)
        for sample, expected in zip(measured[layer], wanted, strict=True):
            error = sample.std() / math.sqrt(networks)
            assert abs(sample.mean() - expected) < ERRORS * error + 4 / width * expected
    for sample, law in zip(gradients / gradients[-1].mean(), laws, strict=True):
        error = sample.std() / math.sqrt(networks)
        allowed = 4 * depth / width * law.gradient
        assert abs(sample.mean() - law.gradient) < ERRORS * error + allowed


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("d", [1, 2])
def test_derivatives_have_the_predicted_size(scheme, d):
    """To five per cent: 60 networks of width 256, and 3 % of finite width."""
    first, second = [], []
    hidden = 1.0 if scheme in ("lucidrains", "dalmia") else 30.0
    coords = torch.from_numpy(uniform(size=(20, d), seed=3)).float()
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        options = {"hidden_omega_0": hidden, "init": scheme}
        siren = Siren(d, 256, 2, 1, generator=generator, **options)
        x = coords.clone().requires_grad_()
        [slope] = torch.autograd.grad(siren(x).sum(), x, create_graph=True)
        [bend] = torch.autograd.grad(slope[:, 0].sum(), x)
        first.append(slope.detach().square().mean().item())
        second.append(bend[:, 0].square().mean().item())
    predicted = theory.derivative_variances(phase_bounds(siren, scheme))[-1]
    for sample, expected in zip((first, second), predicted, strict=True):
        error = np.std(sample) / math.sqrt(len(sample))
        assert abs(np.mean(sample) - expected) < ERRORS * error + 0.05 * expected


# What cannot be answered


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.sine_of_uniform_cdf(0, 0), "a must be a positive number"),
        (lambda: theory.sine_of_uniform_bound(-1), "a must be a positive number"),
        (lambda: theory.sine_of_normal_cdf(0, 0), "s must be a positive number"),
        (lambda: theory.fixed_point(1.5), "s is a mean cosine"),
        (lambda: theory.fixed_point(math.nan), "s is a mean cosine"),
        (lambda: theory.fixed_point(c=-1), "c must be a positive number"),
        (lambda: theory.next_variance(-0.1), "must not be negative"),
        (lambda: theory.gradient_factor(1, s=2), "s is a mean cosine"),
        (lambda: theory.first_sine_covariance([0], [0], 0), "weight must be"),
        (lambda: theory.network_law(np.zeros(4), [(1, (1, 1))]), "must be \\(N, d\\)"),
        (lambda: theory.network_law(np.zeros((4, 2)), [(1, (1, 1))]), "fan-in"),
        (lambda: theory.network_law(np.zeros((4, 2)), []), "fan-in"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
