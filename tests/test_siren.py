"""The network: its formula, its names, its precision, its arguments."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from devices import devices
from torch import nn

from sirenlib import (
    Signal,
    SineLayer,
    Siren,
    cameraman,
    coordinate_grid,
    suggest_omega_0,
)
from sirenlib.steps import products_in


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(count=50, seed=1):
    return torch.rand(count, 2, generator=seeded(seed)) * 2 - 1


def formula(state, coords, omegas, last_is_linear=True):
    """A sine network in NumPy, in float64, from nothing but the state dict."""
    x = coords.double().numpy()
    for i, omega_0 in enumerate(omegas):
        weight = state[f"net.{i}.linear.weight"].double().numpy()
        bias = state[f"net.{i}.linear.bias"].double().numpy()
        x = np.sin(omega_0 * (x @ weight.T + bias))
    if last_is_linear:
        weight = state[f"net.{len(omegas)}.weight"].double().numpy()
        x = x @ weight.T + state[f"net.{len(omegas)}.bias"].double().numpy()
    return x


class AuthorsSineLayer(nn.Module):
    """The authors' layer, written again from the paper, with PyTorch's own start."""

    def __init__(self, fan_in, fan_out, omega_0):
        super().__init__()
        self.omega_0 = omega_0
        self.linear = nn.Linear(fan_in, fan_out)

    def forward(self, x):
        return torch.sin(self.omega_0 * self.linear(x))


class AuthorsSiren(nn.Module):
    """The authors' network: it returns the output and a detached copy of coords."""

    def __init__(self, fan_in, width, hidden_layers, fan_out, omega_0, hidden_omega_0):
        super().__init__()
        layers = [AuthorsSineLayer(fan_in, width, omega_0)]
        for _ in range(hidden_layers):
            layers.append(AuthorsSineLayer(width, width, hidden_omega_0))
        self.net = nn.Sequential(*layers, nn.Linear(width, fan_out))

    def forward(self, coords):
        coords = coords.clone().detach().requires_grad_(True)
        return self.net(coords), coords


@pytest.mark.parametrize("hidden_layers", [0, 1, 3])
def test_output_follows_the_formula(hidden_layers):
    model = Siren(
        2, 16, hidden_layers, 3, first_omega_0=7, hidden_omega_0=11, generator=seeded()
    ).double()
    expected = formula(model.state_dict(), points(), [7] + [11] * hidden_layers)
    assert np.allclose(model(points().double()).detach(), expected, atol=1e-12)


def test_outermost_sine_follows_the_formula():
    model = Siren(
        2, 16, 1, 3, False, first_omega_0=7, hidden_omega_0=11, generator=seeded()
    ).double()
    expected = formula(model.state_dict(), points(), [7, 11, 11], False)
    assert np.allclose(model(points().double()).detach(), expected, atol=1e-12)


def test_sine_layer_follows_the_formula():
    layer = SineLayer(2, 5, omega_0=13).double()
    weight, bias = (p.detach().numpy() for p in layer.linear.parameters())
    expected = np.sin(13 * (points().double().numpy() @ weight.T + bias))
    assert np.allclose(layer(points().double()).detach(), expected, atol=1e-14)


def test_sine_layer_without_bias_has_none():
    assert SineLayer(2, 5, bias=False).linear.bias is None


def test_parameter_names_are_the_authors():
    names = [f"net.{i}.linear.{p}" for i in range(4) for p in ("weight", "bias")]
    names += ["net.4.weight", "net.4.bias"]
    assert list(Siren(2, 256, 3, 1).state_dict()) == names


@devices
def test_state_dict_of_the_authors_class_gives_the_same_output(device):
    # With PyTorch's own start each layer enlarges a rounding tenfold.
    theirs = AuthorsSiren(2, 256, 3, 1, 30.0, 20.0).double().to(device)
    ours = Siren(2, 256, 3, 1, hidden_omega_0=20).double().to(device)
    ours.load_state_dict(theirs.state_dict())
    coords = points(1000).double().to(device)
    assert torch.allclose(ours(coords), theirs(coords)[0], atol=1e-11, rtol=0)


@devices
def test_authors_class_with_our_weights_gives_the_same_output(device):
    theirs = AuthorsSiren(2, 256, 3, 1, 30.0, 30.0).to(device)
    ours = Siren(2, 256, 3, 1).to(device)
    theirs.load_state_dict(ours.state_dict())
    coords = points(1000).to(device)
    # Phases of up to 30: float32 rounds them at 2e-6, each layer adds to it.
    assert torch.allclose(ours(coords), theirs(coords)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("channels", "count"), [(1, 198_401), (3, 198_915)])
