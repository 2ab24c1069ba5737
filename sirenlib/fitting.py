"""Fitting a network to a signal."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from .arguments import positive_number
from .batches import batches
from .checkpoints import Checkpoint, FitState
from .evaluation import evaluating, place_of, signal_psnr
from .loop import History, require_trainable, run
from .metrics import psnr_from_mse
from .quilt import Quilt
from .signals import Signal
from .steps import Recipe, Stepper, products_in

QUILT_STEPS, QUILT_LR = 64, 1e-3  # steps an epoch


def fit(
    model: nn.Module,
    signal: Signal,
    *,
    epochs: int,
    batch_size: int | None = None,
    lr: float | None = None,
    precision: str = "float32",
    engine: str = "auto",
    chunk_size: int | None = None,
    until: float | None = None,
    checkpoint: str | Path | None = None,
    generator: Generator | None = None,
) -> History:
    """Train ``model`` on ``signal``: batches, Adam, a rate that falls to zero.

    With ``engine="eager"``, in one chunk and without weights, it is this loop::

        adam = torch.optim.Adam(model.parameters())
        for step, index in enumerate(batches):
            for group in adam.param_groups:
                group["lr"] = lr * (1 - step / steps)
            adam.zero_grad()
            loss = (model(signal.coords[index]) - signal.values[index]).square().mean()
            loss.backward()
            adam.step()

    Epochs are laid end to end, each in a new order, and are cut into batches of one
    size; the last of them is filled up from one more epoch. Of a grid each batch is
    about a coarser grid: every few pixels along each axis, moved by some pixels from
    batch to batch. So it is spread evenly, but for a rim where it ends in one grid and
    goes on in the next. Other points are shuffled.

    The work is done on the device of the model. The signal is moved there once. Beyond
    the signal itself it takes memory for one chunk and for the order of an epoch,
    4 bytes a point; while the next order is drawn, 8, and of shuffled points on CUDA
    more. Ctrl-C stops the fit and keeps what has been learned so far.

    Args:
        model: maps ``(batch, d)`` to ``(batch, c)``; a `Siren`, a `Quilt` or any other
            network.
        epochs: passes over the signal.
        batch_size: points a step; the number of points makes every step a full pass.
            None is that of `default_recipe`.
        lr: Adam's learning rate at the start. None is that of `default_recipe`.
        precision: ``"float32"``; or ``"bfloat16"``, and on CUDA ``"tf32"``, for the
            products of the hidden layers (a Siren keeps its first layer and its sines
            in float32). Where the processor has no bfloat16 it is far slower.
        engine: how a step is run. ``"eager"`` is plain PyTorch; ``"graph"`` records
            the step once as a CUDA graph and replays it (recording empties PyTorch's
            cache of free device memory once); ``"compile"`` gives the model
            to ``torch.compile`` first, which takes some ten seconds, and on CUDA
            records the result as well. ``"auto"`` is ``"graph"`` on CUDA and
            ``"eager"`` elsewhere.
        chunk_size: points in memory at a time. The gradients of a batch's chunks are
            added up, so that the step stays the same. None is 4096 on a CPU, where
            more would not stay in its caches, and 262,144 on CUDA.
        until: a PSNR in decibels at which the fit stops early. It is looked for at
            each row of the history. The rate falls as if the fit went on to the end.
        checkpoint: a file that keeps the state of the fit, written every ten seconds
            and at the end. Where it exists, the same call goes on from there, to the
            weights that it would have reached without a stop; a finished fit returns
            at once. (A network that draws random numbers, for dropout, reaches
            others.) More epochs make a finished fit longer: the rate begins anew. On
            another device it goes on as well, in another order of the points. The
            generator is left as the whole fit would have left it.
        generator: source of the shuffling, which takes one number of it; None is
            PyTorch's global one.

    Raises:
        ValueError: an argument is wrong, or the checkpoint is damaged, in use by
            another process, or belongs to another fit. Nothing has been trained, and
            the file is as it was.
        OSError: the checkpoint cannot be written at the first time. Later failures
            are warnings.
        FloatingPointError: the loss is no longer finite. The model has the weights of
            the last row whose loss was finite, or of the checkpoint.

    Source: chapters 9 and 12; the measurements are in ``benchmarks/``.

    Example:
        >>> import sirenlib
        >>> signal = sirenlib.cameraman(16)
        >>> model = sirenlib.Siren.for_signal(signal, 16, 1)
        >>> history = sirenlib.fit(model, signal, epochs=3, batch_size=64)
        >>> history.step[-1]  # 4 batches in each epoch
        12
    """
    if not isinstance(signal, Signal):
        raise ValueError(
            f"signal must be a Signal, not {type(signal).__name__}: make one with "
            "image_signal(picture) or Signal(coords, values, shape)"
        )
    usual = default_recipe(model, signal)
    batch_size = usual[0] if batch_size is None else batch_size
    lr = usual[1] if lr is None else lr
    recipe = Recipe(epochs, batch_size, lr, precision, engine, chunk_size)
    if until is not None:
        positive_number("until", until)
    with torch.inference_mode(False), torch.enable_grad():
        _require_fit(model, signal, recipe)
        keeper = Checkpoint(checkpoint, model, signal, asdict(recipe), generator)
        with keeper.locked():
            return _fit(model, signal, recipe, until, keeper, generator)


def default_recipe(model: nn.Module, signal: Signal) -> tuple[int, float]:
    """The batch size and the learning rate that `fit` takes by itself.

    A `Quilt` takes an even share of its points at a time, since each step moves the
    weights of all tiles. One network takes 1024 points, at 5e-4, and at 3e-4 of more
    than 65,536, where long fits fall apart at 5e-4.

    Source: chapters 12 and 13, and ``benchmarks/``, measured.
    """
    points = len(signal.coords)
    if isinstance(model, Quilt):
        return max(1, math.ceil(points / QUILT_STEPS)), QUILT_LR
    return 1024, 5e-4 if points <= 2**16 else 3e-4


def _fit(
    model: nn.Module,
    signal: Signal,
    recipe: Recipe,
    until: float | None,
    keeper: Checkpoint,
    generator: Generator | None,
) -> History:
    device, _ = place_of(model)
    signal = signal.to(device)
    size = min(recipe.batch_size, len(signal.coords))
    steps = math.ceil(recipe.epochs * len(signal.coords) / size)

    def prepare(state: FitState) -> tuple[Stepper, Iterator[Tensor]]:
        stepper = Stepper(model, signal, recipe, state.moments)
        return stepper, batches(signal, size, state.seed, state.done, steps)

    # On CUDA an epoch or more, so that the host does not wait within one.
    row_length = math.ceil(len(signal.coords) / size) if device.type == "cuda" else 1
    with products_in(recipe.precision):
        return run(
            model,
            prepare,
            steps=steps,
            lr=recipe.lr,
            keeper=keeper,
            generator=generator,
            row_length=row_length,
            quality=lambda mse: psnr_from_mse(mse, signal.data_range),
            measure=lambda: signal_psnr(model, signal),
            until=until,
        )


def _require_fit(model: nn.Module, signal: Signal, recipe: Recipe) -> None:
    require_trainable(model)
    device, dtype = place_of(model)
    recipe.require_device(device)
    coords, values = signal.coords[:2].detach(), signal.values[:2]
    given = f"coordinates of shape {tuple(coords.shape)}"
    try:
        with evaluating(model), torch.no_grad():
            prediction = model(coords.to(device, dtype))
    except (RuntimeError, ValueError) as error:
        if isinstance(error, torch.cuda.OutOfMemoryError) or "CUDA error" in str(error):
            raise  # the device's fault, not that of the shapes
        raise ValueError(
            f"the model does not take {given} and {dtype}: {error}"
        ) from error
    if not isinstance(prediction, Tensor):
        raise ValueError(
            f"the model returns a {type(prediction).__name__}, not a tensor: wrap it "
            "so that it returns its output alone"
        )
    if prediction.shape != values.shape:
        raise ValueError(
            f"the model gives values of shape {tuple(prediction.shape)} for {given}, "
            f"and the signal has {tuple(values.shape)}: set out_features to "
            f"{values.shape[1]}"
        )
    if not prediction.isfinite().all():
        raise ValueError(
            "the model's output is not finite before the first step: draw its weights "
            "anew, for a Siren with reset_parameters()"
        )


def held_out_psnr(model: nn.Module, signal: Signal, **recipe) -> float:
    """PSNR in decibels at every second sample, after a fit to the others.

    The loss of a fit says nothing of the places between the samples, and this does. On
    a grid the samples are held back like the white fields of a chessboard, otherwise
    every second row of the table. Half the samples are a coarser grid: what is best
    for them is a little below what is best for all.

    Args:
        model: begins from its present weights, and ends fitted to the half.
        recipe: arguments of `fit`, ``epochs`` among them.

    Raises:
        ValueError: as `fit`.

    Source: chapter 11.
    """
    shape = signal.shape if signal.is_grid else (len(signal.coords),)
    places = torch.arange(len(signal.coords), device=signal.coords.device)
    field_number = torch.zeros_like(places)
    for length in reversed(shape):
        field_number += places % length
        places = places // length
    kept = field_number % 2 == 0
    learned, held_out = signal.subset(kept), signal.subset(~kept)
    fit(model, learned, **recipe)
    return signal_psnr(model, held_out)
