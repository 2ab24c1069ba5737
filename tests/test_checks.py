"""The one line of a check: its form, its way back, and when it is an error."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirenlib import Check, check

KS = "Lemma 1.1", "KS distance to the arcsine law"
SAMPLE = (
    "✓ Lemma 1.1       KS distance to the arcsine law        "
    "0.00070 ≤ 0.00163   (1,000,000 samples)"
)


def printed(capsys, *args, **options):
    check(*args, **options)
    return capsys.readouterr().out


# What is printed


@pytest.mark.parametrize(
    ("measured", "demand", "result"),
    [
        (0.00070123, {"at_most": 0.00163}, "0.00070 ≤ 0.00163"),
        (41.237, {"at_least": 40}, "41.2 ≥ 40.0"),
        (1.4801, {"near": 1.48, "within": 0.02}, "1.480 ≈ 1.480 ± 0.020"),
        (198_401, {"near": 198_401, "within": 10}, "198,401 ≈ 198,401 ± 10"),
        (3.1e-8, {"below": 1e-6}, "< 1e-06"),
        (1234.5, {"at_most": 2000}, "1,234 ≤ 2,000"),
        (0, {"at_most": 0}, "0.000 ≤ 0.000"),
        (198_401, {"near": 198_401, "within": 0}, "198,401 = 198,401"),
        (0.12345, {"near": 0.12345, "within": 0}, "0.12345 = 0.12345"),
        (
            0.2,
            {"near": 0.21, "within": 0.05, "against": 0.1},
            "0.200 ≈ 0.210 ± 0.050, not 0.100",
        ),
        (0.2, {"at_most": 0.3, "against": 0.4}, "0.200 ≤ 0.300, not 0.400"),
        (2e-8, {"below": 1e-6, "against": 3e-5}, "< 1e-06, not 3e-05"),
        (11, {"near": 11, "within": 0, "against": 12}, "11 = 11, not 12"),
    ],
)
def test_result_has_the_digits_that_the_tolerance_resolves(
    capsys, measured, demand, result
):
    line = printed(capsys, "Lemma 1.1", "distance", measured, **demand)
    assert line.rstrip("\n").endswith(f"  {result}")


def test_rounding_errors_print_the_bound_alone(capsys):
    lines = {printed(capsys, *KS, error, below=1e-6) for error in (0, 3e-9, 7e-8)}
    assert len(lines) == 1


def test_whole_line(capsys):
    line = printed(capsys, *KS, 0.0007, at_most=0.00163, note="1,000,000 samples")
    head = "✓ Lemma 1.1       KS distance to the arcsine law      "
    assert line == head + "0.00070 ≤ 0.00163   (1,000,000 samples)\n"


def test_columns_of_short_names_are_aligned(capsys):
    names = [("Lemma 1.1", "KS distance"), ("Exercise 9.2", "a"), ("X", "b c")]
    lines = [printed(capsys, *name, 1, at_most=2) for name in names]
    assert {line.index("1.00 ≤") for line in lines} == {len(lines[0]) - 12}


def test_long_names_keep_a_gap(capsys):
    line = printed(capsys, "s" * 30, "q" * 60, 1, at_most=2)
    assert f"{'s' * 30}  {'q' * 60}  1.00" in line


def test_nothing_is_returned(capsys):
    assert check(*KS, 1, at_most=2) is None


# The way back

visible = st.characters(exclude_categories=["C", "Z"])
words = st.lists(st.text(visible, min_size=1), min_size=1, max_size=4).map(" ".join)
numbers = st.floats(-1e6, 1e6)


@given(
    words,
    words,
    numbers,
    st.floats(0, 1e6),
    st.sampled_from(["at_most", "at_least", "near", "exactly", "below"]),
    st.booleans(),
    st.one_of(st.just(""), words),
)
def test_every_printed_line_parses_back(
    statement, quantity, bound, slack, demand, wrong, note
):
    lines = []
    measured = bound + slack if demand == "at_least" else bound - slack
    demands = {
        "near": {"near": bound, "within": 2 * slack + 1e-3},
        "exactly": {"near": measured, "within": 0},
        "below": {"below": bound + 1},
    }
    options = demands.get(demand, {demand: bound})
    if wrong:
        options["against"] = bound + (-1e7 if demand == "at_least" else 1e7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda line: lines.append(line))
        check(statement, quantity, measured, note=note, **options)
    found = Check.parse(str(lines[0]))
    assert found == lines[0]
    assert (found.statement, found.quantity) == (statement, quantity)
    assert found.note == note
    assert bool(found.against) == wrong


number_texts = st.from_regex(r"-?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]{1,6})?", fullmatch=True)


@given(
    st.builds(
        Check,
        words,
        words,
        number_texts,
        st.sampled_from("≤≥≈="),
        number_texts,
        st.one_of(st.just(""), words),
        st.one_of(st.just(""), number_texts),
    )
)
def test_every_check_survives_the_round_trip(held):
    assert Check.parse(str(held)) == held


def test_sample_line_of_the_style_guide_parses():
    assert Check.parse(SAMPLE) == Check(
        *KS, "0.00070", "≤", "0.00163", "1,000,000 samples"
    )


def test_line_break_at_the_end_is_no_matter():
    assert Check.parse(SAMPLE + "\n") == Check.parse(SAMPLE)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "30.1 dB in 2.0 s",
        SAMPLE.removeprefix("✓ "),
        SAMPLE.replace("✓", "✗"),
        SAMPLE.replace("≤", "≠"),
        SAMPLE + " and more",
        "✓ Lemma 1.1       0.00070 ≤ 0.00163",
        "✓ Lemma 1.1 KS distance 0.00070 ≤ 0.00163",
    ],
)
def test_other_lines_do_not_parse(line):
    with pytest.raises(ValueError, match=r"not a line of check\(\)"):
        Check.parse(line)


# A reader's prediction


@pytest.mark.parametrize(
    ("prediction", "measured", "words"),
    [
        (0.05, 0.0494, "1.2 % above the measured value"),
        (0.048, 0.0494, "2.8 % below the measured value"),
        (0.04, 0.05, "20 % below the measured value"),
        (10004, 10000, "less than 0.1 % above the measured value"),
        (2, 1, "100 % above the measured value"),
        (0.5, 1, "50 % below the measured value"),
        (2.01, 1, "a factor 2.0 too large"),
        (3.1, 1, "a factor 3.1 too large"),
        (1, 3.1, "a factor 3.1 too small"),
        (9000, 3, "a factor 3,000 too large"),
        (11, 11, "as measured"),
        (12, 11, "9.1 % above the measured value"),
        (0, 0, "as measured"),
        (0.1, 0, "off by 0.1"),
        (0, 0.5, "off by 0.5"),
        (0, 8707, "off by 8710"),
        (-0.6, -0.575, "4.3 % below the measured value"),
        (-3, -1, "a factor 3.0 too large"),
        (0.5, -0.5, "wrong sign, off by 1"),
    ],
)
def test_prediction_stands_below_the_line(capsys, prediction, measured, words):
    options = {"near": measured, "within": 0}
    line = printed(capsys, *KS, measured, **options)
    assert printed(capsys, *KS, measured, **options, prediction=...) == line
    both = printed(capsys, *KS, measured, **options, prediction=prediction)
    assert both == f"{line}  your prediction {prediction:g}: {words}\n"


def test_prediction_is_held_to_the_number_that_is_printed(capsys):
    rounded = {"near": 0, "within": 1e-3}
    said = printed(capsys, *KS, 3e-9, **rounded, prediction=np.float32(0))
    assert said.endswith("  your prediction 0: as measured\n")
    said = printed(capsys, *KS, 8707, near=8707, within=0, prediction=8000)
    assert said.endswith("8.1 % below the measured value\n")


def test_line_of_a_prediction_is_no_check(capsys):
    check(*KS, 1, at_most=2, prediction=3)
    first, second = capsys.readouterr().out.splitlines()
    assert Check.parse(first).measured == "1.00"
    with pytest.raises(ValueError, match="not a line of check"):
        Check.parse(second)


@pytest.mark.parametrize("prediction", ["5 %", "0.05", None, math.nan, math.inf, [1]])
def test_prediction_must_be_a_number(capsys, prediction):
    with pytest.raises(TypeError, match="finite number, such as"):
        check(*KS, 1, at_most=2, prediction=prediction)
    assert capsys.readouterr().out == ""


def test_rounding_error_cannot_be_predicted():
    with pytest.raises(TypeError, match="no number is printed"):
        check(*KS, 1e-9, below=1e-6, prediction=1e-9)


# Demands that are not met


@pytest.mark.parametrize(
    ("measured", "demand", "numbers"),
    [
        (0.002, {"at_most": 0.00163}, ["0.002", "≤", "0.00163"]),
        (39.9, {"at_least": 40}, ["39.9", "≥", "40"]),
        (1.51, {"near": 1.48, "within": 0.02}, ["1.51", "≈", "1.48", "± 0.02"]),
        (1.45, {"near": 1.48, "within": 0.02}, ["1.45", "≈", "1.48", "± 0.02"]),
        (1e-6, {"below": 1e-6}, ["1e-06", "<", "1e-06"]),
        (math.inf, {"at_most": 1}, ["inf", "≤", "1"]),
    ],
)
def test_failure_says_the_claim_and_both_numbers(measured, demand, numbers):
    with pytest.raises(AssertionError) as error:
        check(*KS, measured, **demand)
    assert all(text in str(error.value) for text in [*KS, *numbers])


@pytest.mark.parametrize(
    ("measured", "demand"),
    [(1_234_568, {"at_most": 1_234_567}), (0.999_999_9, {"at_least": 1})],
)
def test_failure_by_a_little_shows_two_different_numbers(measured, demand):
    with pytest.raises(AssertionError) as error:
        check("Lemma", "count", measured, **demand)
    message = str(error.value).replace(",", "")
    found, wanted = re.search(r"measured (\S+) expected . (\S+)", message).groups()
    assert found != wanted


def test_failure_prints_nothing(capsys):
    with pytest.raises(AssertionError):
        check(*KS, 2, at_most=1)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "demand",
    [{"at_most": 1}, {"at_least": 1}, {"near": 1, "within": 1}, {"below": 1}],
)
def test_nan_meets_no_demand(demand):
    with pytest.raises(AssertionError, match="measured nan"):
        check(*KS, math.nan, **demand)


@pytest.mark.parametrize("demand", ["at_most", "at_least"])
def test_bound_itself_is_allowed(demand):
    check(*KS, 2, **{demand: 2})


def test_edge_of_the_tolerance_is_allowed():
    check(*KS, 3, near=2, within=1)


@pytest.mark.parametrize(
    "demand",
    [
        {"at_most": 2, "against": 2},
        {"at_least": 0, "against": 0.5},
        {"near": 1, "within": 0.5, "against": 1.4},
        {"near": 1, "within": 0.5, "against": 0.5},
        {"near": 1, "within": 0, "against": 1},
        {"below": 2, "against": 1.5},
        {"at_most": 2, "against": math.nan},
    ],
)
def test_demand_that_a_wrong_value_meets_is_none(capsys, demand):
    with pytest.raises(AssertionError, match=r"accepts .* as well: take more samples"):
        check(*KS, 1, **demand)
    assert capsys.readouterr().out == ""


# Calls that make no sense


@pytest.mark.parametrize(
    "demand",
    [
        {},
        {"at_most": 1, "at_least": 0},
        {"at_most": 1, "below": 1},
        {"near": 1},
        {"within": 1},
        {"at_most": 1, "within": 1},
        {"near": 1, "within": 1, "at_most": 2},
    ],
)
def test_exactly_one_demand(demand):
    with pytest.raises(TypeError, match="one of at_most=, at_least=, near= with"):
        check(*KS, 1, **demand)


@pytest.mark.parametrize("text", ["", " a", "a ", "two  spaces", "a\tb", "a\nb"])
@pytest.mark.parametrize("name", ["statement", "quantity"])
def test_names_that_would_not_parse_back_are_refused(name, text):
    names = {"statement": "Lemma", "quantity": "distance", name: text}
    with pytest.raises(ValueError, match=f"^{name} must be words with single spaces"):
        check(**names, measured=1, at_most=2)


def test_note_of_two_lines_is_refused():
    with pytest.raises(ValueError, match="note"):
        check(*KS, 1, at_most=2, note="one\ntwo")
