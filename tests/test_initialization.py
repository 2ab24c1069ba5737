"""The schemes: the law of every weight and bias, as published."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from sirenlib import SCHEMES, SineLayer, Siren, initialize_
from sirenlib.initialization import phase_bounds

FAN_IN, WIDTH = 2, 256
FIRST, HIDDEN = 20.0, 40.0  # omega_0; apart, so that one is not taken for the other
D, N = FAN_IN, WIDTH
ROOT = math.sqrt(6 / N)  # the paper's bound, before the division by omega_0

# (weight, bias) for the first, the hidden and the last linear layer.
OFFICIAL = [(1 / D, D**-0.5), (ROOT / HIDDEN, N**-0.5), (ROOT / HIDDEN, N**-0.5)]
(W1, _), (W2, _), (W3, _) = OFFICIAL
PUBLISHED = {
    "official": OFFICIAL,
    "lucidrains": [(W1, W1), (W2, W2), (W3, W3)],
    "dalmia": [(math.sqrt(6 / D), D**-0.5), (ROOT, N**-0.5), (ROOT, N**-0.5)],
    "tiny-cuda-nn": [(30 / D / FIRST, 0), (ROOT / HIDDEN, 0), (ROOT, 0)],
    "zero-bias": [(W1, 0), (W2, 0), (W3, 0)],
    "random-phase": [(W1, math.pi / FIRST), (W2, math.pi / HIDDEN), (W3, N**-0.5)],
    "half-turn": [
        (W1, math.pi / 2 / FIRST),
        (W2, math.pi / 2 / HIDDEN),
        (W3, N**-0.5),
    ],
    "fast": [(W1, 0), (3 / math.sqrt(N) / HIDDEN, 0), (W3, 0)],
}
ROLES = {"first": 0, "hidden": 1, "last": 2}


def network(scheme, seed=0, width=WIDTH, **options):
    generator = torch.Generator().manual_seed(seed)
    return Siren(
        FAN_IN,
        width,
        1,
        256,
        first_omega_0=FIRST,
        hidden_omega_0=HIDDEN,
        init=scheme,
        generator=generator,
        **options,
    )


def linear_maps(siren):
    return [layer for layer in siren.modules() if isinstance(layer, nn.Linear)]


def require_uniform(sample, bound):
    """The sample fills [-bound, bound], as the uniform law does.

    The largest of n values lies 1/(n+1) of the bound below it in the mean, and more
    than 14 times as far with a probability of e^-14 = 1e-6. The Kolmogorov-Smirnov
    distance exceeds 2.7/sqrt(n) with a probability of 2 exp(-2 * 2.7^2) = 1e-6.
    """
    sample = np.asarray(sample.detach(), dtype=np.float64).ravel()
    n = sample.size
    largest = np.abs(sample).max()
    # float32 may round the bound itself up by 6e-8.
    assert bound * (1 - 14 / n) < largest <= bound * (1 + 1e-6)
    law = stats.uniform(-bound, 2 * bound)
    assert stats.kstest(sample, law.cdf).statistic < 2.7 / math.sqrt(n)


def test_every_scheme_is_in_the_table():
    assert list(SCHEMES) == list(PUBLISHED)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("scheme", PUBLISHED)
def test_weights_follow_the_published_law(scheme, role):
    linear = linear_maps(network(scheme))[ROLES[role]]
    require_uniform(linear.weight, PUBLISHED[scheme][ROLES[role]][0])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("scheme", PUBLISHED)
def test_biases_follow_the_published_law(scheme, role):
    linear = linear_maps(network(scheme))[ROLES[role]]
    bound = PUBLISHED[scheme][ROLES[role]][1]
    if bound:
        require_uniform(linear.bias, bound)
    else:
        assert not linear.bias.any()


@pytest.mark.parametrize("scheme", PUBLISHED)
def test_outermost_sine_starts_as_a_hidden_layer(scheme):
    last = linear_maps(network(scheme, outermost_linear=False))[-1]
    require_uniform(last.weight, PUBLISHED[scheme][ROLES["hidden"]][0])


@pytest.mark.parametrize("scheme", PUBLISHED)
def test_same_seed_same_start(scheme):
    a, b = (network(scheme, seed=4).state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("scheme", PUBLISHED)
def test_all_randomness_comes_from_the_generator(scheme):
    siren = network("official")
    before = torch.get_rng_state()
    initialize_(siren, scheme, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("scheme", PUBLISHED)
def test_scheme_sets_every_parameter(scheme):
    siren = network("official")
    for parameter in siren.parameters():
        parameter.data.fill_(1e3)
    initialize_(siren, scheme)
    assert all(p.abs().max() < 1e3 for p in siren.parameters())


@pytest.mark.parametrize("scheme", PUBLISHED)
def test_scheme_stays_out_of_the_graph(scheme):
    siren = network(scheme)
    assert all(p.is_leaf and p.requires_grad for p in siren.parameters())


def test_schemes_differ_by_name():
    siren = network("official")
    starts = []
    for scheme in SCHEMES:
        initialize_(siren, scheme, generator=torch.Generator().manual_seed(0))
        starts.append(torch.cat([p.detach().flatten() for p in siren.parameters()]))
    pairs = [(i, j) for i in range(len(starts)) for j in range(i)]
    assert not any(torch.equal(starts[i], starts[j]) for i, j in pairs)


def test_hidden_bound_is_that_of_he_over_omega_0():
    # He's uniform law for gain 1 has the bound sqrt(3/n), for a ReLU's sqrt(6/n).
    he = torch.empty(WIDTH, WIDTH)
    nn.init.kaiming_uniform_(he, generator=torch.Generator().manual_seed(0))
    hidden = linear_maps(network("official"))[1].weight
    # Both maxima of 65,536 weights lie within 14/65,536 of their bounds.
    ratio = (hidden.abs().max() * HIDDEN / he.abs().max()).item()
    assert math.isclose(ratio, 1, rel_tol=3e-4)


def test_official_start_does_not_depend_on_the_first_omega_0():
    linear = linear_maps(Siren(2, 256, 1, 1, first_omega_0=300.0))[0]
    require_uniform(linear.weight, 1 / 2)


@pytest.mark.parametrize("width", [64, 256])
def test_official_start_is_half_a_turn_at_its_own_omega_0(width):
    # Theorem 7.12: (pi/2) sqrt(n), 25.13 at width 256.
    siren = Siren(2, width, 3, 1, hidden_omega_0=math.pi / 2 * math.sqrt(width))
    _, *official = phase_bounds(siren, "official")
    _, *half_turn = phase_bounds(siren, "half-turn")
    np.testing.assert_allclose(
        [bounds for _, bounds in official[:-1]],
        [bounds for _, bounds in half_turn[:-1]],
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("is_first", "weight"), [(True, 1 / 64), (False, math.sqrt(6 / 64) / HIDDEN)]
)
def test_sine_layer_alone_starts_official(is_first, weight):
    generator = torch.Generator().manual_seed(0)
    layer = SineLayer(64, 256, True, is_first, HIDDEN, generator=generator)
    require_uniform(layer.linear.weight, weight)
    require_uniform(layer.linear.bias, 1 / math.sqrt(64))


def test_unknown_scheme_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"official.*fast, not 'glorot'"):
        initialize_(network("official"), "glorot")
