"""Fitting a network to a signal."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from .arguments import positive_number, whole_number
from .environment import chunk_of, in_book
from .files import Checkpoint, checksum
from .metrics import psnr_from_mse
from .signals import Signal
from .steps import Stepper, products_in

ROWS = 100  # a history has about so many rows, however long the fit
CHOICES = {
    "precision": ("float32", "tf32", "bfloat16"),
    "engine": ("auto", "eager", "graph", "compile"),
}
ON_CUDA_ONLY = ("tf32", "graph")


@dataclass
class History:
    """What happened during a fit, in about a hundred rows; on CUDA one an epoch.

    A row stands after ``step[i]`` steps and ``seconds[i]`` seconds. ``loss[i]`` is the
    mean squared error of the batches since the row before, each taken just before the
    network learned from it, and ``psnr[i]`` says the same in decibels. So they trail
    the network a little; ``final_psnr`` is measured on the whole signal at the end.
    """

    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    final_psnr: float = math.nan
    interrupted: bool = False


def fit(
    model: nn.Module,
    signal: Signal,
    *,
    epochs: int,
    batch_size: int = 1024,
    lr: float = 5e-4,
    precision: str = "float32",
    engine: str = "auto",
    chunk_size: int | None = None,
    checkpoint: str | Path | None = None,
    generator: Generator | None = None,
) -> History:
    """Train ``model`` on ``signal``: shuffled batches, Adam, a cosine down to zero.

    The work is done on the device of the model. The signal is moved there once, and is
    shuffled there. Beyond the signal itself it takes memory for one chunk, and four
    bytes a point for the order, eight while the next one is drawn. Ctrl-C stops the
    fit and keeps what has been learned so far.

    Args:
        model: maps ``(batch, d)`` to ``(batch, c)``; a `Siren` or any other network.
        epochs: passes over the signal.
        batch_size: points a step; the number of points makes every step a full pass.
        lr: Adam's learning rate at the start.
        precision: ``"float32"``; or ``"bfloat16"``, and on CUDA ``"tf32"``, for the
            products of the hidden layers (a Siren keeps its first and last layer and
            its sines in float32).
        engine: how a step is run. ``"eager"`` is plain PyTorch; ``"graph"`` records
            the step once as a CUDA graph and replays it; ``"compile"`` gives the model
            to ``torch.compile`` first, which takes some ten seconds, and on CUDA
            records the result as well. ``"auto"`` is ``"graph"`` on CUDA and
            ``"eager"`` elsewhere.
        chunk_size: points in memory at a time. The gradients of a batch's chunks are
            added up, so that the step stays the same. None is 4096 on a CPU, where
            more would not stay in its caches, and 262,144 on CUDA.
        checkpoint: a file that keeps the state of the fit, written every ten seconds
            and at the end. Where it exists, the same call goes on from there, to the
            weights that it would have reached without a stop; a finished fit returns
            at once. The generator is left as the whole fit would have left it.
        generator: source of the shuffling, which takes one number of it; None is
            PyTorch's global one.

    Raises:
        ValueError: an argument is wrong, or the checkpoint is damaged or belongs to
            another fit. Nothing has been trained, and the file is as it was.
        OSError: the checkpoint cannot be written.
        FloatingPointError: the loss is no longer finite. The model has the weights of
            the last row whose loss was finite.

    Source: chapters 8 and 11; the measurements are in ``benchmarks/``.
    """
    recipe = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    recipe |= {"precision": precision, "engine": engine, "chunk_size": chunk_size}
    _require_fit(model, signal, recipe)
    source = generator or torch.default_generator
    keeper = Checkpoint(checkpoint, checkpoint and _identity(model, signal, recipe))
    state = keeper.read() or _first_state(model, source)
    source.set_state(state["generator"])
    model.load_state_dict(state["weights"])
    if state["done"] == epochs * math.ceil(len(signal.coords) / batch_size):
        return History(**state["history"])
    signal = signal.to(next(model.parameters()).device)
    recorder = _Recorder(model, signal, state, recipe)
    try:
        with products_in(precision):
            step = Stepper(model, signal, recorder.error, state["moments"], recipe)
            for index in _batches(signal, state, recipe):
                if keeper.due():
                    keeper.write(recorder.state() | {"moments": step.moments()})
                step(index, recorder.rate())
                recorder.add(len(index))
        recorder.finish()
        keeper.write(recorder.state() | {"moments": step.moments()})
    except KeyboardInterrupt:
        recorder.history.interrupted = True
        recorder.finish()
    finally:
        recorder.bar.close()
    return recorder.history


@torch.inference_mode()
def signal_psnr(model: nn.Module, signal: Signal) -> float:
    """PSNR of the network on a whole signal, in decibels, in chunks."""
    device = next(model.parameters()).device
    error, size = torch.zeros((), dtype=torch.float64, device=device), chunk_of(device)
    parts = zip(signal.coords.split(size), signal.values.split(size), strict=True)
    for coords, values in parts:
        difference = model(coords.to(device)) - values.to(device)
        error += difference.double().square().sum()
    return psnr_from_mse(error.item() / signal.values.numel(), signal.data_range)


def _require_fit(model: nn.Module, signal: Signal, recipe: dict) -> None:
    for name in ("epochs", "batch_size", "chunk_size"):
        if name != "chunk_size" or recipe[name] is not None:
            recipe[name] = whole_number(name, recipe[name], 1)
    recipe["lr"] = positive_number("lr", recipe["lr"])
    if recipe["lr"] > 1e30:
        raise ValueError(f"lr={recipe['lr']:g} is too large for 32 bits: try 5e-4")
    for name, choices in CHOICES.items():
        if recipe[name] not in choices:
            words = ", ".join(choices)
            raise ValueError(f"{name} must be one of {words}, not {recipe[name]!r}")
    if not isinstance(signal, Signal):
        raise ValueError(
            f"signal must be a Signal, not {type(signal).__name__}: make one with "
            "image_signal(picture) or Signal(coords, values, shape)"
        )
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("the model has no parameters that ask for gradients")
    device = next(model.parameters()).device
    for name in CHOICES:
        if recipe[name] in ON_CUDA_ONLY and device.type != "cuda":
            raise ValueError(f"{name}={recipe[name]!r} needs a model on a CUDA device")
    try:
        with torch.inference_mode():
            prediction = model(signal.coords[:1].to(device))
    except RuntimeError as error:
        raise ValueError(
            f"the model does not take coordinates of shape "
            f"{tuple(signal.coords[:1].shape)} and {signal.coords.dtype}: {error}"
        ) from error
    if not isinstance(prediction, Tensor):
        raise ValueError(
            f"the model returns a {type(prediction).__name__}, not a tensor: wrap it "
            "so that it returns its output alone"
        )
    if prediction.shape != signal.values[:1].shape:
        raise ValueError(
            f"the model gives {prediction.shape[-1]} values for each coordinate, the "
            f"signal has {signal.values.shape[-1]}: set out_features to that"
        )


def _identity(model: nn.Module, signal: Signal, recipe: dict) -> dict:
    """What tells a fit from every other, by name."""
    weights = [(name, w.shape, w.dtype) for name, w in model.state_dict().items()]
    return recipe | {
        "model": f"{model} {weights}",
        "signal": f"{checksum(signal.coords, signal.values)} {signal.value_range}",
        "device": next(model.parameters()).device.type,
    }


def _first_state(model: nn.Module, source: Generator) -> dict:
    """What a checkpoint holds of a fit that has not begun."""
    seed = int(torch.randint(2**62, (), generator=source, device=source.device))
    weights = _weights(model)
    return {
        "seed": seed,
        "generator": source.get_state(),
        "weights": weights,
        "good": weights,
        "moments": {},
        "done": 0,
        "points": 0,
        "error": 0.0,
        "seconds": 0.0,
        "history": asdict(History()),
    }


def _weights(model: nn.Module) -> dict[str, Tensor]:
    state = model.state_dict()
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _batches(signal: Signal, state: dict, recipe: dict) -> Iterator[Tensor]:
    """Indices of the batches to come: every point once an epoch, in random order.

    The order of an epoch follows from the seed and its number alone.
    """
    points, device = len(signal.coords), signal.coords.device
    shuffle = Generator(device)
    begun, skipped = divmod(state["done"], math.ceil(points / recipe["batch_size"]))
    for epoch in range(begun, recipe["epochs"]):
        shuffle.manual_seed(state["seed"] + epoch)
        kind = {"dtype": torch.int32, "device": device}
        order = torch.randperm(points, generator=shuffle, **kind)
        yield from order.split(recipe["batch_size"])[skipped:]
        skipped = 0


class _Recorder:
    """Rows of the history, the progress bar, and the last good weights.

    Errors are summed up on the device and read at the end of a row. On CUDA that is
    the end of an epoch, so that the host does not wait within one.
    """

    def __init__(self, model: nn.Module, signal: Signal, state: dict, recipe: dict):
        self.model, self.signal, self.past, self.lr = model, signal, state, recipe["lr"]
        device, epochs = signal.coords.device, recipe["epochs"]
        steps_an_epoch = math.ceil(len(signal.coords) / recipe["batch_size"])
        self.steps = epochs * steps_an_epoch
        self.row_length = max(1, self.steps // ROWS)
        if device.type == "cuda":
            self.row_length = max(1, epochs // ROWS) * steps_an_epoch
        self.done, self.points = state["done"], state["points"]
        self.error = torch.tensor(state["error"], dtype=torch.float64, device=device)
        self.history = History(**state["history"])
        self.good, self.latest = state["good"], state["weights"]
        self.start = time.perf_counter() - state["seconds"]
        self.bar = tqdm(
            total=self.steps, initial=self.done, unit="step", disable=in_book()
        )

    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.lr * (1 + math.cos(math.pi * self.done / self.steps)) / 2

    def add(self, points: int) -> None:
        self.done += 1
        self.points += points
        self.bar.update()
        if self.done % self.row_length == 0 or self.done == self.steps:
            self._row()

    def state(self) -> dict:
        """What a checkpoint holds, the optimizer aside."""
        self._require_finite(error := float(self.error))
        return self.past | {
            "weights": self.model.state_dict(),
            "good": self.good,
            "done": self.done,
            "points": self.points,
            "error": error,
            "seconds": time.perf_counter() - self.start,
            "history": asdict(self.history),
        }

    def finish(self) -> None:
        if self.points:  # interrupted between two rows
            self._row()
        psnr = signal_psnr(self.model, self.signal)
        self._require_finite(0.0 if psnr == math.inf else psnr)  # inf is a perfect fit
        self.history.final_psnr = psnr

    def _row(self) -> None:
        loss = float(self.error) / (self.points * self.signal.values.shape[1])
        self._require_finite(loss)
        # Weights count as good only once the losses that follow them are finite.
        self.good, self.latest = self.latest, _weights(self.model)
        psnr = psnr_from_mse(loss, self.signal.data_range)
        self.history.step.append(self.done)
        self.history.seconds.append(time.perf_counter() - self.start)
        self.history.loss.append(loss)
        self.history.psnr.append(psnr)
        self.bar.set_postfix_str(f"{psnr:.1f} dB")
        self.error.zero_()
        self.points = 0

    def _require_finite(self, number: float) -> None:
        if math.isfinite(number):
            return
        self.model.load_state_dict(self.good)
        raise FloatingPointError(
            f"the loss is not finite after {self.done} steps: lr={self.lr:g} is too "
            "large. The model has its last good weights; try a tenth of that lr"
        )
