"""PSNR and the Kolmogorov-Smirnov distance, against other code and on paper."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio

from sirenlib import ks_critical, ks_distance, psnr, psnr_from_mse, snr


def pair(low, high):
    random = np.random.default_rng(0)
    return random.uniform(low, high, (2, 16, 12, 3))


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 1), (0, 255), (-3, 500)])
def test_agrees_with_scikit_image(low, high):
    prediction, target = pair(low, high)
    expected = peak_signal_noise_ratio(target, prediction, data_range=high - low)
    assert math.isclose(psnr(prediction, target, high - low), expected, rel_tol=1e-12)


@pytest.mark.parametrize("convert", [torch.from_numpy, torch.tensor, np.float32])
def test_takes_tensors_and_arrays(convert):
    prediction, target = pair(-1, 1)
    expected = psnr(prediction, target, 2)
    assert math.isclose(psnr(convert(prediction), target, 2), expected, rel_tol=1e-6)


def test_takes_a_tensor_in_a_graph():
    prediction = torch.zeros(3, requires_grad=True) + 1
    assert psnr(prediction, torch.zeros(3), 1) == 0


def test_integers_do_not_wrap_around():
    dark, bright = np.array([0, 1], np.uint8), np.array([255, 254], np.uint8)
    assert abs(psnr(dark, bright, 255)) < 0.1


def test_half_the_range_reads_6_02_db_lower():
    prediction, target = pair(-1, 1)
    loss = psnr(prediction, target, 2) - psnr(prediction, target, 1)
    assert math.isclose(loss, 20 * math.log10(2)) and round(loss, 2) == 6.02


def test_error_of_a_tenth_of_the_range_is_20_db():
    assert math.isclose(psnr(np.full(5, 0.2), np.zeros(5), 2), 20)


def test_equal_inputs_are_infinitely_good():
    assert psnr(np.ones(5), np.ones(5), 2) == math.inf


def test_is_symmetric():
    prediction, target = pair(-1, 1)
    assert psnr(prediction, target, 2) == psnr(target, prediction, 2)


def test_nan_stays_visible():
    assert math.isnan(psnr(np.array([math.nan, 0]), np.zeros(2), 2))


def test_infinite_error_is_infinitely_bad():
    assert psnr_from_mse(math.inf, 2) == -math.inf


def test_from_a_mean_squared_error():
    assert math.isclose(psnr_from_mse(0.04, 2), 20)


@pytest.mark.parametrize("shape", [(3, 1), (1, 3), (4,), ()])
def test_nothing_is_broadcast(shape):
    with pytest.raises(ValueError, match=r"shape .*nothing is broadcast"):
        psnr(np.zeros(shape), np.zeros(3), 2)


@pytest.mark.parametrize("data_range", [0, -2, math.nan, math.inf])
def test_bad_range_is_named(data_range):
    with pytest.raises(
        ValueError, match=f"data_range must be positive, not {data_range}"
    ):
        psnr(np.zeros(3), np.ones(3), data_range)


def test_range_has_no_default():
    with pytest.raises(TypeError, match="data_range"):
        psnr(np.zeros(3), np.ones(3))


# The Kolmogorov-Smirnov distance


def test_distance_of_three_samples_by_hand():
    # At 0.1, 0.2 and 0.9 the samples' function steps to 1/3, 2/3, 1; the largest gap
    # to the diagonal is 2/3 - 0.2, just after the second.
    distance = ks_distance(np.array([[0.9], [0.1], [0.2]]), lambda x: x)
    assert math.isclose(distance, 2 / 3 - 0.2)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_distance_agrees_with_scipy(size):
    draws = np.random.default_rng(0).normal(0.1, 1.2, size)
    expected = stats.kstest(draws, stats.norm.cdf).statistic
    assert math.isclose(ks_distance(draws, stats.norm.cdf), expected, rel_tol=1e-12)


@pytest.mark.parametrize("shift", [-0.9, 0.9])
def test_distance_sees_a_gap_on_either_side(shift):
    expected = stats.kstest([0.5 + shift / 2], stats.uniform.cdf).statistic
    assert math.isclose(ks_distance(np.array([0.5 + shift / 2]), lambda x: x), expected)


def test_critical_distance_agrees_with_scipy():
    for samples in (100, 10_000):
        expected = stats.kstwo.isf(0.01, samples)
        assert math.isclose(ks_critical(samples), expected, rel_tol=0.02)


@pytest.mark.parametrize("samples", [100, 2000])
def test_one_sample_in_a_hundred_exceeds_the_critical_distance(samples):
    draws = np.random.default_rng(0).uniform(size=(2000, samples))
    beyond = [ks_distance(draw, lambda x: x) > ks_critical(samples) for draw in draws]
    # A count with mean 20 and standard deviation 4.4; four of them on either side.
    assert 2 <= sum(beyond) <= 38


def test_distance_takes_tensors():
    samples = torch.linspace(0, 1, 11, requires_grad=True)
    assert math.isclose(ks_distance(samples, lambda x: x), 1 / 11, rel_tol=1e-6)


@pytest.mark.parametrize("samples", [[], [0.5, math.nan]])
def test_distance_of_nothing_is_refused(samples):
    with pytest.raises(ValueError, match="one or more numbers"):
        ks_distance(np.array(samples), lambda x: x)


@pytest.mark.parametrize("samples", [0, -1, 2.5])
def test_critical_distance_needs_a_number_of_samples(samples):
    with pytest.raises(ValueError, match="samples must be a whole number"):
        ks_critical(samples)


def test_signal_to_noise_ratio_is_that_of_the_powers():
    target = np.array([3.0, -4.0, 0.0])  # power 25
    assert snr(target + np.array([0.3, 0, 0.4]), target) == pytest.approx(
        20
    )  # power 0.25
    assert snr(0 * target, target) == pytest.approx(0)
    assert snr(target, target) == math.inf
    assert snr(torch.tensor(-target), torch.tensor(target)) == pytest.approx(-6.0206)


def test_signal_to_noise_ratio_refuses_silence_and_other_shapes():
    with pytest.raises(ValueError, match="silent"):
        snr(np.ones(4), np.zeros(4))
    with pytest.raises(ValueError, match="silent"):
        snr(np.ones(0), np.ones(0))
    with pytest.raises(ValueError, match="nothing is broadcast"):
        snr(np.ones((4, 1)), np.ones(4))