def test_parameter_count(channels, count):
    model = Siren(2, 256, 3, channels)
    assert sum(p.numel() for p in model.parameters()) == count


def test_no_hidden_layers_is_one_sine_layer_and_a_linear_one():
    assert [p.shape for p in Siren(2, 256, 0, 1).parameters()] == [
        (256, 2),
        (256,),
        (1, 256),
        (1,),
    ]


def test_outermost_linear_false_ends_with_a_sine():
    assert isinstance(Siren(2, 8, 1, 1, outermost_linear=False).net[-1], SineLayer)


def test_first_layer_alone_is_first():
    model = Siren(2, 8, 2, 1, outermost_linear=False)
    assert [layer.is_first for layer in model.net] == [True, False, False, False]


@pytest.mark.parametrize("batch", [(), (5,), (3, 4), (2, 1, 3)])
def test_any_batch_shape(batch):
    assert Siren(2, 8, 1, 3)(torch.zeros(*batch, 2)).shape == (*batch, 3)


def test_a_point_does_not_depend_on_its_batch():
    model, coords = Siren(2, 8, 1, 3), points(12)
    together = model(coords.reshape(3, 4, 2)).reshape(12, 3)
    alone = torch.stack([model(point) for point in coords])
    assert torch.allclose(together, alone, atol=1e-5)


def test_gradient_reaches_the_coordinates():
    coords = points().requires_grad_()
    Siren(2, 8, 1, 1)(coords).sum().backward()
    assert coords.grad.abs().min() > 0


@pytest.mark.parametrize("outermost_linear", [True, False])
def test_gradient_reaches_every_parameter(outermost_linear):
    model = Siren(2, 8, 1, 1, outermost_linear)
    model(points()).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in model.parameters())


def test_coordinates_are_left_alone():
    coords = points()
    Siren(2, 8, 1, 1)(coords)
    assert not coords.requires_grad and torch.equal(coords, points())


def test_sines_stay_in_their_range():
    assert SineLayer(2, 100)(points()).abs().max() <= 1


@pytest.mark.parametrize("is_first", [True, False])
def test_phase_of_a_sine_layer_is_what_stands_inside_the_sine(is_first):
    layer = SineLayer(2, 5, is_first=is_first, omega_0=13)
    phase = layer.phase(points())
    assert torch.equal(phase, 13 * layer.linear(points()))
    assert torch.equal(torch.sin(phase), layer(points()))


def test_activations_are_named_in_order():
    assert list(Siren(2, 8, 1, 1).forward_with_activations(points())) == [
        "input",
        "0.phase",
        "0.sine",
        "1.phase",
        "1.sine",
        "output",
    ]


def test_activations_of_an_outermost_sine_have_no_output():
    names = list(Siren(2, 8, 0, 1, False).forward_with_activations(points()))
    assert names == ["input", "0.phase", "0.sine", "1.phase", "1.sine"]


def test_activations_end_with_the_output():
    model = Siren(2, 8, 1, 1)
    activations = model.forward_with_activations(points())
    assert torch.equal(activations["output"], model(points()))


def test_each_activation_is_the_sine_of_its_phase():
    activations = Siren(2, 8, 2, 1).forward_with_activations(points())
    for i in range(3):
        assert torch.equal(activations[f"{i}.sine"], activations[f"{i}.phase"].sin())


def test_activations_keep_their_gradients_on_request():
    activations = Siren(2, 8, 1, 1).forward_with_activations(points(), retain_grad=True)
    activations["output"].sum().backward()
    inner = list(activations.values())[1:]
    assert all(tensor.grad is not None for tensor in inner)


def test_activations_drop_their_gradients_otherwise():
    activations = Siren(2, 8, 1, 1).forward_with_activations(points())
    activations["output"].sum().backward()
    assert not activations["0.phase"].retains_grad


@devices
def test_autocast_rounds_the_hidden_products(device):
    model, coords = Siren(2, 64, 1, 1).to(device), points().to(device)
    with torch.autocast(device, torch.bfloat16):
        lower = model(coords)
    # bfloat16 has 8 bits: an error of 0.4 % of a phase of a few radians.
    assert 1e-5 < (lower - model(coords)).abs().max() < 0.1


@devices
def test_autocast_leaves_the_first_layer_exact(device):
    model, coords = Siren(2, 64, 1, 1).to(device), points().to(device)
    with torch.autocast(device, torch.bfloat16):
        lower = model.forward_with_activations(coords)
    full = model.forward_with_activations(coords)
    assert torch.equal(lower["0.phase"], full["0.phase"])


