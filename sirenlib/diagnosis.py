"""Which SIREN is this? The start that a network's numbers were drawn from.

Each array of a state dict is tested against the laws of `sirenlib.starts`. Given its
largest magnitude m, the other numbers of a uniform array are uniform up to m, whatever
its half-width B is: that is tested by their Kolmogorov-Smirnov distance. The largest of
N numbers stays below m with probability (m/B)^N: that tests B. A start whose laws all
pass is possible, and the likeliest of the possible ones is named.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from .arguments import positive_number
from .starts import STARTS, Law, Start
from .state_dicts import LinearMap, flattened, linear_maps, read_state_dict

LIMITS = {
    "ks": 2.3,  # of a Kolmogorov-Smirnov distance, times the root of the sample size
    "tail": 1e-5,  # chance of a largest magnitude as small as it is
    "deviations": 4.5,  # of the logarithm of a normal array's deviation
    "tie": 3.0,  # of two logarithms of likelihoods, that are both named then
    "brief": 0.05,  # that a short training adds to a half-width
    "few": 8,  # numbers, of which no law can be told
    "points": 32,  # where the network is asked
}
TITLES = ("phases", "sines", "gradients")
TRAINED = (
    "The start can no longer be told. What is measured below is the network as it is; "
    "predicted is the official start."
)
UNKNOWN = (
    "The numbers are as fresh as they were drawn, from no start that is known here. "
    "Compare the bounds below with the table of chapter 8, or draw the maps anew with "
    "sirenlib.initialize_. Predicted below is the official start."
)


@dataclass(frozen=True)
class ArrayLaw:
    """What one array looks like.

    Args:
        kind: ``"uniform"``, ``"normal"``, ``"zero"`` (all zero, or no array), ``"few"``
            (too few numbers to tell), or ``"neither"``.
        count: of its numbers.
        largest, deviation: largest magnitude, and root of the mean square.
        distance: Kolmogorov-Smirnov distance to the uniform law, as a part of the
            largest that a uniform array would have.
    """

    kind: str
    count: int
    largest: float
    deviation: float
    distance: float

    @property
    def short(self) -> str:
        """In a few letters, as ±0.5, or σ 0.1 for a normal law, or ? 0.3 for none."""
        if self.kind == "zero":
            return "zero" if self.count else "none"
        if self.kind == "normal":
            return f"σ {self.deviation:.4g}"
        return f"{'? ' if self.kind == 'neither' else '±'}{self.largest:.4g}"


@dataclass(frozen=True)
class Miss:
    """Where an array is not what a start would have drawn: ``part`` of layer ``layer``
    has the size ``found`` instead of ``wanted``; None for another kind of law."""

    layer: int
    part: str
    found: float
    wanted: float | None

    def __str__(self) -> str:
        place = f"the {self.part} of layer {self.layer}"
        if self.wanted is None:
            return f"{place} have another law, up to {self.found:.6g}"
        return f"{place} reach {self.found:.6g} where it has {self.wanted:.6g}"


@dataclass(frozen=True)
class LayerReport:
    """One linear map: its laws, and standard deviations predicted and measured.

    Args:
        phases: of what stands inside the sine; of the output in the last, linear layer.
        sines: of the sines; None in the last layer.
        gradients: norm of the output's gradient with respect to the phases.
    """

    name: str
    in_features: int
    out_features: int
    weights: ArrayLaw
    biases: ArrayLaw
    phases: tuple[float, float]
    sines: tuple[float, float] | None
    gradients: tuple[float, float]


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found; ``print`` it to read it.

    Args:
        scheme: the start's name; two names, joined by "or", that nobody can tell apart;
            ``"trained"``, or ``"unknown"``.
        names: the names in it, none where it is trained or unknown.
        also: what else has those laws.
        first_omega_0, hidden_omega_0: as the numbers tell, None where they do not.
        assumed: both, with which the table was computed.
        evidence: what speaks for it, sentence by sentence.
        advice: what to expect and what to change.
        layers: a report on each linear map.
    """

    scheme: str
    names: tuple[str, ...]
    also: str
    first_omega_0: float | None
    hidden_omega_0: float | None
    assumed: tuple[float, float]
    evidence: tuple[str, ...]
    advice: str
    layers: tuple[LayerReport, ...]

    def __str__(self) -> str:
        lines = [f"{self.scheme}{f' ({self.also})' if self.also else ''}"]
        for role, found, assumed in zip(
            ("first", "hidden"),
            (self.first_omega_0, self.hidden_omega_0),
            self.assumed,
            strict=True,
        ):
            told = f"{assumed:.4g}, assumed: the numbers do not tell"
            lines.append(f"{role} omega_0: {told if found is None else f'{found:.4g}'}")
        lines += [*self.evidence, self.advice, ""]
        lines.append("± up to, σ deviation of a normal law, ? no law; then standard")
        lines.append("deviations, predicted / measured")
        lines.append(_row("layer", "", "weights", "biases", *TITLES))
        for i, layer in enumerate(self.layers, start=1):
            sizes = f"{layer.in_features} to {layer.out_features}"
            laws = (layer.weights.short, layer.biases.short)
            pairs = map(_pair, (layer.phases, layer.sines, layer.gradients))
            lines.append(_row(str(i), sizes, *laws, *pairs))
        return "\n".join(lines)


