"""The state of a fit, and the file that keeps it."""

import contextlib
import copy
import math
import os
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from .evaluation import alike, sampled
from .files import read_whole, reading, write_whole
from .signals import Signal

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

CHECKPOINT = "sirenlib checkpoint 3"
SECONDS = 10.0  # between two writings


@dataclass
class FitState:
    """What a fit needs to go on.

    Args:
        seed: the order of epoch k follows from ``seed + k`` alone.
        generator: state of the caller's generator once the seed was drawn from it.
        weights: the model's ``state_dict()``.
        moments: the state of Adam; empty before the first step.
        steps: all of the fit.
        done: steps so far.
        begun: steps before the present fall of the learning rate: 0, or where a
            finished fit was made longer.
        error, steps_of_row: errors added up since the last row, and their steps.
        seconds: time so far.
        history: the fields of a `History`.
    """

    seed: int
    generator: Tensor
    weights: dict[str, Tensor]
    steps: int
    moments: dict = field(default_factory=dict)
    done: int = 0
    begun: int = 0
    error: float = 0.0
    steps_of_row: int = 0
    seconds: float = 0.0
    history: dict = field(default_factory=dict)

    @classmethod
    def first(cls, model: nn.Module, source: Generator, steps: int) -> "FitState":
        """The state of a fit that has not begun; draws one number."""
        seed = int(torch.randint(2**62, (), generator=source, device=source.device))
        return cls(seed, source.get_state(), copied(model.state_dict()), steps)


