"""One step of a fit, and the ways to run it: eager, compiled, as a CUDA graph."""

import contextlib
import copy
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .environment import chunk_of
from .signals import Signal


class Stepper:
    """Adam on the mean squared error of a batch: ``stepper(index, rate)`` is one step.

    No step makes the host wait for the device.

    Args:
        signal: on the device of the model.
        error: a number there, to which every step adds its squared errors.
        moments: the state of Adam to go on from; ``{}`` begins anew.
        recipe: ``batch_size``, ``precision``, ``engine`` and ``chunk_size`` of `fit`.
            The engine is made for batches of that size; a shorter one, the last of an
            epoch, runs eagerly.
    """

    def __init__(
        self,
        model: nn.Module,
        signal: Signal,
        error: Tensor,
        moments: dict,
        recipe: dict,
    ):
        self.model, self.signal, self.error = model, signal, error
        self.device, self.precision = signal.coords.device, recipe["precision"]
        self.chunk_size = recipe["chunk_size"] or chunk_of(self.device)
        on_cuda = self.device.type == "cuda"
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        # A recorded step reads its rate from the device's memory.
        rate = torch.zeros((), device=self.device) if on_cuda else 0.0
        recordable = on_cuda and recipe["engine"] != "eager"
        self.adam = torch.optim.Adam(
            weights, rate, capturable=recordable, fused=on_cuda
        )
        self.adam.load_state_dict(self.adam.state_dict() | {"state": moments})
        self.fast_model, self.graph = model, None
        size = min(recipe["batch_size"], len(signal.coords))
        self.index = torch.arange(size, dtype=torch.int32, device=self.device)
        engine = recipe["engine"]
        if engine in ("graph", "compile") or (on_cuda and engine == "auto"):
            self._prepare(engine)

    def __call__(self, index: Tensor, rate: float) -> None:
        group = self.adam.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
        if len(index) != len(self.index):
            self._learn(self.model, index)
        elif self.graph:
            self.index.copy_(index)
            self.graph.replay()
        else:
            self._learn(self.fast_model, index)

    def moments(self) -> dict:
        """The state of Adam, as the next `Stepper` takes it."""
        return self.adam.state_dict()["state"]

    def _learn(self, model: nn.Module, index: Tensor) -> None:
        self.adam.zero_grad()
        lower = self.precision == "bfloat16"
        for rows in index.split(self.chunk_size):
            target = self.signal.values.index_select(0, rows)
            with torch.autocast(self.device.type, torch.bfloat16, lower):
                prediction = model(self.signal.coords.index_select(0, rows))
            error = F.mse_loss(prediction.to(target.dtype), target, reduction="sum")
            (error / (len(index) * target.shape[1])).backward()
            self.error += error.detach()
        self.adam.step()

    def _prepare(self, engine: str) -> None:
        """Compile and record the step, and put back what that has moved."""
        kept = copy.deepcopy((self.model.state_dict(), self.moments(), self.error))
        try:
            # Adam warns of steps that are not recorded; here they only warm up.
            with warnings.catch_warnings(action="ignore"):
                if engine == "compile":
                    self.fast_model = torch.compile(self.model)
                    self._learn(self.fast_model, self.index)
                if engine != "compile" or self.device.type == "cuda":
                    self.graph = self._recorded()
        except Exception as error:  # compilers raise errors of many kinds
            message = f"engine={engine!r} does not work here: {error}"
            if engine != "auto":
                raise ValueError(f"{message} (use engine='eager')") from error
            warnings.warn(f"{message} (each step runs eagerly now)", stacklevel=4)
        finally:
            self._put_back(*kept)

    def _put_back(self, weights: dict, moments: dict, error: Tensor) -> None:
        """In place, since a recorded step knows these tensors by their addresses."""
        self.model.load_state_dict(weights)
        self.error.copy_(error)
        for i, state in self.moments().items():
            for name, tensor in state.items():
                tensor.copy_(moments[i][name]) if moments else tensor.zero_()

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """The step as a CUDA graph, after three runs aside, which it needs.

        Source: PyTorch manual, CUDA semantics, whole-network capture.
        """
        with torch.cuda.device(self.device):
            aside, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(3):
                    self._learn(self.fast_model, self.index)
            torch.cuda.current_stream().wait_stream(aside)
            with torch.cuda.graph(graph):
                self._learn(self.fast_model, self.index)
        return graph


@contextlib.contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Let CUDA round the factors of float32 products to TF32, if that is asked for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
