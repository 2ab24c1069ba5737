"""The laws that published networks draw their weights from, as a state dict shows them.

A state dict has no omega_0 in it. So a law here is that of the stored numbers, and a
scale that nobody has written down, 1/omega_0, is left open: the numbers must tell it.
The table is data, so that the page that diagnoses files reads the same one.

To add a start, write its row in ``TABLE``. One of `sirenlib.initialization.SCHEMES` has
the same bounds there; a test compares them.
"""

import math
from typing import NamedTuple

ROOT_SIX = math.sqrt(6)


class Law(NamedTuple):
    """The law of one array: its half-width is ``factor * size**power * scale``.

    Args:
        kind: ``"uniform"``, ``"normal"`` (the number is then its standard deviation) or
            ``"zero"``: all zero, or not there.
        factor, power: see above.
        size: ``"in"``, the map's in_features, or ``"sum"``, in_features and
            out_features together.
        scale: ``""`` for 1, or ``"first"`` or ``"hidden"`` for 1/omega_0 of those
            layers, which is open.
    """

    kind: str
    factor: float = 0.0
    power: float = 0.0
    size: str = "in"
    scale: str = ""


class Start(NamedTuple):
    """How a network draws its first numbers, and what that means for its owner.

    Args:
        name: what `diagnose` calls it.
        also: whose it is, and which codes draw alike.
        first, hidden, last: for each role the laws of the weights and of the biases.
        omegas: the omega_0 of the first and of the hidden layers, where the numbers do
            not tell: what the published code has by default.
        prior: how likely the start is beforehand, beside the others.
        advice: what to expect, and what to change.
    """

    name: str
    also: str
    first: tuple[Law, Law]
    hidden: tuple[Law, Law]
    last: tuple[Law, Law]
    omegas: tuple[float, float]
    prior: float
    advice: str


ZERO = Law("zero")
BY_INPUTS = Law("uniform", 1.0, -1.0)
TORCH = Law("uniform", 1.0, -0.5)
OPEN = Law("uniform", ROOT_SIX, -0.5, scale="hidden")
CLOSED = Law("uniform", ROOT_SIX, -0.5)
GLOROT = Law("uniform", ROOT_SIX, -0.5, "sum")


def _turn(angle: float, scale: str) -> Law:
    return Law("uniform", angle, 0.0, scale=scale)


def _start(name, also, first, hidden, last, omegas, advice, prior=1.0) -> Start:
    return Start(name, also, first, hidden, last, omegas, prior, advice)