def _row(*cells: str) -> str:
    widths = (6, 13, 11, 11, 16, 14, 15)
    return "".join(map(str.ljust, cells, widths)).rstrip()


def _pair(numbers: tuple[float, float] | None) -> str:
    return "" if numbers is None else f"{numbers[0]:.3g} / {numbers[1]:.3g}"


def diagnose(
    state_dict: Mapping[str, Tensor | np.ndarray] | str | Path,
    *,
    first_omega_0: float | None = None,
    hidden_omega_0: float | None = None,
) -> Diagnosis:
    """Say which start a sine network was drawn from.

    Args:
        state_dict: tensors or arrays by name, nested or not; or a ``.pt``,
            ``.safetensors`` or ``.npz`` file. Nothing in a file is executed.
        first_omega_0, hidden_omega_0: what the code multiplies by, for the table; None
            takes what the numbers tell, and the start's default where they do not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, holds no chain of linear maps, or numbers that
            are not finite.

    A state dict has no omega_0 in it. That of the hidden layers shows in their weights;
    that of the first layer does not, unless its biases are phases. Two starts can have
    the same laws at some width or omega_0: both are named then.

    Example:
        >>> import sirenlib, torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> model = sirenlib.Siren(2, 256, 3, 1, generator=generator)
        >>> sirenlib.diagnose(model.state_dict()).scheme
        'official'

    Source: chapter 8; the page "Which SIREN is this?" does the same.
    """
    if isinstance(state_dict, str | Path):
        state_dict = read_state_dict(state_dict)
    maps = linear_maps(flattened(state_dict))
    laws = [(_law(each.weight), _law(each.bias)) for each in maps]
    verdict = _verdict(maps, laws)
    told = verdict["omegas"]
    assumed = tuple(
        positive_number(name, given)
        if given is not None
        else told[i] or verdict["defaults"][i]
        for i, (name, given) in enumerate(
            (("first_omega_0", first_omega_0), ("hidden_omega_0", hidden_omega_0))
        )
    )
    start = verdict["start"]
    bounds = _half_widths(start, maps, verdict["scales"], assumed)
    return Diagnosis(
        verdict["scheme"],
        verdict["names"],
        verdict["also"],
        *told,
        assumed,
        verdict["evidence"],
        verdict["advice"],
        tuple(_reports(maps, laws, bounds, assumed)),
    )


