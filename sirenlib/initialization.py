"""How the published sine networks draw their first weights.

All of them draw from uniform laws around zero, so a scheme is two bounds for each
linear map: ``W ~ U(±weight)`` and ``b ~ U(±bias)``. It is a function of the map's
``in_features`` n (the paper's fan-in), its frequency factor omega_0, and its role:
``"first"``, ``"hidden"`` or ``"last"``. The last, linear layer takes the omega_0 of the
hidden layers.

To add a scheme, write such a function here and name it in `SCHEMES`.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn


class Bounds(NamedTuple):
    """Half-widths of the two uniform laws of a linear map."""

    weight: float
    bias: float


def official(n: int, omega_0: float, role: str) -> Bounds:
    """The authors' code: W1 ~ U(±1/n), W ~ U(±sqrt(6/n)/omega_0), PyTorch's biases.

    The biases U(±1/sqrt(n)) are those that ``torch.nn.Linear`` starts with; the
    authors leave them as they are, so in a sine layer they are multiplied by omega_0.

    Source: vsitzmann/siren, ``explore_siren.ipynb``; Sitzmann et al. 2020, supplement.
    """
    weight = 1 / n if role == "first" else math.sqrt(6 / n) / omega_0
    return Bounds(weight, 1 / math.sqrt(n))


def lucidrains(n: int, omega_0: float, role: str) -> Bounds:
    """PyPI's ``siren-pytorch``: the official weights, and biases from the same law.

    Its hidden omega_0 is 1 unless set: for the published network make the Siren
    with ``hidden_omega_0=1.0``.

    Source: lucidrains/siren-pytorch, ``siren_pytorch.py``.
    """
    weight = official(n, omega_0, role).weight
    return Bounds(weight, weight)


def dalmia(n: int, omega_0: float, role: str) -> Bounds:
    """PyPI's ``siren-torch``: W ~ U(±sqrt(6/n)) in every layer, PyTorch's biases.

    Neither the first layer nor omega_0 is treated apart. Its hidden omega_0 is 1:
    for the published network make the Siren with ``hidden_omega_0=1.0``.

    Source: dalmia/siren, ``siren/init.py``.
    """
    return Bounds(math.sqrt(6 / n), 1 / math.sqrt(n))


def tiny_cuda_nn(n: int, omega_0: float, role: str) -> Bounds:
    """tiny-cuda-nn's sine networks: the factor 30 is in W1, and there are no biases.

    Its sine has no omega_0, so the weights here are divided by the layer's: the
    phases start the same. Its missing biases are zeros here, which training moves.

    Source: NVlabs/tiny-cuda-nn, ``gpu_matrix.h``.
    """
    product = 30 / n if role == "first" else math.sqrt(6 / n)
    return Bounds(product / (1 if role == "last" else omega_0), 0.0)


def zero_bias(n: int, omega_0: float, role: str) -> Bounds:
    """The official weights with every bias zero: the network that the paper analyzes.

    Source: Sitzmann et al. 2020, supplement, theorem 1.8; chapter 6.
    """
    return Bounds(official(n, omega_0, role).weight, 0.0)


def random_phase(n: int, omega_0: float, role: str) -> Bounds:
    """The official weights, and phases uniform over a full turn in every sine layer.

    A sine layer's bias is U(±pi/omega_0), so that omega_0 times it covers one period;
    the output's keeps PyTorch's law. Every activation then follows the arcsine law
    exactly, whatever the width and the weights (chapter 7). It is a statement about the
    start; it is not shown to train better.

    Source: random phases as in random Fourier features (Rahimi and Recht 2007).
    """
    weight, bias = official(n, omega_0, role)
    return Bounds(weight, bias if role == "last" else math.pi / omega_0)


def half_turn(n: int, omega_0: float, role: str) -> Bounds:
    """The official weights, and biases uniform over half a turn in every sine layer.

    A quarter of `random_phase`'s bias variance. Every activation follows the arcsine
    law exactly all the same, since the weights are symmetric around zero. At an omega_0
    of (pi/2) sqrt(n) the official start is this one in its hidden layers. A statement
    about the start, as there.

    Source: chapter 7, theorem 7.9.
    """
    weight, bias = official(n, omega_0, role)
    return Bounds(weight, bias if role == "last" else math.pi / 2 / omega_0)


def fast(n: int, omega_0: float, role: str) -> Bounds:
    """The book's start for short fits: zero biases, hidden W ~ U(±3/sqrt(n))/omega_0.

    First and last layer as in the official code.

    Source: chapter 9 and ``benchmarks/``, measured.
    """
    hidden = 3 / math.sqrt(n) / omega_0
    weight = hidden if role == "hidden" else official(n, omega_0, role).weight
    return Bounds(weight, 0.0)


SCHEMES = {
    "official": official,
    "lucidrains": lucidrains,
    "dalmia": dalmia,
    "tiny-cuda-nn": tiny_cuda_nn,
    "zero-bias": zero_bias,
    "random-phase": random_phase,
    "half-turn": half_turn,
    "fast": fast,
}


@torch.no_grad()
def initialize_(
    siren: nn.Module, scheme: str, *, generator: Generator | None = None
) -> None:
    """Draw all weights and biases by the scheme of that name.

    Args:
        siren: a `Siren`, or one `SineLayer`.
        scheme: a name from `SCHEMES`.
        generator: source of the numbers; None is PyTorch's global one.

    Raises:
        ValueError: there is no such scheme; nothing has been drawn.

    Example:
        >>> import sirenlib
        >>> model = sirenlib.Siren(2, 16, 1, 1)
        >>> sirenlib.initialize_(model, "zero-bias")
        >>> model.net[1].linear.bias.count_nonzero().item()
        0
    """
    for linear, _, bounds in _laws(siren, scheme):
        _draw(linear.weight, bounds.weight, generator)
        if linear.bias is not None:
            _draw(linear.bias, bounds.bias, generator)


def _draw(tensor: Tensor, bound: float, generator: Generator | None) -> None:
    """Uniform in ±bound, on the generator's device: the same numbers everywhere."""
    if generator is None or generator.device.type == tensor.device.type:
        tensor.uniform_(-bound, bound, generator=generator)
    elif not tensor.is_meta:
        drawn = torch.empty_like(tensor, device=generator.device)
        tensor.copy_(drawn.uniform_(-bound, bound, generator=generator))