TABLE = (
    _start(
        "official",
        "the authors' code; siren-jax, muon-inrs and INR-benchmark draw alike",
        (BY_INPUTS, TORCH),
        (OPEN, TORCH),
        (OPEN, TORCH),
        (30.0, 30.0),
        "The biases are multiplied by omega_0, too, so the phases are wider than the "
        "theorem says: 1.48 at width 256 (chapter 7). It trains well as it is.",
    ),
    _start(
        "lucidrains",
        "PyPI's siren-pytorch; COIN draws alike, with omega_0 = 30 in every layer",
        (BY_INPUTS, BY_INPUTS),
        (OPEN, OPEN),
        (OPEN, OPEN),
        (30.0, 1.0),
        "Where the hidden omega_0 is 1, Adam moves the hidden layers thirty times more "
        "slowly than in the authors' code: give them thirty times the learning rate, "
        "or set w0 = 30 (claim 8.2).",
    ),
    _start(
        "dalmia",
        "PyPI's siren-torch",
        (CLOSED, TORCH),
        (CLOSED, TORCH),
        (CLOSED, TORCH),
        (30.0, 1.0),
        "The first layer starts from frequencies 3.5 times as high as the authors' in "
        "two dimensions. For theirs, set the first omega_0 to 8.66 (exercise 8.2). The "
        "hidden layers want thirty times the learning rate under Adam.",
    ),
    _start(
        "tiny-cuda-nn",
        "",
        (Law("uniform", 30.0, -1.0), ZERO),
        (CLOSED, ZERO),
        (CLOSED, ZERO),
        (1.0, 1.0),
        "The factor 30 is in the first weights: the sine has no omega_0 in front of "
        "it. There are no biases, so the gradient grows on its way back (chapter 6).",
    ),
    _start(
        "tiny-cuda-nn",
        "as sirenlib writes it, with the weights divided by omega_0",
        (BY_INPUTS, ZERO),
        (OPEN, ZERO),
        (CLOSED, ZERO),
        (30.0, 30.0),
        "The last layer is not divided by omega_0, so the output starts far from gray. "
        "Without biases the gradient grows on its way back (chapter 6).",
    ),
    _start(
        "zero-bias",
        "the network that the paper analyzes",
        (BY_INPUTS, ZERO),
        (OPEN, ZERO),
        (OPEN, ZERO),
        (30.0, 30.0),
        "This is the network of chapter 6: phases of 0.89, and a gradient whose mean "
        "square grows by 1.2 with every layer on its way back. In a deep network take "
        "biases over half a turn instead (theorem 7.9).",
    ),
    _start(
        "random-phase",
        "this book's chapter 7",
        (BY_INPUTS, _turn(math.pi, "first")),
        (OPEN, _turn(math.pi, "hidden")),
        (OPEN, TORCH),
        (30.0, 30.0),
        "Every activation follows the arcsine law exactly, at any width. It is a "
        "statement about the start: it is not shown to train better.",
    ),
    _start(
        "half-turn",
        "this book's chapter 7",
        (BY_INPUTS, _turn(math.pi / 2, "first")),
        (OPEN, _turn(math.pi / 2, "hidden")),
        (OPEN, TORCH),
        (30.0, 30.0),
        "Every activation follows the arcsine law exactly, and gradients keep their "
        "size at any depth (theorem 7.9).",
    ),
    _start(
        "fast",
        "this book's chapter 9",
        (BY_INPUTS, ZERO),
        (Law("uniform", 3.0, -0.5, scale="hidden"), ZERO),
        (OPEN, ZERO),
        (30.0, 30.0),
        "Made for short fits of pictures (chapter 9). It is larger in the hidden "
        "layers than the theorem asks for, so do not build it deep.",
    ),
    _start(
        "physicsnemo",
        "NVIDIA's PhysicsNeMo; pyrox draws alike",
        (BY_INPUTS, TORCH),
        (OPEN, TORCH),
        (CLOSED, TORCH),
        (30.0, 30.0),
        "The official start but for the last layer, which is not divided by omega_0: "
        "the output starts 30 times as large. Divide the last weights by 30 to start "
        "near zero.",
    ),
    _start(
        "spherical-inr",
        "",
        (OPEN, ZERO),
        (OPEN, ZERO),
        (OPEN, ZERO),
        (1.0, 1.0),
        "The first layer has no law of its own: with two coordinates its weights are "
        "3.5/omega_0 times the authors'. Its omega_0 is 1 unless set, and then there "
        "are few frequencies to start from: set it.",
    ),
    _start(
        "spherical-inr",
        "its SirenNet, with a Fourier layer first",
        (BY_INPUTS, TORCH),
        (OPEN, ZERO),
        (OPEN, ZERO),
        (1.0, 1.0),
        "The first omega_0 is 1 unless set, and then there are few frequencies to "
        "start from: set it to 30.",
    ),
    _start(
        "fit-a-nef",
        "",
        (BY_INPUTS, ZERO),
        (OPEN, ZERO),
        (Law("normal", 1.0, -0.5), ZERO),
        (8.0, 8.0),
        "The last layer is not divided by omega_0, so the output starts far from gray. "
        "Without biases the gradient grows on its way back (chapter 6).",
        prior=0.005,
    ),
    _start(
        "pytorch",
        "nn.Linear as it comes: PINA's AdaptiveSIREN, or a start that was forgotten",
        (TORCH, TORCH),
        (TORCH, TORCH),
        (TORCH, TORCH),
        (1.0, 1.0),
        "Nobody has given these maps a sine network's start. Behind a sine without a "
        "factor there are few frequencies, and each layer makes the signal smaller. "
        "Draw them anew, for instance with sirenlib.initialize_.",
    ),
    _start(
        "glorot",
        'DeepXDE\'s activation "sin" with its Glorot uniform start',
        (GLOROT, ZERO),
        (GLOROT, ZERO),
        (GLOROT, ZERO),
        (1.0, 1.0),
        "This is the start of a network of tanh. Behind a sine without a factor there "
        "are few frequencies. Draw the maps anew, for instance with "
        "sirenlib.initialize_.",
    ),
)

# Phases have another last layer where it is one more sine. So has "fast", but that is
# "zero-bias" at another omega_0 then.
STARTS = TABLE + tuple(
    start._replace(also=f"{start.also}, with a sine outermost", last=start.hidden)
    for start in TABLE
    if start.name in ("random-phase", "half-turn")
)
