"""What the library does on the CUDA device of `fake_cuda`.

Each result lies where it should and has the numbers of the CPU. Times, memory, TF32's
rounding and PyTorch's own kernels for CUDA are not to be seen this way.
"""

import math

import numpy as np
import pytest
import torch
from torch import nn

import sirenlib
from sirenlib import History, Quilt, Signal, Siren, checkpoints, fit, steps

pytestmark = pytest.mark.cuda
NETWORKS = ("siren", "quilt", "another")
ENGINES = ("auto", "eager", "graph", "compile")
PRECISIONS = ("float32", "tf32", "bfloat16")


@pytest.fixture(autouse=True)
def device():
    """The device, with nothing written down."""
    if torch.version.cuda:
        pytest.skip("made for the pretended device: a real one rounds in its own way")
    from fake_cuda import device

    device.events.clear()
    return device


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(kind: str = "siren", channels: int = 1) -> nn.Module:
    if kind == "siren":
        return Siren(2, 24, 1, channels, init="fast", generator=seeded())
    if kind == "quilt":
        return Quilt((3, 2), 12, 1, channels, first_omega_0=6.0, generator=seeded())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 24), nn.SiLU(), nn.Linear(24, channels))


def picture(channels: int = 1, weights: torch.Tensor | None = None) -> Signal:
    """99 points, which no batch below divides."""
    coords = sirenlib.coordinate_grid(9, 11)
    waves = [(3 * coords.sum(1) + i).sin() for i in range(channels)]
    return Signal(coords, torch.stack(waves, 1), (9, 11), weights=weights)


def points(count: int = 50) -> torch.Tensor:
    return 2 * torch.rand(count, 2, generator=seeded()) - 1


def where(tensors) -> set[tuple[str, torch.dtype]]:
    return {(tensor.device.type, tensor.dtype) for tensor in tensors}


ON_CUDA = {("cuda", torch.float32)}


def weights(model: nn.Module) -> torch.Tensor:
    assert where(model.parameters()) == ON_CUDA or not next(model.parameters()).is_cuda
    return torch.cat([p.detach().cpu().flatten() for p in model.parameters()])


def assert_as_on_cpu(function, tolerance: float = 1e-4) -> None:
    """``function(device)`` gives tensors there, with the numbers of the CPU."""
    found, wanted = list(function("cuda")), list(function("cpu"))
    assert where(found) == {("cuda", tensor.dtype) for tensor in wanted}
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=tolerance, atol=tolerance)


# The network and its derivatives


@pytest.mark.parametrize("kind", NETWORKS)
def test_forward_and_backward(kind):
    def run(device):
        model, x = network(kind).to(device), points().to(device).requires_grad_()
        y = model(x)
        y.square().sum().backward()
        return [y.detach(), x.grad, *(weight.grad for weight in model.parameters())]

    assert_as_on_cpu(run)


def test_activations():
    def run(device):
        x = points().to(device)
        return network().to(device).forward_with_activations(x).values()

    assert_as_on_cpu(lambda device: [tensor.detach() for tensor in run(device)])


@pytest.mark.parametrize("kind", ["siren", "quilt"])
@pytest.mark.parametrize("lower", [False, True])
def test_forward_laplacian(lower, kind):
    def run(device):
        model = network(kind, channels=3).to(device)
        # Autocast changes nothing here: only one of the two has it.
        lowered = lower and device == "cuda"
        with torch.autocast(device, torch.bfloat16, enabled=lowered):
            found = sirenlib.forward_laplacian(model, points().to(device))
        found[2].sum().backward()
        return [*(tensor.detach() for tensor in found), model.net[0].linear.weight.grad]

    assert_as_on_cpu(run, 1e-3)


def test_derivatives_by_autograd():
    def run(device):
        model, x = network(channels=2).to(device), points().to(device).requires_grad_()
        y = model(x)
        names = ("gradient", "jacobian", "divergence", "laplace")
        return [getattr(sirenlib.derivatives, name)(y, x).detach() for name in names]

    assert_as_on_cpu(run, 1e-3)


