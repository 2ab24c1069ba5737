"""The loop under every training: a history, a bar, checkpoints, Ctrl-C."""

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field

import torch
from torch import Generator, nn

from .checkpoints import Checkpoint, FitState, copied
from .environment import in_book, require_supported
from .evaluation import place_of

with warnings.catch_warnings():  # a notebook without ipywidgets gets the plain bar
    warnings.filterwarnings("ignore", "IProgress not found")
    from tqdm.auto import tqdm

ROWS = 100  # a history has about so many rows, however long the training


@dataclass
class History:
    """What happened during a fit, in about a hundred rows; on CUDA one an epoch.

    A row stands after ``step[i]`` steps and ``seconds[i]`` seconds. ``loss[i]`` is the
    mean squared error of the batches since the row before, each taken just before the
    network learned from it, and ``psnr[i]`` says the same in decibels. So they trail
    the network a little; ``final_psnr`` is measured on the whole signal at the end.
    After `train`, where there is no signal, ``loss[i]`` is the mean of the losses, and
    there is no PSNR.

    ``resumed_at`` is the step from which the last call went on with a checkpoint, 0
    for a fit that was begun anew.
    """

    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    final_psnr: float = math.nan
    interrupted: bool = False
    resumed_at: int = 0


def run(
    model: nn.Module,
    prepare: Callable[[FitState], tuple[Callable, Iterable]],
    *,
    steps: int,
    lr: float,
    keeper: Checkpoint,
    generator: Generator | None,
    row_length: int = 1,
    quality: Callable[[float], float] | None = None,
    measure: Callable[[], float] | None = None,
    until: float | None = None,
) -> History:
    """Run all steps, or those that the keeper's file has not done yet.

    Args:
        prepare: gives a stepper, as `Stepper` is one, and what each of the remaining
            steps is about. A step is ``stepper(what, rate)``.
        row_length: steps from row to row, at least.
        quality: decibels of a row's mean loss.
        measure: decibels of the whole, at the end and where ``until`` may be reached.
        generator: of the caller; the rest is as in `fit`.
    """
    source = generator or torch.default_generator
    state = keeper.read(steps) or FitState.first(model, source, steps)
    source.set_state(state.generator)
    model.load_state_dict(state.weights)
    history = History(**state.history)
    history.resumed_at, history.interrupted = state.done, False
    nowhere = sys.stderr is None or getattr(sys.stderr, "closed", False)
    silent = in_book() or nowhere
    if state.done and not silent:
        line = f"{keeper.path}: {state.done} of {steps} steps are done"
        tqdm.write(line, file=sys.stderr)
    if state.done == steps or (until is not None and history.final_psnr >= until):
        return history
    history.final_psnr = math.nan  # of weights that are about to change
    row_length = max(row_length, steps // ROWS)
    start = time.perf_counter() - state.seconds
    good = latest = state.weights
    bar = tqdm(total=steps, initial=state.done, unit="step", disable=silent)
    stepper = None

    def check_finite(number: float) -> None:
        if not math.isfinite(number):
            model.load_state_dict(good)
            raise FloatingPointError(
                f"the loss is not finite after {state.done} steps: lr={lr:g} is too "
                "large. The model has its last good weights; try a tenth of that lr"
            )

    def row() -> None:
        nonlocal good, latest
        loss = float(stepper.error) / (state.steps_of_row * stepper.scale)
        check_finite(loss)
        # First of all, so that Ctrl-C in here does not make this row twice.
        state.steps_of_row = 0
        stepper.error.zero_()
        # Weights count as good only once the losses that follow them are finite.
        good, latest = latest, copied(model.state_dict())
        shown = f"{loss:.3g}"
        if quality:
            history.psnr.append(quality(loss))
            shown = f"{history.psnr[-1]:.1f} dB"
        history.step.append(state.done)
        history.seconds.append(time.perf_counter() - start)
        history.loss.append(loss)  # last: a row without it is half written
        bar.set_postfix_str(shown)

    def finish() -> None:
        whole = len(history.loss)  # Ctrl-C may have left a row half written
        for column in (history.step, history.seconds, history.psnr):
            del column[whole:]
        if stepper and state.steps_of_row:  # stopped between two rows
            row()
        if measure:
            history.final_psnr = measure()
            # A perfect fit is infinitely good.
            check_finite(0.0 if history.final_psnr == math.inf else history.final_psnr)

    def save() -> None:
        check_finite(error := float(stepper.error))
        state.error, state.seconds = error, time.perf_counter() - start
        state.weights, state.moments = model.state_dict(), stepper.moments()
        state.history = asdict(history)
        keeper.write(state)

    try:
        stepper, parts = prepare(state)
        stepper.error += state.error
        for part in parts:
            if keeper.due():
                save()
            fallen = (state.done - state.begun) / (steps - state.begun)
            stepper(part, lr * (1 - fallen))
            state.done += 1
            state.steps_of_row += 1
            bar.update()
            if state.done % row_length == 0 or state.done == steps:
                row()
                if until is not None and history.psnr[-1] >= until:
                    if measure() >= until:
                        break
        finish()
        save()
    except KeyboardInterrupt:
        history.interrupted = True
        finish()
    finally:
        bar.close()
        if stepper:
            stepper.adam.zero_grad()
    return history


def require_trainable(model: nn.Module) -> None:
    """Raise a ValueError where there is nothing to train, or no device for it."""
    weights = list(model.parameters())
    if not any(weight.requires_grad for weight in weights):
        raise ValueError("the model has no parameters that ask for gradients")
    if any(weight.is_inference() for weight in weights):
        raise ValueError(
            "the model was made inside torch.inference_mode(), where nothing can be "
            "trained: make it outside"
        )
    require_supported(place_of(model)[0])