def phase_bounds(siren: nn.Module, scheme: str) -> list[tuple[int, Bounds]]:
    """What the scheme means inside the sines, for `sirenlib.theory.network_law`.

    One pair for each linear map, in order: its ``in_features``, and the half-widths
    of omega_0 W and omega_0 b. The last, linear layer has no omega_0 in front.
    """
    return [
        (linear.in_features, Bounds(factor * bounds.weight, factor * bounds.bias))
        for linear, factor, bounds in _laws(siren, scheme)
    ]


def _laws(siren: nn.Module, scheme: str) -> list[tuple[nn.Linear, float, Bounds]]:
    """Each linear map, the factor that the network multiplies it by, and its bounds."""
    if scheme not in SCHEMES:
        raise ValueError(f"init must be one of {', '.join(SCHEMES)}, not {scheme!r}")
    return [
        (linear, 1.0 if role == "last" else omega_0, SCHEMES[scheme](n, omega_0, role))
        for linear, n, omega_0, role in _layers(siren)
    ]


def _layers(siren: nn.Module) -> Iterator[tuple[nn.Linear, int, float, str]]:
    """Each linear map with its in_features, omega_0, and role.

    A sine layer is whatever has ``.linear``; a linear map outside of one is the last.
    """
    sines = [layer for layer in siren.modules() if hasattr(layer, "linear")]
    for layer in sines:
        role = "first" if layer.is_first else "hidden"
        yield layer.linear, layer.linear.in_features, layer.omega_0, role
    inside = {layer.linear for layer in sines}
    for layer in siren.modules():
        if isinstance(getattr(layer, "weight", None), Tensor) and layer not in inside:
            yield layer, layer.in_features, siren.hidden_omega_0, "last"
