"""One step of a fit, and the ways to run it: eager, compiled, as a CUDA graph."""

import contextlib
import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .arguments import positive_number, whole_number
from .batches import coarser_strides
from .evaluation import chunk_of, place_of, squared_errors
from .signals import Signal

CHOICES = {
    "precision": ("float32", "tf32", "bfloat16"),
    "engine": ("auto", "eager", "graph", "compile"),
}
ON_CUDA_ONLY = ("tf32", "graph")
VERSION = tuple(int(number) for number in torch.__version__.split(".")[:2])


@dataclass(frozen=True)
class Recipe:
    """How a fit is made: the arguments of `fit` of these names, all of them valid.

    Raises:
        ValueError: naming the argument and what it must be.
    """

    epochs: int
    batch_size: int = 1024
    lr: float = 5e-4
    precision: str = "float32"
    engine: str = "auto"
    chunk_size: int | None = None

    def __post_init__(self):
        numbers = ["epochs", "batch_size"]
        numbers += [] if self.chunk_size is None else ["chunk_size"]
        for name in numbers:
            # As Python's own: a file takes these, and sums of NumPy's overflow.
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1))
        object.__setattr__(self, "lr", positive_number("lr", self.lr))
        if self.lr > 1e30:
            raise ValueError(f"lr={self.lr:g} is too large for 32 bits: try 5e-4")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be one of {', '.join(choices)}, not "
                    f"{getattr(self, name)!r}"
                )

    def require_device(self, device: torch.device) -> None:
        """Raise a ValueError if this recipe is not for such a device."""
        for name in CHOICES:
            if getattr(self, name) in ON_CUDA_ONLY and device.type != "cuda":
                raise ValueError(
                    f"{name}={getattr(self, name)!r} needs a model on a CUDA device"
                )


class AdamStepper:
    """Adam for a model. Each kind of stepper adds its step, a ``__call__``.

    ``error`` is a number on the device, to which every step adds its own.

    Args:
        moments: the state of Adam to go on from; ``{}`` begins anew.
        recorded: whether the steps are recorded, which only CUDA does.
    """

    def __init__(self, model: nn.Module, moments: dict, recorded: bool = False):
        self.device, self.dtype = place_of(model)
        self.records = recorded and self.device.type == "cuda"
        self.adam = adam_for(model, self.device, self.records)
        self.adam.load_state_dict(self.adam.state_dict() | {"state": moments})
        self.error = torch.zeros((), dtype=torch.float64, device=self.device)

    def moments(self) -> dict:
        """The state of Adam, as the next stepper of this kind takes it."""
        return self.adam.state_dict()["state"]