@devices
def test_autocast_leaves_the_last_linear_layer_exact(device):
    model, coords = Siren(2, 64, 1, 1).to(device), points().to(device)
    with torch.autocast(device, torch.bfloat16):
        output, lower = model(coords), model.forward_with_activations(coords)
    assert torch.equal(lower["output"], model.net[-1](lower["1.sine"]))
    assert torch.equal(lower["output"], output) and output.dtype == torch.float32


@pytest.mark.cuda
@pytest.mark.parametrize("bias", [True, False])
def test_tf32_leaves_the_first_layer_exact(bias):
    layer = SineLayer(2, 256, bias, is_first=True, omega_0=1000.0).cuda()
    coords = coordinate_grid(30, 30).cuda()
    exact = layer(coords)
    with products_in("tf32"):
        # TF32 has 11 bits: its phases would be off by up to half a radian.
        assert (layer(coords) - exact).abs().max() < 1e-3


@pytest.mark.parametrize("outermost_linear", [True, False])
def test_autocast_keeps_every_activation_float32(outermost_linear):
    model = Siren(2, 8, 1, 1, outermost_linear)
    with torch.autocast("cpu", torch.bfloat16):
        activations = model.forward_with_activations(points())
    assert {tensor.dtype for tensor in activations.values()} == {torch.float32}


def test_float64_network_stays_float64():
    activations = Siren(2, 8, 1, 1).double().forward_with_activations(points().double())
    assert {tensor.dtype for tensor in activations.values()} == {torch.float64}


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
def test_copy_gives_the_same_output(duplicate):
    model = Siren(2, 8, 1, 1)
    assert torch.equal(duplicate(model)(points()), model(points()))


def test_deep_copy_shares_no_weights():
    model = Siren(2, 8, 1, 1)
    before = model(points())
    for parameter in copy.deepcopy(model).parameters():
        parameter.data.zero_()
    assert torch.equal(model(points()), before)


def test_state_dict_round_trip_gives_the_same_output():
    model, other, file = Siren(2, 8, 1, 1), Siren(2, 8, 1, 1), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(points()), model(points()))


def test_architecture_makes_a_network_of_the_same_form():
    model = Siren(1, 8, 2, 3, False, 5.0, 6.0, "fast")
    again = Siren(**model.architecture())
    again.load_state_dict(model.state_dict())
    x = torch.rand(9, 1)
    assert again.init == "fast" and torch.equal(again(x), model(x))


