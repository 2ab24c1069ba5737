"""Fitting a network to a signal."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from .arguments import positive_number, whole_number
from .environment import in_book
from .metrics import psnr_from_mse
from .signals import Signal

ROWS = 100  # a history has about so many rows, however long the fit
GROUP = 2**20  # points that are shuffled at a time
CHUNK = 4096  # points that are evaluated at a time


@dataclass
class History:
    """What happened during a fit, in about a hundred rows.

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
    generator: Generator | None = None,
) -> History:
    """Train ``model`` on ``signal``: shuffled batches, Adam, a cosine down to zero.

    The work is done on the device of the model. Beyond the signal itself it takes
    memory for one batch, not for the picture. Ctrl-C stops the fit and keeps what has
    been learned so far.

    Args:
        model: maps ``(batch, d)`` to ``(batch, c)``; a `Siren` or any other network.
        epochs: passes over the signal.
        batch_size: points a step; the number of points makes every step a full pass.
        lr: Adam's learning rate at the start.
        precision: ``"float32"``, or ``"bfloat16"`` for the products of the hidden
            layers (a Siren keeps its first layer and its sines in float32).
        generator: source of the shuffling; None is PyTorch's global one.

    Raises:
        ValueError: an argument is wrong; nothing has been trained.
        FloatingPointError: the loss is no longer finite. The model has the weights of
            the last row whose loss was finite.

    Source: chapter 8; the measurements are in ``benchmarks/``.
    """
    _require_fit(model, signal, epochs, batch_size, lr, precision)
    device = next(model.parameters()).device
    signal = signal.to(device)
    groups = _groups(len(signal.coords), batch_size)
    steps = epochs * sum(math.ceil(len(group) / batch_size) for group in groups)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    lower = torch.autocast(device.type, torch.bfloat16, precision == "bfloat16")
    recorder = _Recorder(model, signal, steps, lr)
    try:
        for index in _batches(groups, epochs, batch_size, generator, device):
            with lower:
                prediction = model(signal.coords[index])
            target = signal.values[index]
            loss = F.mse_loss(prediction.to(target.dtype), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
            recorder.add(loss.detach(), len(index))
    except KeyboardInterrupt:
        recorder.history.interrupted = True
    finally:
        recorder.bar.close()
    return recorder.finish()


@torch.inference_mode()
def signal_psnr(model: nn.Module, signal: Signal) -> float:
    """PSNR of the network on a whole signal, in decibels, in chunks."""
    device = next(model.parameters()).device
    error = 0.0
    parts = zip(signal.coords.split(CHUNK), signal.values.split(CHUNK), strict=True)
    for coords, values in parts:
        difference = model(coords.to(device)) - values.to(device)
        error += difference.double().square().sum().item()
    return psnr_from_mse(error / signal.values.numel(), signal.data_range)


def _require_fit(model, signal, epochs, batch_size, lr, precision) -> None:
    whole_number("epochs", epochs, 1)
    whole_number("batch_size", batch_size, 1)
    if positive_number("lr", lr) > 1e30:
        raise ValueError(f"lr={lr:g} is too large for 32-bit numbers: try 5e-4")
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision must be float32 or bfloat16, not {precision!r}")
    if not isinstance(signal, Signal):
        raise ValueError(
            f"signal must be a Signal, not {type(signal).__name__}: make one with "
            "image_signal(picture) or Signal(coords, values, shape)"
        )
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("the model has no parameters that ask for gradients")
    device = next(model.parameters()).device
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


def _groups(points: int, batch_size: int) -> list[range]:
    """Each group is a comb over the whole signal, small enough to be shuffled alone.

    Shuffling a large picture as a whole would take eight bytes for each of its pixels.
    Up to a million points there is one group, and shuffling it is an exact shuffle.
    """
    count = max(1, points // max(GROUP, batch_size))
    return [range(first, points, count) for first in range(count)]


def _batches(
    groups: list[range],
    epochs: int,
    batch_size: int,
    generator: Generator | None,
    device: torch.device,
) -> Iterator[Tensor]:
    """Indices of the batches: every point once an epoch, in random order."""
    source = generator.device if generator else "cpu"
    for _ in range(epochs):
        for i in torch.randperm(len(groups), generator=generator, device=source):
            group = groups[i]
            order = torch.randperm(len(group), generator=generator, device=source)
            yield from (order * group.step + group.start).to(device).split(batch_size)


class _Recorder:
    """Rows of the history, the progress bar, and the last good weights.

    Losses are summed on the model's device and read once a row, so that the host does
    not wait for every step.
    """

    def __init__(self, model: nn.Module, signal: Signal, steps: int, lr: float):
        self.model, self.signal, self.steps, self.lr = model, signal, steps, lr
        self.every = max(1, steps // ROWS)
        self.history = History()
        self.bar = tqdm(total=steps, unit="step", disable=in_book())
        self.good = self.latest = self._weights()
        self.error, self.points, self.done = 0.0, 0, 0
        self.start = time.perf_counter()

    def add(self, loss: Tensor, points: int) -> None:
        self.error = self.error + loss * points
        self.points += points
        self.done += 1
        self.bar.update()
        if self.done % self.every == 0 or self.done == self.steps:
            self._row()

    def _row(self) -> None:
        loss = float(self.error) / self.points
        self._require_finite(loss)
        # Weights count as good only once the losses that follow them are finite.
        self.good, self.latest = self.latest, self._weights()
        psnr = psnr_from_mse(loss, self.signal.data_range)
        self.history.step.append(self.done)
        self.history.seconds.append(time.perf_counter() - self.start)
        self.history.loss.append(loss)
        self.history.psnr.append(psnr)
        self.bar.set_postfix_str(f"{psnr:.1f} dB")
        self.error, self.points = 0.0, 0

    def finish(self) -> History:
        if self.points:  # interrupted between two rows
            self._row()
        psnr = signal_psnr(self.model, self.signal)
        self._require_finite(0.0 if psnr == math.inf else psnr)  # inf is a perfect fit
        self.history.final_psnr = psnr
        return self.history

    def _require_finite(self, number: float) -> None:
        if math.isfinite(number):
            return
        self.model.load_state_dict(self.good)
        raise FloatingPointError(
            f"the loss is not finite after {self.done} steps: lr={self.lr:g} is too "
            "large. The model has its last good weights; try a tenth of that lr"
        )

    def _weights(self) -> dict[str, Tensor]:
        state = self.model.state_dict()
        return {name: tensor.detach().clone() for name, tensor in state.items()}