class Stepper(AdamStepper):
    """Adam on the mean squared error of a batch: ``stepper(index, rate)`` is one step.

    No step makes the host wait for the device. ``error`` takes the squared errors.

    Args:
        signal: on the device of the model. Every batch has as many of its points as
            the recipe says, or all of them.
        moments: as in `AdamStepper`.
    """

    def __init__(self, model: nn.Module, signal: Signal, recipe: Recipe, moments: dict):
        super().__init__(model, moments, recorded=recipe.engine != "eager")
        self.model, self.recipe = model, recipe
        self.coords, self.values = signal.coords.to(self.dtype), signal.values
        self.weights, points = signal.weights, len(signal.coords)
        size = min(recipe.batch_size, points)
        # Divided by this, a sum of squared errors is the mean one of a batch.
        self.scale = size * signal.total_weight / points
        self.chunk_size = recipe.chunk_size or chunk_of(model)
        self.fast_model, self.graph = model, None
        # A quilt whose shapes are fixed needs no look at the device.
        fixed = self.device.type == "cuda" or recipe.engine == "compile"
        tiling = getattr(model, "tiling", None) if fixed else None
        self.options = {}
        if tiling:
            given = self.coords, size, signal.shape, coarser_strides(signal, size)
            self.options["room"] = tiling.room_for(*given)
        self.index = torch.arange(size, dtype=torch.int32, device=self.device)
        if self.records or recipe.engine == "compile":
            self._prepare()

    def __call__(self, index: Tensor, rate: float) -> None:
        set_rate(self.adam, rate)
        if self.graph:
            self.index.copy_(index)
            self.graph.replay()
        else:
            self._learn(self.fast_model, index)

    def _learn(self, model: nn.Module, index: Tensor) -> None:
        self.adam.zero_grad()
        total = torch.zeros_like(self.error)
        lower = self.recipe.precision == "bfloat16"
        for rows in index.split(self.chunk_size):  # (chunk,)
            coords = self.coords.index_select(0, rows)  # (chunk, d)
            target = self.values.index_select(0, rows)  # (chunk, c)
            weights = self.weights
            weights = None if weights is None else weights.index_select(0, rows)
            # Without a cache, which inside a caller's autocast would keep the lowered
            # weights of the first step for all the others.
            with torch.autocast(
                self.device.type, torch.bfloat16, lower, cache_enabled=False
            ):
                prediction = model(coords, **self.options)
            error = squared_errors(prediction, target, weights).sum()
            (error / self.scale).backward()
            total += error.detach()
        self.adam.step()
        self.error += total  # last: a step that is interrupted does not count

    def _prepare(self) -> None:
        """Compile and record the step, and put back what that has moved."""
        engine = self.recipe.engine
        kept = copy.deepcopy((self.model.state_dict(), self.moments(), self.error))
        try:
            with warnings.catch_warnings():
                # Adam warns of steps that are not recorded; here they only warm up. A
                # quilt's constants are traced, and not taken from their cache.
                expected = "This instance was constructed|Dynamo detected a call"
                warnings.filterwarnings("ignore", expected)
                if engine == "compile":
                    self.fast_model = torch.compile(self.model)
                    self._learn(self.fast_model, self.index)
                if self.records:
                    self.graph = self._recorded()
        except Exception as error:  # compilers raise errors of many kinds
            self.fast_model = self.model
            # What ends a capture complains last, of what went wrong before.
            before = f" ({error.__context__})" if error.__context__ else ""
            message = f"engine={engine!r} does not work here: {error}{before}"
            if engine != "auto":
                raise ValueError(f"{message} (use engine='eager')") from error
            warnings.warn(
                f"{message} (each step runs eagerly now). A result of the model that "
                "is still held, such as y = model(x), can be the cause: delete it.",
                stacklevel=4,
            )
        finally:
            self.adam.zero_grad()
            self._put_back(*kept)

    def _put_back(self, weights: dict, moments: dict, error: Tensor) -> None:
        """In place, since a recorded step knows these tensors by their addresses."""
        self.model.load_state_dict(weights)
        self.error.copy_(error)
        for i, state in self.moments().items():
            for name, tensor in state.items():
                tensor.copy_(moments[i][name]) if moments else tensor.zero_()

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """The step as a CUDA graph, after three runs aside.

        Source: PyTorch manual, CUDA semantics, "CUDA Graphs"; ``torch.cuda.graph``.
        """
        with torch.cuda.device(self.device):
            # A stream of this device: the one that torch.cuda.graph makes by itself is
            # made once a process, on whatever device is current then.
            before, aside = torch.cuda.current_stream(), torch.cuda.Stream()
            graph = torch.cuda.CUDAGraph()
            try:
                # The manual's whole-network capture: some eager runs first, on a side
                # stream, which waits for the work before it, and is waited for.
                aside.wait_stream(before)
                with torch.cuda.stream(aside):
                    for _ in range(3):
                        self._learn(self.fast_model, self.index)
                before.wait_stream(aside)
                # torch.cuda.graph on capture_error_mode: by "thread_local" the calls
                # of other threads, such as a data loader's, do not end the capture.
                with torch.cuda.graph(
                    graph, stream=aside, capture_error_mode="thread_local"
                ):
                    self._learn(self.fast_model, self.index)
            finally:
                # A capture that fails leaves its stream as the current one, and work
                # on it that what follows must not overtake.
                torch.cuda.set_stream(before)
                torch.cuda.synchronize()
        return graph


def adam_for(
    model: nn.Module, device: torch.device, recorded: bool = False
) -> torch.optim.Adam:
    """Adam for what asks for gradients; ``recorded`` for steps that are recorded."""
    weights = [each for each in model.parameters() if each.requires_grad]
    # Fused kernels take real numbers only, and on a CPU they came with 2.4.
    fused = device.type == "cuda" or VERSION >= (2, 4)
    fused = fused and all(weight.is_floating_point() for weight in weights)
    if not recorded:
        return torch.optim.Adam(weights, 0.0, fused=fused)
    # A recorded step reads its rate from the device's memory, which needs a
    # capturable optimizer (manual, torch.optim.Adam, on lr and capturable).
    rate = torch.zeros((), dtype=torch.float32, device=device)
    return torch.optim.Adam(weights, rate, capturable=True, fused=fused)


def set_rate(adam: torch.optim.Adam, rate: float) -> None:
    """Give it a learning rate, in the device's memory where it is read from there."""
    group = adam.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@contextlib.contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Let CUDA round the factors of float32 products to TF32, if that is asked for.

    Whatever the caller has set is back afterwards.
    """
    if precision != "tf32":
        yield
        return
    settings = torch.backends.cuda.matmul
    if hasattr(settings, "fp32_precision"):  # from PyTorch 2.9 on
        before, settings.fp32_precision = settings.fp32_precision, "tf32"
    else:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        if hasattr(settings, "fp32_precision"):
            settings.fp32_precision = before
        else:
            torch.set_float32_matmul_precision(before)