def _law(array: np.ndarray | None) -> ArrayLaw:
    numbers = np.sort([] if array is None else array.ravel())
    count = len(numbers)
    if not numbers.any():
        return ArrayLaw("zero", count, 0.0, 0.0, 0.0)
    largest = max(-numbers[0], numbers[-1])
    deviation = math.sqrt(np.mean(numbers**2))
    others = numbers[1:] if -numbers[0] == largest else numbers[:-1]
    if count < LIMITS["few"]:
        return ArrayLaw("few", count, largest, deviation, 0.0)
    from scipy import special  # imported late: only a diagnosis needs it

    uniform = _distance(others, (1 + others / largest) / 2)
    normal = _distance(numbers, special.ndtr(numbers / deviation))
    kind = "uniform" if uniform <= 1 else "normal" if normal <= 1 else "neither"
    return ArrayLaw(kind, count, float(largest), deviation, uniform)


def _distance(numbers: np.ndarray, below: np.ndarray) -> float:
    """Kolmogorov-Smirnov distance, 1 where it is at its limit (Stephens 1970)."""
    n = len(numbers)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - below).max(), (below - steps[:-1]).max())
    root = math.sqrt(n)
    return float(distance) * (root + 0.12 + 0.11 / root) / LIMITS["ks"]


def _wanted(start: Start, maps: list[LinearMap]) -> list[tuple[Law, Law]]:
    """The laws of each layer's weights and biases."""
    between = [start.hidden] * (len(maps) - 2)
    return [start.first, *between, start.last]


def _unit(law: Law, each: LinearMap) -> float:
    """The half-width of a law, up to its scale."""
    size = each.in_features + (each.out_features if law.size == "sum" else 0)
    return law.factor * size**law.power


def _arrays(start: Start, maps: list[LinearMap], laws: list) -> list:
    """For each array its layer, its part, the law it should have, its unit, and what it
    looks like."""
    return [
        (i + 1, part, wanted, _unit(wanted, each), found, each)
        for i, (each, pair, both) in enumerate(
            zip(maps, _wanted(start, maps), laws, strict=True)
        )
        for part, wanted, found in zip(("weights", "biases"), pair, both, strict=True)
    ]


def _scales(arrays: list) -> dict[str, float]:
    """The open scales: from the largest of all numbers that have them."""
    scales = {"": 1.0}
    for name in ("first", "hidden"):
        having = [
            (found.largest / unit, found.count)
            for _, _, law, unit, found, _ in arrays
            if law.scale == name and found.count
        ]
        if having:
            # The largest of N numbers is N/(N + 1) of the half-width on average.
            total = sum(count for _, count in having)
            scales[name] = max(size for size, _ in having) * (1 + 1 / total)
    return scales


def _misses(arrays: list, scales: dict[str, float], brief: bool) -> list[Miss]:
    """The arrays that the start would not have drawn so."""
    misses = []
    for layer, part, law, unit, found, each in arrays:
        bound = unit * scales.get(law.scale, 0.0)
        if law.kind == "zero":
            room = 2 * LIMITS["brief"] / math.sqrt(each.in_features) if brief else 0.0
            good, wanted = found.largest <= room, 0.0
        elif found.kind == "zero":
            good, wanted = False, bound
        elif law.kind == "normal":
            apart = abs(math.log(found.deviation / bound))
            near = apart <= LIMITS["deviations"] / math.sqrt(2 * found.count)
            good, wanted = near and found.kind != "neither", bound
        else:
            over = LIMITS["brief"] if brief else each.epsilon
            high = found.largest > bound * (1 + over)
            low = found.count * math.log(min(1.0, found.largest / bound))
            kind = found.kind in ("uniform", "few")
            good = kind and not high and low >= math.log(LIMITS["tail"])
            wanted = bound if kind else None
        if not good:
            size = found.deviation if law.kind == "normal" else found.largest
            misses.append(Miss(layer, part, size, wanted))
    return misses