def test_same_seed_same_weights():
    a, b = (Siren(2, 8, 1, 1, generator=seeded(5)).state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_other_seed_other_weights():
    a, b = (Siren(2, 8, 1, 1, generator=seeded(seed)).state_dict() for seed in (5, 6))
    assert not any(torch.equal(a[name], b[name]) for name in a)


def test_generator_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    Siren(2, 8, 1, 1, generator=seeded())
    SineLayer(2, 8, generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_without_generator_the_global_seed_decides():
    torch.manual_seed(3)
    a = Siren(2, 8, 1, 1)
    torch.manual_seed(3)
    assert torch.equal(a(points()), Siren(2, 8, 1, 1)(points()))


@pytest.mark.parametrize("make", [lambda: Siren(2, 8, 1, 1), lambda: SineLayer(2, 8)])
def test_reset_draws_anew(make):
    layer = make()
    before = layer(points())
    layer.reset_parameters(seeded(9))
    assert not torch.equal(layer(points()), before)


def test_jacobian_by_torch_func_is_that_of_autograd():
    model, coords = Siren(2, 8, 1, 3).double(), points(4).double()
    batched = torch.func.vmap(torch.func.jacrev(model))(coords)
    alone = torch.autograd.functional.jacobian(model, coords[0])
    assert batched.shape == (4, 3, 2) and torch.allclose(batched[0], alone)


@pytest.mark.parametrize(
    "value", [0, -1, float("nan"), float("inf"), "30", True, None, [30]]
)
@pytest.mark.parametrize("name", ["first_omega_0", "hidden_omega_0"])
def test_bad_omega_0_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a positive number") as error:
        Siren(2, 8, 1, 1, **{name: value})
    assert repr(value) in str(error.value)


def test_bad_omega_0_of_a_layer_is_named():
    with pytest.raises(ValueError, match=r"^omega_0 must be a positive number, not -3"):
        SineLayer(2, 8, omega_0=-3)


@pytest.mark.parametrize("value", [-1, 1.5, "3", True, None])
def test_bad_hidden_layers_is_named(value):
    with pytest.raises(ValueError, match=r"^hidden_layers must be a whole number"):
        Siren(2, 8, value, 1)


@pytest.mark.parametrize("value", [0, -8, 1.5, "8"])
@pytest.mark.parametrize("name", ["in_features", "hidden_features", "out_features"])
def test_bad_width_is_named(name, value):
    widths = {"in_features": 2, "hidden_features": 8, "out_features": 1, name: value}
    with pytest.raises(ValueError, match=f"^{name} must be a whole number"):
        Siren(**widths, hidden_layers=1)


def test_unknown_scheme_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"official, lucidrains.*fast, not 'glorot'"):
        Siren(2, 8, 1, 1, init="glorot")


@pytest.mark.parametrize("features", [2, 5])
@pytest.mark.parametrize("given", [1, 3, 6])
def test_wrong_number_of_coordinates_says_how_many_it_must_be(features, given):
    reason = rf"shape \(7, {given}\): its last axis must have {features} components"
    with pytest.raises(ValueError, match=reason):
        Siren(features, 8, 1, 1)(torch.zeros(7, given))


def test_printed_form_says_what_the_arguments_were():
    printed = repr(Siren(2, 8, 1, 1, first_omega_0=21.5, init="fast"))
    assert "init='fast'" in printed and "is_first=True, omega_0=21.5" in printed


# The first layer


def first_layer(d, bias=True, **options):
    return SineLayer(
        d, 64, bias, is_first=True, omega_0=1.0, generator=seeded(), **options
    )


def many(d, count=500, seed=1):
    return torch.rand(count, d, generator=seeded(seed)) * 2 - 1


@devices
@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_first_phase_is_exact_to_a_few_roundings(d, bias, tf32, device):
    if tf32 and (d == 5 or device == "cpu"):
        pytest.skip("a product is rounded where TF32 is asked for; a CPU has none")
    layer, x = first_layer(d, bias).to(device), many(d).to(device)
    with products_in("tf32" if tf32 else "float32"):
        found = layer.phase(x).double()
    weight = layer.linear.weight.double()
    exact, size = x.double() @ weight.T, x.double().abs() @ weight.abs().T
    if bias:
        exact, size = exact + layer.linear.bias, size + layer.linear.bias.abs()
    # Each of d terms is added with one rounding, or with two.
    assert found.shape == (500, 64)
    assert ((found - exact).abs() <= (d + 1) * 2**-24 * size).all()
    assert not torch.equal(found, exact)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("d", [1, 2, 4, 5])
def test_first_layer_is_differentiated_twice(d, bias):
    layer = SineLayer(d, 3, bias, is_first=True, omega_0=2.0).double()
    x = many(d, 4).double().requires_grad_()
    names, tensors = zip(*layer.named_parameters(), strict=True)

    def function(x, *tensors):
        state = dict(zip(names, tensors, strict=True))
        return torch.func.functional_call(layer, state, (x,))

    assert torch.autograd.gradgradcheck(function, (x, *tensors))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("d", [1, 2, 4, 5])
def test_first_layer_is_mapped_over_points(d, bias):
    layer, x = first_layer(d, bias), many(d, 12)
    assert torch.allclose(torch.vmap(layer)(x), layer(x), atol=1e-6)
    assert torch.vmap(layer)(x.reshape(3, 4, d)).shape == (3, 4, 64)


@pytest.mark.parametrize("d", [2, 5])
def test_many_networks_are_mapped_at_once(d):
    models = [Siren(d, 8, 1, 1, generator=seeded(i)) for i in range(3)]
    weights, buffers = torch.func.stack_module_state(models)

    def call(weights, buffers, x):
        return torch.func.functional_call(models[0], (weights, buffers), (x,))

    together = torch.vmap(call, (0, 0, None))(weights, buffers, many(d, 5))
    for model, output in zip(models, together, strict=True):
        assert torch.allclose(model(many(d, 5)), output, atol=1e-5)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("d", [2, 5])
def test_network_is_compiled_as_one_graph(d, lower):
    model, x = Siren(d, 8, 1, 1, generator=seeded()), many(d, 20)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16, lower):
        assert torch.allclose(compiled(x), model(x), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("d", [2, 5])
def test_network_is_traced(d):
    model = Siren(d, 8, 1, 1, generator=seeded())
    traced = torch.jit.trace(model, many(d, 7))
    assert torch.allclose(traced(many(d, 20)), model(many(d, 20)), atol=1e-5)


@pytest.mark.skipif(
    torch.torch_version.TorchVersion(torch.__version__) < "2.6",
    reason="exports of older versions know no free size here",
)
@pytest.mark.parametrize("d", [2, 5])
def test_network_is_exported_for_any_number_of_points(d):
    model = Siren(d, 8, 1, 1, generator=seeded())
    sizes = ({0: torch.export.Dim("points", min=2)},)
    exported = torch.export.export(model, (many(d, 7),), dynamic_shapes=sizes)
    found = exported.module()(many(d, 20))
    assert torch.allclose(found, model(many(d, 20)), atol=1e-5)


@pytest.mark.parametrize("lower", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("d", [2, 5])
def test_lowered_coordinates_are_taken_under_autocast(d, lower):
    model, x = Siren(d, 8, 1, 1), many(d).to(lower)
    with torch.autocast("cpu", torch.bfloat16):
        activations = model.forward_with_activations(x)
    assert activations["0.phase"].dtype == activations["output"].dtype == torch.float32
    assert torch.equal(activations["0.phase"], model.net[0].phase(x.float()))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_shapes_are_found_without_numbers(d):
    model = Siren(d, 8, 1, 3).to("meta")
    output = model(torch.empty(6, 7, d, device="meta"))
    assert output.is_meta and output.shape == (6, 7, 3)


# Where it is made


def test_network_is_made_on_the_default_device():
    with torch.device("meta"):
        model, layer = Siren(2, 8, 1, 1), SineLayer(2, 8)
    for part in (model, layer):
        assert all(weight.is_meta for weight in part.parameters())


def test_network_is_made_in_the_default_precision():
    torch.set_default_dtype(torch.float64)
    try:
        model = Siren(2, 8, 1, 1)
        output = model(torch.rand(3, 2))
    finally:
        torch.set_default_dtype(torch.float32)
    assert {weight.dtype for weight in model.parameters()} == {torch.float64}
    assert output.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", ["cpu", "meta"])
def test_device_and_precision_are_arguments(name, dtype):
    for generator in (None, seeded()):
        options = {"device": name, "dtype": dtype, "generator": generator}
        for part in (Siren(2, 8, 1, 1, **options), SineLayer(2, 8, **options)):
            kinds = {(weight.device.type, weight.dtype) for weight in part.parameters()}
            assert kinds == {(name, dtype)}


@devices
def test_generator_gives_the_same_numbers_on_every_device(device):
    here, there = (
        Siren(2, 8, 1, 1, device=d, generator=seeded()) for d in ("cpu", device)
    )
    for weight, other in zip(here.parameters(), there.parameters(), strict=True):
        assert other.device.type == device and torch.equal(weight, other.cpu())


def test_network_on_no_device_draws_nothing():
    generator = seeded()
    before, random = generator.get_state(), torch.get_rng_state()
    for source in (generator, None):
        Siren(2, 8, 1, 1, device="meta", generator=source)
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(torch.get_rng_state(), random)


def test_import_loads_only_what_is_needed():
    slow = (
        "torch._dynamo",
        "scipy.special",
        "scipy.stats",
        "skimage",
        "ipywidgets",
        "sympy",
    )
    code = f"import sirenlib, sys; print([m for m in {slow} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The network for a signal


@pytest.mark.parametrize(("d", "channels"), [(1, 1), (2, 3), (3, 2)])
def test_network_for_a_signal_has_its_dimensions(d, channels):
    shape = (9, 8, 7)[:d]
    coords = coordinate_grid(*shape)
    values = torch.rand(len(coords), channels, generator=seeded())
    signal = Signal(coords, values, shape)
    model = Siren.for_signal(signal, 12, 2, generator=seeded(3))
    omega_0 = suggest_omega_0(signal, 2)
    other = Siren(
        d, 12, 2, channels, first_omega_0=omega_0, init="fast", generator=seeded(3)
    )
    assert model.architecture() == other.architecture()
    assert model.hidden_omega_0 == 30
    for weight, same in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(weight, same)
    assert Siren.for_signal(signal, init="official").init == "official"


def test_network_for_a_picture_is_that_of_the_book():
    model = Siren.for_signal(cameraman(128))
    assert (model.hidden_features, model.hidden_layers, model.init) == (256, 3, "fast")
    assert model.first_omega_0 == pytest.approx(128 / 3, rel=0.01)


@devices
def test_network_moves_to_the_device(device):
    model = Siren(2, 8, 1, 1).to(device)
    assert model(coordinate_grid(3, 3).to(device)).device.type == device