def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers in memory of their own, without a graph behind them."""
    return {
        name: each.detach().clone() if isinstance(each, Tensor) else copy.deepcopy(each)
        for name, each in tensors.items()
    }


class Checkpoint:
    """The file that keeps a fit, written whole or not at all.

    Args:
        path: None keeps nothing.
        model, signal: what is fitted, and to what; None where it is no signal.
        recipe: the rest that tells the fit from every other, by name.
        generator: the caller's own; None if it was PyTorch's global one, which other
            code draws from as well.
    """

    def __init__(
        self,
        path: str | Path | None,
        model: nn.Module,
        signal: Signal | None,
        recipe: dict,
        generator: Generator | None,
    ):
        self.path, self.model, self.signal = path and Path(path), model, signal
        self.next_time, self.written = -math.inf, False
        if self.path:
            self.fit = _identity(model, signal, recipe)
            self.buffers = _fixed_buffers(model)
            self.generator = generator and checksum(generator.get_state())
            # A state of a CUDA generator is none for a CPU's.
            self.size = len((generator or torch.default_generator).get_state())

    def read(self, steps: int) -> FitState | None:
        """What the file holds, for a fit of so many steps; None where there is no file.

        A finished fit may be made longer: the learning rate begins anew there.

        Raises:
            ValueError: it is damaged, no checkpoint, or that of another fit.
        """
        if not self.path or not self.path.is_file():
            return None
        kind = "checkpoint, or it is damaged: delete it, or give another path"
        with reading(self.path, kind):
            content = read_whole(self.path, CHECKPOINT)
            state = FitState(**content["state"])
            other = self._differences(content, state)
            finished = state.done == state.steps < steps
            if not other and state.steps != steps and not finished:
                other = ["number of epochs"]
        if other:
            raise ValueError(
                f"{self.path} is the checkpoint of a fit with another "
                f"{', '.join(other)}: repeat that call, delete the file, or give "
                "another path"
            )
        if finished:
            state.begun, state.steps = state.done, steps
        self.buffers, self.generator = content["buffers"], content["generator"]
        return state

    def _differences(self, content: dict, state: FitState) -> list[str]:
        """What the file's fit had otherwise, by name."""
        stored = content["fit"]
        other = [name for name in self.fit if stored[name] != self.fit[name]]
        # The generator stands where the fit began, or where it was left.
        known = (None, content["generator"], checksum(state.generator))
        if self.generator not in known or self.size != len(state.generator):
            other.append("generator")
        if not other and not (
            self._same_buffers(content["buffers"], state.weights)
            and self._gives(state.weights, content["outputs"])
        ):
            other.append("model")
        return other

    def _same_buffers(self, first: dict, weights: dict) -> bool:
        """Whether the buffers that the fit has left alone are those of the model."""
        still = [n for n in first if n in weights and checksum(weights[n]) == first[n]]
        return all(self.buffers.get(name) == first[name] for name in still)

    def _gives(self, weights: dict, outputs: Tensor | None) -> bool:
        """Whether the model with these weights is the one that has these outputs."""
        if outputs is None:
            return True
        present = copied(self.model.state_dict())
        self.model.load_state_dict(weights)
        found = sampled(self.model, self.signal.coords)
        self.model.load_state_dict(present)
        return alike(found, outputs)

    def due(self) -> bool:
        """Whether it is time to write."""
        return self.path is not None and time.monotonic() > self.next_time

    def write(self, state: FitState) -> None:
        """Write the state. Later writings only warn where the first one worked.

        Raises:
            OSError: the first writing failed.
        """
        if not self.path:
            return
        # Without a signal there are no points, and the model may take none.
        outputs = self.signal and sampled(self.model, self.signal.coords)
        known = self.model.parameters() if outputs is None else [outputs]
        if not all(each.isfinite().all() for each in known):
            return  # weights that have diverged; the next loss will say so
        content = {
            "format": CHECKPOINT,
            "fit": self.fit,
            "buffers": self.buffers,
            "generator": self.generator,
            "outputs": outputs,
            # Not asdict, which would copy every tensor.
            "state": {each.name: getattr(state, each.name) for each in fields(state)},
        }
        try:
            write_whole(self.path, content)
            self.written = True
        except OSError as error:
            if not self.written:
                raise
            warnings.warn(
                f"the checkpoint {self.path} could not be written ({error}); the fit "
                "goes on",
                stacklevel=3,
            )
        self.next_time = time.monotonic() + SECONDS

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes away from the file.

        Raises:
            ValueError: another process has it.
        """
        if not self.path or not fcntl:
            yield
            return
        path = self.path.resolve()  # a link is locked where it leads
        lock = path.with_name(path.name + ".lock")
        with open(lock, "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it before may have taken it away in between.
                held = lock.exists() and os.path.samestat(
                    os.fstat(file.fileno()), lock.stat()
                )
            except BlockingIOError:
                held = False
            if not held:
                raise ValueError(
                    f"another process is writing {self.path}: wait for it, or give "
                    "another path"
                )
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)


def checksum(*tensors: Tensor) -> int:
    """A number that differs when any of the tensors does."""
    number = 0
    for tensor in tensors:
        bits = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        number = zlib.crc32(bits.numpy(), number)
    return number


def _fixed_buffers(model: nn.Module) -> dict[str, int]:
    """Checksums of the buffers, without those that normalization learns: after a stop
    they have moved in the model, and not yet in the file."""
    learned = {
        id(buffer)
        for part in model.modules()
        if part.training and getattr(part, "track_running_stats", False)
        for buffer in part.buffers(recurse=False)
    }
    buffers = model.named_buffers()
    return {name: checksum(b) for name, b in buffers if id(b) not in learned}


def _identity(model: nn.Module, signal: Signal | None, recipe: dict) -> dict:
    """What tells a fit from every other, by name; its length aside."""
    recipe = {name: each for name, each in recipe.items() if name != "epochs"}
    weights = [
        (name, w.shape, w.dtype)
        for name, w in model.state_dict().items()
        if isinstance(w, Tensor)
    ]
    learning = [name for name, w in model.named_parameters() if w.requires_grad]
    identity = recipe | {"model": f"{model} {weights} {learning}"}
    if signal is None:
        return identity
    numbers = [signal.coords, signal.values]
    numbers += [] if signal.weights is None else [signal.weights]
    return identity | {"signal": f"{checksum(*numbers)} {signal.value_range}"}