def _likelihood(start: Start, arrays: list, scales: dict[str, float]) -> float:
    """Its logarithm, with the prior; arrays of zeros aside."""
    total = math.log(start.prior)
    for _, _, law, unit, found, _ in arrays:
        bound = unit * scales[law.scale] if law.kind != "zero" else 0.0
        if law.kind == "uniform":
            total -= found.count * math.log(2 * bound)
        elif law.kind == "normal":
            spread = found.deviation**2 / bound**2 / 2
            total -= found.count * (math.log(bound * math.sqrt(2 * math.pi)) + spread)
    return total


def _verdict(maps: list[LinearMap], laws: list) -> dict:
    tried = []
    for start in STARTS:
        arrays = _arrays(start, maps, laws)
        scales = _scales(arrays)
        tried.append((start, arrays, scales, _misses(arrays, scales, brief=False)))
    possible = [
        (_likelihood(start, arrays, scales), start, scales)
        for start, arrays, scales, misses in tried
        if not misses
    ]
    if possible:
        return _named(possible)
    blurred = _blurred(laws)
    brief = [each for each in tried if not _misses(each[1], each[2], brief=True)]
    trained = blurred or brief
    start, _, _, misses = min(tried, key=_far)
    return {
        "scheme": "trained" if trained else "unknown",
        "names": (),
        "also": "",
        "start": STARTS[0],
        "omegas": (None, None),
        "defaults": (30.0, _guess(maps, laws)),
        "scales": {},
        "evidence": _evidence(blurred, start, misses),
        "advice": TRAINED if trained else UNKNOWN,
    }


def _far(each: tuple) -> tuple[int, int]:
    """How many arrays a start would not have drawn so; a short training aside first."""
    _, arrays, scales, misses = each
    return len(_misses(arrays, scales, brief=True)), len(misses)


def _named(possible: list) -> dict:
    best = max(likelihood for likelihood, _, _ in possible)
    near = [each for each in possible if each[0] >= best - LIMITS["tie"]]
    _, start, scales = max(near, key=lambda each: each[0])
    names = tuple(dict.fromkeys(each.name for _, each, _ in near))
    names = (start.name, *(name for name in names if name != start.name))
    omegas = tuple(
        1 / scales[role] if role in scales else None for role in ("first", "hidden")
    )
    evidence = ["Every array has the law of this start."]
    if len(names) > 1:
        evidence = ["At these sizes the starts have the same laws: nobody can tell."]
    return {
        "scheme": " or ".join(names),
        "names": names,
        "also": start.also,
        "start": start,
        "omegas": omegas,
        "defaults": start.omegas,
        "scales": scales,
        "evidence": tuple(evidence),
        "advice": start.advice,
    }


def _blurred(laws: list) -> list[tuple[float, int, str]]:
    """The arrays that no code draws: how far each is from uniform, layer and part.

    Training adds many small steps to a uniform law, and their sum is soon about normal:
    normal weights beside uniform ones are no start.
    """
    inner = {weights.kind for weights, _ in laws[:-1]}
    late = {"normal"} if {"normal", "uniform"} <= inner else set()
    return [
        (law.distance, i + 1, part)
        for i, both in enumerate(laws)
        for part, law in zip(("weights", "biases"), both, strict=True)
        if law.kind in {"neither"} | late
    ]


def _evidence(blurred: list, start: Start, misses: list) -> tuple[str, ...]:
    """The array that is farthest from uniform, and the start that is nearest."""
    found = []
    if blurred:
        distance, layer, part = max(blurred, key=lambda each: each[0])
        found.append(
            f"No start has such {part} as layer {layer}: they are {distance:.1f} times "
            "as far from a uniform law as a fresh draw gets."
        )
    listed = "; ".join(map(str, misses[:3]))
    more = f"; and {len(misses) - 3} more" if len(misses) > 3 else ""
    found.append(f"Nearest is {start.name}, but {listed}{more}.")
    return tuple(found)