@pytest.mark.parametrize("kind", NETWORKS)
def test_evaluate(kind):
    def run(device):
        model = network(kind, channels=3).to(device)
        return sirenlib.evaluate(model, points().to(device))

    assert_as_on_cpu(run, 1e-3)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_evaluate_at_coordinates_from_elsewhere(kind, dtype):
    model, coords = network(kind), points().to(dtype)
    wanted = sirenlib.evaluate(model, coords)
    found = sirenlib.evaluate(model.to("cuda"), coords)
    assert where(found) == {("cpu", tensor.dtype) for tensor in wanted}
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_autocast_rounds_the_hidden_products_alone():
    model, seen = network().to("cuda"), {}
    for name in ("0.linear", "1.linear", "2"):
        layer = model.net.get_submodule(name)
        layer.register_forward_hook(
            lambda _, x, y, name=name: seen.update({name: y.dtype})
        )
    with torch.autocast("cuda", torch.bfloat16):
        assert model(points().to("cuda")).dtype == torch.float32
    assert seen.pop("1.linear") == torch.bfloat16
    assert torch.bfloat16 not in seen.values()


@pytest.mark.parametrize("place", ["cpu", "cuda"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_signal_psnr(kind, place):
    counts = (torch.arange(99.0) % 3)[:, None]
    model, signal = network(kind, channels=3), picture(3, counts)
    wanted = sirenlib.signal_psnr(model, signal)
    found = sirenlib.signal_psnr(model.to("cuda"), signal.to(place))
    assert found == pytest.approx(wanted, abs=1e-3)


def test_render():
    model = network(channels=3)
    wanted = sirenlib.render(model, 7, 5)
    found = sirenlib.render(model.to("cuda"), 7, 5)
    assert where([found]) == {("cpu", torch.float32)}
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_saved_network_is_read_on_a_machine_without_cuda(tmp_path):
    model = network().to("cuda")
    sirenlib.save(model, tmp_path / "network.pt", picture().to("cuda"))
    content = torch.load(tmp_path / "network.pt", weights_only=True)
    assert where(content["weights"].values()) == {("cpu", torch.float32)}
    found = sirenlib.load(tmp_path / "network.pt").model
    torch.testing.assert_close(weights(found), weights(model), rtol=0, atol=0)


def test_network_made_under_a_device():
    with torch.device("cuda"):
        model = Siren(2, 24, 1, 1)
        coords = sirenlib.coordinate_grid(5, 5)
    assert where(model.parameters()) == ON_CUDA
    assert where([model(coords)]) == ON_CUDA


# The fit


@pytest.fixture(scope="module")
def on_cpu():
    """The weights and the quality of a fit on the CPU, each made once."""
    made = {}

    def fitted(precision, channels, **recipe):
        key = (precision, channels, *recipe.items())
        if key not in made:
            precision = "float32" if precision == "tf32" else precision
            made[key] = trained("cpu", channels, precision=precision, **recipe)
        return made[key]

    return fitted


def trained(device, channels=1, kind="siren", **recipe) -> tuple[torch.Tensor, History]:
    model = network(kind, channels).to(device)
    recipe = {"epochs": 3, "batch_size": 32, "lr": 1e-3, **recipe}
    history = fit(model, picture(channels), generator=seeded(), **recipe)
    assert all(map(math.isfinite, history.loss))
    assert all(weight.grad is None for weight in model.parameters())
    return weights(model), history


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ENGINES)
def test_fit(engine, precision, channels, on_cpu):
    found, history = trained("cuda", channels, engine=engine, precision=precision)
    wanted, wanted_history = on_cpu(precision, channels)
    off = (found - wanted).abs()
    if precision == "bfloat16":
        # Where a gradient is a rounding of zero, Adam's step is its sign, which another
        # order of summation turns: that weight is off by up to twice the sum of the ten
        # rates, 1e-3 to 1e-4. There are few of them.
        assert off.max() < 2 * 5.5e-3 and off.mean() < 5e-5
    else:
        assert off.max() < 1e-4
    assert history.final_psnr == pytest.approx(wanted_history.final_psnr, abs=0.1)
    assert history.step == [4, 8, 10]  # so that the host does not wait within an epoch
    sums = np.cumsum(wanted_history.loss)  # of one step each
    means = np.diff([0, *sums[[3, 7, 9]]]) / (4, 4, 2)
    assert history.loss == pytest.approx(means, rel=1e-2)


@pytest.mark.parametrize("engine", ["eager", "graph"])
@pytest.mark.parametrize(
    "recipe",
    [{"chunk_size": 7}, {"batch_size": 99}, {"batch_size": 1000}, {"batch_size": 1}],
    ids=str,
)
def test_fit_in_other_pieces(recipe, engine, on_cpu):
    found, _ = trained("cuda", engine=engine, **recipe)
    assert (found - on_cpu("float32", 1, **recipe)[0]).abs().max() < 1e-4


@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_fit_inside_of_autocast(engine):
    """The lowered weights of its first step must not serve all the others."""
    recipe = {"epochs": 15, "lr": 5e-3, "engine": engine, "precision": "bfloat16"}
    _, plain = trained("cuda", **recipe)
    with torch.autocast("cuda", torch.bfloat16):
        _, history = trained("cuda", **recipe)
    assert history.psnr[-1] == pytest.approx(plain.psnr[-1], abs=1)


def test_final_psnr_inside_of_autocast():
    recipe = {"epochs": 15, "lr": 5e-3}
    _, plain = trained("cuda", **recipe)
    with torch.autocast("cuda", torch.bfloat16):
        _, history = trained("cuda", **recipe)
    # The same float32 fit, up to the order of sums.
    assert history.final_psnr == pytest.approx(plain.final_psnr, abs=0.05)
    # The last epoch's mean trails the end: its rates fall from 1/15 of the first to 0.
    assert history.psnr[-1] == pytest.approx(history.final_psnr, abs=2)


@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_fit_of_weighted_values(engine):
    def run(device):
        counts = (torch.arange(99.0) % 3)[:, None]
        weighted, model = picture(1, counts), network().to(device)
        recipe = {"epochs": 2, "batch_size": 32, "lr": 1e-3, "generator": seeded()}
        fit(model, weighted, engine=engine if device == "cuda" else "eager", **recipe)
        return [weight.detach() for weight in model.parameters()]

    assert_as_on_cpu(run)


def test_fit_of_a_half():
    options = {"epochs": 2, "batch_size": 32, "lr": 1e-3}
    found = [
        sirenlib.held_out_psnr(
            network().to(device), picture().to(place), generator=seeded(), **options
        )
        for device, place in [("cpu", "cpu"), ("cuda", "cpu"), ("cuda", "cuda")]
    ]
    assert found == pytest.approx([found[0]] * 3, abs=0.01)


def test_generator_of_the_device():
    generator = torch.Generator("cuda").manual_seed(0)
    model = network().to("cuda")
    fit(model, picture(), epochs=1, batch_size=32, generator=generator)
    assert where(model.parameters()) == ON_CUDA


def test_fit_of_another_network():
    found, _ = trained("cuda", kind="another")
    assert (found - trained("cpu", kind="another")[0]).abs().max() < 1e-4


@pytest.mark.filterwarnings("error::UserWarning")  # an engine that does not work
@pytest.mark.parametrize("recipe", [{}, {"batch_size": 99}, {"chunk_size": 7}], ids=str)
@pytest.mark.parametrize("engine", ENGINES)
def test_fit_of_a_quilt(engine, recipe):
    found, history = trained("cuda", kind="quilt", engine=engine, **recipe)
    wanted, expected = trained("cpu", kind="quilt", **recipe)
    assert (found - wanted).abs().max() < 1e-4
    assert history.final_psnr == pytest.approx(expected.final_psnr, abs=0.01)


def test_recorded_step_of_a_quilt_has_room_for_every_batch():
    """Batches of a third have twice the mean in a part of the picture: a point without
    room would be NaN, and end the fit."""
    coords = sirenlib.coordinate_grid(48, 48)
    signal = Signal(coords, coords.prod(1, keepdim=True).sin(), (48, 48))
    for size in (768, 769, 1151, 2303):
        model = network("quilt").to("cuda")
        history = fit(model, signal, epochs=2, batch_size=size, generator=seeded())
        assert all(map(math.isfinite, history.loss))


def test_quilt_with_room_does_not_wait_for_the_device(device):
    model, x = network("quilt").to("cuda"), points().to("cuda")
    model(x, 50)  # the constants of its tiles are brought there once
    before = device.host_waits()
    model(x, 50).sum().backward()
    assert device.host_waits() == before
    model(x)
    assert device.host_waits() > before


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_precision_inside_of_a_fit(engine, precision):
    model, products, outputs, settings = network(channels=3).to("cuda"), [], [], []

    def note(_, x, y):
        if model.training and torch.is_grad_enabled():
            products.append(y.dtype)
            settings.append(torch.backends.cuda.matmul.fp32_precision)

    model.net[1].linear.register_forward_hook(note)
    model.register_forward_hook(lambda _, x, y: outputs.append(y.dtype))
    before = torch.backends.cuda.matmul.fp32_precision
    recipe = {"engine": engine, "precision": precision, "batch_size": 32}
    fit(model, picture(3), epochs=1, **recipe)
    lower = precision == "bfloat16"
    assert set(products) == {torch.bfloat16 if lower else torch.float32}
    assert set(outputs) == {torch.float32}
    assert {found == "tf32" for found in settings} == {precision == "tf32"}
    assert torch.backends.cuda.matmul.fp32_precision == before


@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_fit_where_the_default_is_float64(engine, on_cpu):
    wanted, _ = on_cpu("float32", 1)
    model, signal = network().to("cuda"), picture()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        recipe = {"epochs": 3, "batch_size": 32, "lr": 1e-3}
        fit(model, signal, generator=seeded(), engine=engine, **recipe)
    finally:
        torch.set_default_dtype(before)
    assert (weights(model) - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("engine", ["auto", "eager", "graph"])
def test_fit_of_complex_weights(engine):
    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            draw = torch.randn(3, 8, dtype=torch.complex64, generator=seeded())
            self.weight = nn.Parameter(draw)

        def forward(self, x):
            phase = x.to(torch.complex64) @ self.weight[:2]
            return (torch.exp(1j * phase) * self.weight[2]).sum(-1, keepdim=True).real

    found = {}
    for device in ("cpu", "cuda"):
        model = Complex().to(device)
        name = engine if device == "cuda" else "eager"
        recipe = {"epochs": 2, "batch_size": 32, "lr": 1e-3, "engine": name}
        fit(model, picture(), generator=seeded(), **recipe)
        found[device] = model.weight.detach().cpu()
    assert where(model.parameters()) == {("cuda", torch.complex64)}
    torch.testing.assert_close(found["cuda"], found["cpu"], rtol=1e-3, atol=1e-3)


class PulledPlug(Exception):
    pass


@pytest.fixture
def stopped(monkeypatch):
    """A fit that ends after five steps, and leaves its checkpoint."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)  # written before every step
    known = checkpoints.Checkpoint.write

    def run(model, path, **recipe):
        def write(self, state):
            known(self, state)
            if state.done == 5:
                raise PulledPlug

        with monkeypatch.context() as patch, pytest.raises(PulledPlug):
            patch.setattr(checkpoints.Checkpoint, "write", write)
            fit(model, picture(), checkpoint=path, generator=seeded(), **recipe)

    return run


@pytest.mark.parametrize("engine", ["auto", "eager"])
@pytest.mark.parametrize("places", [("cpu", "cuda"), ("cuda", "cuda"), ("cuda", "cpu")])
def test_fit_that_goes_on_from_a_checkpoint(places, engine, tmp_path, stopped, on_cpu):
    recipe = {"epochs": 3, "batch_size": 32, "lr": 1e-3, "engine": engine}
    path, (first, second) = tmp_path / "checkpoint.pt", places
    stopped(network().to(first), path, **recipe)
    resumed = network().to(second)
    history = fit(resumed, picture(), checkpoint=path, **recipe)
    assert history.resumed_at == 5
    assert (weights(resumed) - on_cpu("float32", 1)[0]).abs().max() < 1e-5


def test_moments_lie_on_the_device():
    signal, model = picture().to("cuda"), network().to("cuda")
    recipe = steps.Recipe(1, 32, 1e-3, "float32", "graph", None)
    index, moments = torch.arange(32, dtype=torch.int32, device="cuda"), {}
    for count, place in enumerate(("cpu", "cuda", "cpu"), 1):
        stepper = steps.Stepper(model, signal, recipe, moments)
        stepper(index, 1e-3)
        assert where([stepper.error]) == {("cuda", torch.float64)}
        found = stepper.moments()
        tensors = [tensor for state in found.values() for tensor in state.values()]
        assert where(tensors) == ON_CUDA
        assert {float(state["step"]) for state in found.values()} == {float(count)}
        moments = {
            i: {name: tensor.to(place) for name, tensor in state.items()}
            for i, state in found.items()
        }


# The graph


def forwards_noted(model: nn.Module, device) -> nn.Module:
    """The model, with each of its passes for a step among the events."""

    def note(*_):
        if model.training and torch.is_grad_enabled():
            device.events.append(("forward", torch.cuda.current_stream().name))

    model.register_forward_pre_hook(note)
    return model


@pytest.mark.parametrize("engine", ["auto", "graph"])
def test_capture(engine, device):
    model = forwards_noted(network().to("cuda"), device)
    fit(model, picture(), epochs=4, batch_size=33, engine=engine)
    events = device.events
    begin, end = (
        next(i for i, event in enumerate(events) if event[0] == name)
        for name in ("begin", "end")
    )
    before, inside, after = events[:begin], events[begin:end], events[end + 1 :]
    # Warmed up on the stream of the capture, which waits for what came before.
    assert {event for event in before if event[0] == "forward"} == {
        ("forward", "aside")
    }
    assert before.count(("forward", "aside")) >= 2
    first = before.index(("forward", "aside"))
    assert ("wait", "aside", "default") in before[:first]
    assert inside == [("begin", "aside", "thread_local"), ("forward", "aside")]
    # The default stream, back in place, waits for it; then every step is a replay.
    waits = before[first:] + after[: after.index(("replay", "default"))]
    assert ("wait", "default", "aside") in waits
    assert after[0] == ("stream", "default")
    assert [event[0] for event in after].count("replay") == 4 * 3
    assert not any(event[0] == "forward" for event in after)


def test_one_stream_for_warm_up_and_capture(device, monkeypatch):
    """torch.cuda.graph has one of its own, made on the first device it meets."""
    monkeypatch.setattr(torch.cuda.graph, "default_capture_stream", None)
    made = []
    known = device.Stream.__init__

    def init(self, *args, **options):
        made.append(self)
        known(self, *args, **options)

    monkeypatch.setattr(device.Stream, "__init__", init)
    fit(network().to("cuda"), picture(), epochs=1, engine="graph")
    assert len(made) == 1


class Uncapturable(nn.Module):
    """Asks the device for a number, which a capture does not permit."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        y = self.net(x)
        return y + 0 * float(y.detach().sum())


def test_failed_capture_leaves_all_as_it_was(device):
    model = Uncapturable().to("cuda")
    before = weights(model)
    with pytest.raises(ValueError, match="graph"):
        fit(model, picture(), epochs=1, engine="graph")
    torch.testing.assert_close(weights(model), before, rtol=0, atol=0)
    assert torch.cuda.current_stream() is device.DEFAULT
    assert ("synchronize", "device") in device.events[-2:]


def test_failed_capture_of_auto_is_an_eager_fit(device, on_cpu):
    model = Uncapturable().to("cuda")
    with pytest.warns(UserWarning, match="engine='auto' does not work here"):
        recipe = {"epochs": 3, "batch_size": 32, "lr": 1e-3}
        fit(model, picture(), generator=seeded(), **recipe)
    assert torch.cuda.current_stream() is device.DEFAULT
    assert not any(event[0] == "replay" for event in device.events)
    assert (weights(model) - on_cpu("float32", 1)[0]).abs().max() < 1e-4


@pytest.mark.parametrize("kind", ["siren", "quilt"])
@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_no_step_waits_for_the_device(engine, kind, device):
    def waits(batch_size):
        model, before = network(kind).to("cuda"), device.host_waits()
        fit(model, picture(), epochs=2, batch_size=batch_size, engine=engine)
        return device.host_waits() - before

    assert waits(11) == waits(33)


def test_numbers_are_computed():
    """The device itself: what no other test would notice if it were wrong."""
    x = torch.arange(6.0, device="cuda").reshape(3, 2)
    assert x.T.contiguous().tolist() == [[0, 2, 4], [1, 3, 5]]
    with pytest.raises(RuntimeError, match="same device"):
        x + torch.ones(3, 2)
    with pytest.raises(RuntimeError, match="same device"):
        x.index_select(0, torch.arange(2))
    with pytest.raises(RuntimeError, match="generator"):
        torch.randperm(3, generator=seeded(), device="cuda")
    assert np.array_equal((x + torch.tensor(1.0)).cpu().numpy()[0], [1, 2])
