"""The Python side of the device in `device.cpp`; importing it switches it on.

A CPU build of PyTorch lacks the compiled half of ``torch.cuda``. Here is the little of
it that the library, its tests and ``torch.cuda.graph`` itself call, and nothing else:
a missing function is an error that says its name.
"""

import ctypes
import functools
import os
import warnings

import torch

LIBRARY = "FAKE_CUDA_LIBRARY"  # the variable that holds its path

_device = ctypes.CDLL(os.environ[LIBRARY])
os.environ.pop("LD_PRELOAD", None)  # children of this process do without

# What has happened to streams and graphs, in order; a test empties it first.
events: list[tuple] = []


class Stream:
    """A name in `events`; work is done at once, on whatever stream."""

    device = torch.device("cuda:0")

    def __init__(self, device=None, priority=0, *, name="aside"):
        self.name = name

    def wait_stream(self, other: "Stream") -> None:
        events.append(("wait", self.name, other.name))

    def synchronize(self) -> None:
        events.append(("synchronize", self.name))


DEFAULT = Stream(name="default")
_current = [DEFAULT]


def _set_stream(stream: Stream) -> None:
    events.append(("stream", stream.name))
    _current[0] = stream


class CUDAGraph:
    """Records what runs and undoes it; a replay runs it again on the same memory."""

    def capture_begin(self, pool=None, capture_error_mode="global", **_) -> None:
        if _current[0] is DEFAULT:
            raise RuntimeError("CUDA graphs must be captured on a non-default stream.")
        events.append(("begin", _current[0].name, capture_error_mode))
        _device.capture_begin()

    def capture_end(self) -> None:
        events.append(("end", _current[0].name))
        self.number = _device.capture_end()
        if self.number == -2:
            raise RuntimeError("CUDA error: operation failed due to a previous error")
        if self.number == -1:
            warnings.warn("The CUDA Graph is empty", stacklevel=2)

    def replay(self) -> None:
        events.append(("replay", _current[0].name))
        if self.number >= 0:
            _device.replay(self.number)


def _clone_storage(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    whole = torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
    return whole.clone().untyped_storage()


def host_waits() -> int:
    """How often the host has asked the device for a number and waited for it."""
    return _device.host_waits()


def _nothing(*_, **__) -> None:
    pass


def _synchronize(device=None) -> None:
    if _device.capturing():
        raise RuntimeError("CUDA error: operation not permitted when capturing")
    events.append(("synchronize", "device"))


replaced = {
    # There is a device, and it is ready.
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "get_device_name": lambda device=None: "pretended CUDA device",
    "is_bf16_supported": lambda *_: True,  # autocast asks
    "_lazy_init": _nothing,  # everything that makes a CUDA tensor calls it first
    "_exchange_device": lambda index: 0,  # `with torch.cuda.device(...)`
    "_maybe_exchange_device": lambda index: 0,
    # Streams and graphs, written down.
    "Stream": Stream,
    "CUDAGraph": CUDAGraph,
    "current_stream": lambda device=None: _current[0],
    "default_stream": lambda device=None: DEFAULT,
    "set_stream": _set_stream,
    "is_current_stream_capturing": lambda: bool(_device.capturing()),
    "synchronize": _synchronize,
    "empty_cache": _nothing,
    # torch.compile keeps the global generator, which is that of the CPU here.
    "get_rng_state": lambda device=None: torch.get_rng_state(),
    "set_rng_state": lambda state, device=None: torch.set_rng_state(state),
}
for name, value in replaced.items():
    setattr(torch.cuda, name, value)
torch._C._host_emptyCache = _nothing  # torch.cuda.graph calls it
# Inductor needs Triton, which needs a GPU; the traced operations are the same.
torch.compile = functools.partial(torch.compile, backend="aot_eager")
# deepcopy: UntypedStorage(device="cuda") is compiled for CUDA builds alone.
torch.UntypedStorage.clone = _clone_storage