def _guess(maps: list[LinearMap], laws: list) -> float:
    """1 or 30, whichever the spread of the hidden weights is nearer to."""
    spreads = [
        weights.deviation * math.sqrt(each.in_features / 2)
        for each, (weights, _) in list(zip(maps, laws, strict=True))[1:]
        if weights.count and weights.deviation
    ]
    spread = spreads[0] if spreads else 1 / 30
    return 30.0 if spread < 1 / math.sqrt(30) else 1.0


def _half_widths(
    start: Start,
    maps: list[LinearMap],
    scales: dict[str, float],
    omegas: tuple[float, float],
) -> list[tuple[int, tuple[float, float]]]:
    """Fan-in and half-widths inside the sine, as `network_law` takes them."""
    scales = {"": 1.0, "first": 1 / omegas[0], "hidden": 1 / omegas[1]} | scales
    found = []
    for i, (each, pair) in enumerate(zip(maps, _wanted(start, maps), strict=True)):
        factor = _factor(i, len(maps), omegas)
        weight, bias = (
            factor
            * _unit(law, each)
            * scales[law.scale]
            * (math.sqrt(3) if law.kind == "normal" else 1.0)
            if law.kind != "zero"
            else 0.0
            for law in pair
        )
        found.append((each.in_features, (weight, bias)))
    return found


def _factor(layer: int, depth: int, omegas: tuple[float, float]) -> float:
    """What the network multiplies a linear map by; the last one has no sine."""
    if layer == depth - 1:
        return 1.0
    return omegas[0] if layer == 0 else omegas[1]


def _points(dimensions: int) -> np.ndarray:
    """Where the network is asked: spread over [-1, 1] by multiples of square roots,
    none of which is whole."""
    steps = np.arange(1, LIMITS["points"] + 1)[:, None]
    return 2 * (steps * np.sqrt(4 * np.arange(dimensions) + 3) % 1) - 1


def _reports(maps: list, laws: list, bounds: list, omegas: tuple) -> list[LayerReport]:
    from .theory import network_law  # imported late: scipy.stats takes half a second

    coords = _points(maps[0].in_features)
    predicted = network_law(coords, bounds)
    measured = _measured(maps, coords, omegas)
    reports = []
    for i, (each, both, law, seen) in enumerate(
        zip(maps, laws, predicted, measured, strict=True)
    ):
        last = i == len(maps) - 1
        pairs = [
            (math.sqrt(a), math.sqrt(b))
            for a, b in zip(
                (law.variance, law.sine_variance, law.gradient), seen, strict=True
            )
        ]
        sizes = (each.name, each.in_features, each.out_features)
        sines = None if last else pairs[1]
        reports.append(LayerReport(*sizes, *both, pairs[0], sines, pairs[2]))
    return reports


def _measured(maps: list[LinearMap], coords: np.ndarray, omegas: tuple) -> list:
    """Mean squares of phases, sines, and gradients: of a quilt, in its first tile."""
    values, phases = coords, []
    for i, each in enumerate(maps):
        factor = _factor(i, len(maps), omegas)
        bias = 0.0 if each.bias is None else each.bias[0]
        phases.append(factor * (values @ each.weight[0].T + bias))  # (N, width)
        values = np.sin(phases[-1])
    outputs = maps[-1].out_features
    gradient = np.full((len(coords), outputs), 1 / math.sqrt(outputs))
    gradients = [gradient]
    for i in range(len(maps) - 2, -1, -1):
        factor = _factor(i + 1, len(maps), omegas)
        gradient = factor * (gradient @ maps[i + 1].weight[0]) * np.cos(phases[i])
        gradients.append(gradient)
    return [
        (
            float(np.mean(z**2)),
            float(np.mean(np.sin(z) ** 2)),
            float(np.mean(np.sum(g**2, axis=1))),
        )
        for z, g in zip(phases, reversed(gradients), strict=True)
    ]
