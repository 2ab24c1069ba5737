"""Training on any loss: the equation of a surface, of a wave."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from .arguments import positive_number, whole_number
from .checkpoints import Checkpoint, FitState
from .loop import History, require_trainable, run
from .steps import AdamStepper, set_rate


def train(
    model: nn.Module,
    loss: Callable[[Generator], Tensor],
    *,
    steps: int,
    lr: float,
    clip: float | None = None,
    checkpoint: str | Path | None = None,
    generator: Generator | None = None,
) -> History:
    """Train ``model`` on any loss: Adam, a rate that falls to zero.

    It is `fit` for who has no table of values but an equation::

        adam = torch.optim.Adam(model.parameters())
        for step in range(steps):
            for group in adam.param_groups:
                group["lr"] = lr * (1 - step / steps)
            adam.zero_grad()
            loss(torch.Generator().manual_seed(seed + step)).backward()
            adam.step()

    Ctrl-C stops it and keeps what has been learned so far. What does not ask for
    gradients, such as a first layer after ``requires_grad_(False)``, stays as it is.

    Args:
        model: whatever the loss learns: a network, or an ``nn.ModuleDict`` of networks
            and of unknown numbers, each an ``nn.Parameter``.
        loss: gives a scalar with a graph to the model's parameters. It draws its
            points with the generator that it is given, which is on the CPU and a new
            one in each step.
        steps: of Adam.
        lr: Adam's learning rate at the start.
        clip: the largest norm of the gradient of all parameters together; a longer
            one is scaled down to it. None never does.
        checkpoint: as in `fit`. The loss is not part of it: who changes the loss
            deletes the file.
        generator: takes the seed of all steps from it; None is PyTorch's global one.

    Returns:
        The history, without a PSNR. Its losses are means since the row before.

    Raises:
        ValueError, OSError: as `fit`; or the loss is no scalar, has no graph, or is
            not finite before the first step.
        FloatingPointError: as `fit`.

    Source: chapters 15 to 17.

    Example:
        >>> import sirenlib
        >>> import torch
        >>> model = torch.nn.ParameterDict({"slope": torch.zeros(())})
        >>> def loss(generator):
        ...     x = torch.rand(100, generator=generator)
        ...     return (model["slope"] * x - 2 * x).square().mean()
        >>> history = sirenlib.train(model, loss, steps=300, lr=0.1)
        >>> round(model["slope"].item(), 1)
        2.0
    """
    steps, lr = whole_number("steps", steps, 1), positive_number("lr", lr)
    if clip is not None:
        positive_number("clip", clip)
    with torch.inference_mode(False), torch.enable_grad():
        require_trainable(model)
        recipe = {"lr": lr, "clip": clip}
        keeper = Checkpoint(checkpoint, model, None, recipe, generator)

        def prepare(state: FitState) -> tuple[LossStepper, range]:
            stepper = LossStepper(model, loss, state.seed, clip, state.moments)
            return stepper, range(state.done, steps)

        with keeper.locked():
            return run(
                model, prepare, steps=steps, lr=lr, keeper=keeper, generator=generator
            )


class LossStepper(AdamStepper):
    """Adam on any loss: ``stepper(step, rate)`` is the step of that number.

    ``error`` takes the losses.

    Args:
        loss, clip: as in `train`.
        seed: the points of a step follow from ``seed + step`` alone.
        moments: as in `AdamStepper`.

    Raises:
        ValueError: the loss is no scalar, has no graph, or is not finite in the first
            step.
    """

    scale = 1.0  # a sum of losses divided by it and by their number is their mean

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Generator], Tensor],
        seed: int,
        clip: float | None,
        moments: dict,
    ):
        super().__init__(model, moments)
        self.loss, self.seed, self.clip = loss, seed, clip
        self.weights = self.adam.param_groups[0]["params"]

    def __call__(self, step: int, rate: float) -> None:
        set_rate(self.adam, rate)
        self.adam.zero_grad()
        loss = self.loss(Generator().manual_seed(self.seed + step))
        _require_loss(loss, finite=step == 0)
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.clip)
        self.adam.step()
        self.error += loss.detach()  # last: a step that is interrupted does not count


def _require_loss(loss: object, finite: bool) -> None:
    if not isinstance(loss, Tensor) or loss.ndim or loss.is_complex():
        kind = type(loss).__name__
        kind = f"tensor of shape {tuple(loss.shape)}" if kind == "Tensor" else kind
        raise ValueError(
            f"the loss must be a real scalar tensor, such as a mean, not a {kind}"
        )
    if not loss.requires_grad:
        raise ValueError(
            "the loss was not computed from the model's parameters: call the model in "
            "it, outside of torch.no_grad() and without .detach() or .item()"
        )
    if finite and not loss.isfinite():
        raise ValueError(
            f"the loss is {float(loss.detach())} before the first step: look for a "
            "division by zero, an empty mean, or a point without a derivative"
        )
