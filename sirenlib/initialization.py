"""How the published sine networks draw their first weights.

One function for each scheme, all of the form ``scheme_(siren, *, generator=None)``.
Each fills the weights and biases of every layer from uniform laws around zero, so
a scheme is two bounds for each layer. Below, n is the layer's ``in_features``
(the paper's fan-in) and omega_0 its own frequency factor; the last, linear layer
takes the omega_0 of the hidden layers.

To add a scheme, write such a function here and name it in `SCHEMES`.
"""

import math
from collections.abc import Iterator

import torch
from torch import Generator, nn


def official_(siren: nn.Module, *, generator: Generator | None = None) -> None:
    """The authors' code: W1 ~ U(±1/n), W ~ U(±sqrt(6/n)/omega_0), PyTorch's biases.

    The biases U(±1/sqrt(n)) are those that ``torch.nn.Linear`` starts with; the
    authors leave them as they are, so in a sine layer they are multiplied by omega_0.

    Source: vsitzmann/siren, ``explore_siren.ipynb``; Sitzmann et al. 2020, supplement.
    """
    for linear, n, omega_0, role in _layers(siren):
        weight = _official_weight(n, omega_0, role)
        _fill_(linear, weight, 1 / math.sqrt(n), generator)


def lucidrains_(siren: nn.Module, *, generator: Generator | None = None) -> None:
    """PyPI's ``siren-pytorch``: the official weights, and biases from the same law.

    Its hidden omega_0 is 1 unless set: for the published network make the Siren
    with ``hidden_omega_0=1.0``.

    Source: lucidrains/siren-pytorch, ``siren_pytorch.py``.
    """
    for linear, n, omega_0, role in _layers(siren):
        bound = _official_weight(n, omega_0, role)
        _fill_(linear, bound, bound, generator)


def dalmia_(siren: nn.Module, *, generator: Generator | None = None) -> None:
    """PyPI's ``siren-torch``: W ~ U(±sqrt(6/n)) in every layer, PyTorch's biases.

    Neither the first layer nor omega_0 is treated apart. Its hidden omega_0 is 1:
    for the published network make the Siren with ``hidden_omega_0=1.0``.

    Source: dalmia/siren, ``siren/init.py``.
    """
    for linear, n, _, _ in _layers(siren):
        _fill_(linear, math.sqrt(6 / n), 1 / math.sqrt(n), generator)


def tiny_cuda_nn_(siren: nn.Module, *, generator: Generator | None = None) -> None:
    """tiny-cuda-nn's sine networks: the factor 30 is in W1, and there are no biases.

    Its sine has no omega_0, so the weights here are divided by the layer's: the
    phases start the same. Its missing biases are zeros here, which training moves.

    Source: NVlabs/tiny-cuda-nn, ``gpu_matrix.h``.
    """
    for linear, n, omega_0, role in _layers(siren):
        product = {"first": 30 / n}.get(role, math.sqrt(6 / n))
        _fill_(linear, product / (1 if role == "last" else omega_0), 0.0, generator)


def zero_bias_(siren: nn.Module, *, generator: Generator | None = None) -> None:
    """The official weights with every bias zero: the network that the paper analyzes.

    Source: Sitzmann et al. 2020, supplement, theorem 1.8.
    """
    for linear, n, omega_0, role in _layers(siren):
        weight = _official_weight(n, omega_0, role)
        _fill_(linear, weight, 0.0, generator)


def random_phase_(siren: nn.Module, *, generator: Generator | None = None) -> None:
    """The official weights, and phases uniform over a full turn in every sine layer.

    A sine layer's bias is U(±pi/omega_0), so that omega_0 times it covers one period;
    the output's keeps PyTorch's law. Every activation then follows the arcsine law
    exactly, whatever the width. It is a statement about the start; it is not shown to
    train better.

    Source: random phases as in random Fourier features (Rahimi and Recht 2007).
    """
    for linear, n, omega_0, role in _layers(siren):
        weight = _official_weight(n, omega_0, role)
        bias = 1 / math.sqrt(n) if role == "last" else math.pi / omega_0
        _fill_(linear, weight, bias, generator)


def fast_(siren: nn.Module, *, generator: Generator | None = None) -> None:
    """The book's start for short fits: zero biases, hidden W ~ U(±3/sqrt(n))/omega_0.

    First and last layer as in the official code.

    Source: chapter 8 and ``benchmarks/``, measured.
    """
    for linear, n, omega_0, role in _layers(siren):
        weight = _official_weight(n, omega_0, role)
        if role == "hidden":
            weight = 3 / math.sqrt(n) / omega_0
        _fill_(linear, weight, 0.0, generator)


SCHEMES = {
    "official": official_,
    "lucidrains": lucidrains_,
    "dalmia": dalmia_,
    "tiny-cuda-nn": tiny_cuda_nn_,
    "zero-bias": zero_bias_,
    "random-phase": random_phase_,
    "fast": fast_,
}


def initialize_(
    siren: nn.Module, scheme: str, *, generator: Generator | None = None
) -> None:
    """Draw all weights and biases by the scheme of that name."""
    if scheme not in SCHEMES:
        raise ValueError(f"init must be one of {', '.join(SCHEMES)}, not {scheme!r}")
    SCHEMES[scheme](siren, generator=generator)


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
        if isinstance(layer, nn.Linear) and layer not in inside:
            yield layer, layer.in_features, siren.hidden_omega_0, "last"


def _official_weight(n: int, omega_0: float, role: str) -> float:
    return 1 / n if role == "first" else math.sqrt(6 / n) / omega_0


@torch.no_grad()
def _fill_(
    linear: nn.Linear, weight: float, bias: float, generator: Generator | None
) -> None:
    linear.weight.uniform_(-weight, weight, generator=generator)
    if linear.bias is not None:
        linear.bias.uniform_(-bias, bias, generator=generator)
