"""Which SIREN is this: names, near misses, files, and the numbers of the table."""

import io
import json
import math
import pickle
import re

import numpy as np
import pytest
import torch
from torch import nn

import sirenlib
from sirenlib import SCHEMES, diagnose, theory
from sirenlib.initialization import phase_bounds
from sirenlib.starts import STARTS
from sirenlib.state_dicts import linear_maps, read_state_dict

WIDTHS = [32, 64, 128, 256, 512, 1024]
HIDDEN = {"lucidrains": 1.0, "dalmia": 1.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fresh(name: str, width: int = 64, seed: int = 0, depth: int = 2) -> dict:
    """The state dict of a fresh network, with the published omega_0."""
    siren = sirenlib.Siren(
        2,
        width,
        depth,
        1,
        hidden_omega_0=HIDDEN.get(name, 30.0),
        init=name,
        generator=seeded(seed),
    )
    return siren.state_dict()


def drawn(*layers, seed: int = 0, names=None) -> dict:
    """A state dict from (inputs, outputs, weight bound, bias bound or None)."""
    generator, state = seeded(seed), {}
    for i, (inputs, outputs, weight, bias) in enumerate(layers):
        name = names[i] if names else f"net.{i}."
        tensor = torch.empty(outputs, inputs)
        state[f"{name}weight"] = tensor.uniform_(-weight, weight, generator=generator)
        if bias is not None:
            tensor = torch.empty(outputs)
            state[f"{name}bias"] = tensor.uniform_(-bias, bias, generator=generator)
    return state


def official(width=256, **changes) -> dict:
    """The official start, with some of its bounds multiplied."""
    root, hidden = 1 / math.sqrt(width), math.sqrt(6 / width) / 30
    bounds = [
        [2, width, 1 / 2, 1 / math.sqrt(2)],
        [width, width, hidden, root],
        [width, width, hidden, root],
        [width, 1, hidden, root],
    ]
    for place, factor in changes.items():
        layer, part = place.split("_")
        bounds[int(layer[1:])][2 + (part == "bias")] *= factor
    return drawn(*bounds)


# The names


@pytest.mark.parametrize("width", [32, 256])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_fresh_network_is_named(name, width):
    found = diagnose(fresh(name, width, seed=1))
    assert found.scheme == name and found.names == (name,)
    if name != "dalmia":
        assert found.hidden_omega_0 == pytest.approx(HIDDEN.get(name, 30.0), rel=0.01)
    assert (found.first_omega_0 is None) == (name not in ("random-phase", "half-turn"))


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCHEMES)
def test_99_of_100_are_named(name, width):
    """And of a thousand some 997, as was measured once."""
    count = 200 if width < 500 else 40
    named = [diagnose(fresh(name, width, seed)).scheme for seed in range(count)]
    assert named.count(name) >= 0.99 * count


def test_starts_have_the_bounds_of_the_schemes():
    """The table here and the functions there say the same, omega_0 put in."""
    for name, scheme in SCHEMES.items():
        forms = [start for start in STARTS if start.name == name]
        omegas = (30.0, HIDDEN.get(name, 30.0))
        wanted = [
            scheme(n, omegas[role != "first"], role)
            for n, role in ((2, "first"), (100, "hidden"), (100, "last"))
        ]
        found = []
        for start in forms:
            scales = {"": 1, "first": 1 / omegas[0], "hidden": 1 / omegas[1]}
            sizes = {"first": 2, "hidden": 100, "last": 100}
            found.append(
                [
                    law.factor * sizes[role] ** law.power * scales[law.scale]
                    for role in sizes
                    for law in getattr(start, role)
                ]
            )
        flat = [bound for bounds in wanted for bound in bounds]
        assert any(np.allclose(each, flat) for each in found), name


TILES = {"names": ["layers.0.", "layers.1.", "last_layer."]}
RIVALS = {
    # Keys as each code has them; the last one is sorted before the others in a file.
    "siren-pytorch": (
        "lucidrains",
        drawn(
            (2, 64, 1 / 2, 1 / 2),
            (64, 64, math.sqrt(6 / 64), math.sqrt(6 / 64)),
            (64, 3, math.sqrt(6 / 64), math.sqrt(6 / 64)),
            **TILES,
        ),
    ),
    "siren-torch": (
        "dalmia",
        drawn(
            (2, 64, math.sqrt(3), 1 / math.sqrt(2)),
            (64, 64, math.sqrt(6 / 64), 1 / 8),
            (64, 1, math.sqrt(6 / 64), 1 / 8),
            names=["network.0.", "network.2.", "network.4."],
        ),
    ),
    "PhysicsNeMo": (
        "physicsnemo",
        drawn(
            (3, 128, 1 / 3, 1 / math.sqrt(3)),
            (128, 128, math.sqrt(6 / 128) / 30, 1 / math.sqrt(128)),
            (128, 1, math.sqrt(6 / 128), 1 / math.sqrt(128)),
            names=[f"layers.{i}.linear." for i in range(3)],
        ),
    ),
    "spherical-inr": (
        "spherical-inr",
        drawn(
            (16, 64, math.sqrt(6 / 16) / 20, 0.0),
            (64, 64, math.sqrt(6 / 64) / 20, 0.0),
            (64, 1, math.sqrt(6 / 64) / 20, 0.0),
            names=[f"mlp.hidden_layers.{i}." for i in range(3)],
        )
        | {"mlp.activation.omega0": torch.tensor(20.0)},
    ),
    "its SirenNet": (
        "spherical-inr",
        drawn(
            (2, 64, 1 / 2, 1 / math.sqrt(2)),
            (64, 64, math.sqrt(6 / 64), 0.0),
            (64, 1, math.sqrt(6 / 64), 0.0),
            names=["pe.Omega.", "mlp.hidden_layers.0.", "mlp.hidden_layers.1."],
        ),
    ),
    "tiny-cuda-nn": (
        "tiny-cuda-nn",
        drawn(
            (2, 64, 15.0, None),
            (64, 64, math.sqrt(6 / 64), None),
            (64, 16, math.sqrt(6 / 64), None),
        ),
    ),
    "the authors' repository": (
        "official",
        {
            f"model.{name}": tensor
            for name, tensor in drawn(
                (2, 64, 1 / 2, 1 / math.sqrt(2)),
                (64, 64, math.sqrt(6 / 64) / 30, 1 / 8),
                (64, 1, math.sqrt(6 / 64) / 30, 1 / 8),
                names=[f"net.net.{i}.0." for i in range(3)],
            ).items()
        },
    ),
}


@pytest.mark.parametrize("code", RIVALS)
def test_rivals_are_named_by_their_keys_and_laws(code):
    name, state = RIVALS[code]
    assert diagnose(state).scheme == name
    if "last_layer.weight" in state:  # as .safetensors sorts them
        assert diagnose(dict(sorted(state.items()))).scheme == name


def test_jax_lays_matrices_the_other_way_round():
    """pyrox has W and b, fit-a-nef kernels and a last normal layer without biases."""
    state = {}
    for i, (inputs, outputs, bound) in enumerate(
        [(2, 64, 1 / 2), (64, 64, math.sqrt(6 / 64) / 30), (64, 1, math.sqrt(6 / 64))]
    ):
        rng, root = np.random.default_rng(i), 1 / math.sqrt(inputs)
        state[f"layers.{i}.W"] = rng.uniform(-bound, bound, (inputs, outputs))
        state[f"layers.{i}.b"] = rng.uniform(-root, root, outputs)
    assert diagnose(state).scheme == "physicsnemo"
    kernels = {
        name.replace("W", "kernel").replace(".b", ".bias"): array * ("W" in name)
        for name, array in state.items()
    }
    kernels["layers.2.kernel"] = np.random.default_rng(5).normal(0, 1 / 8, (64, 3))
    kernels["layers.2.bias"] = np.zeros(3)
    assert diagnose(kernels).scheme == "fit-a-nef"


def test_names_that_are_traps():
    """Networks of sines that have no sine network's start."""
    torch.manual_seed(0)
    layers = [nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 1)]
    plain = nn.Sequential(*layers)
    found = diagnose(plain.state_dict())
    assert found.scheme == "pytorch" and "AdaptiveSIREN" in found.also
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    found = diagnose(plain.state_dict())
    assert found.scheme == "glorot" and "DeepXDE" in found.also


def test_a_quilt_has_many_networks_of_one_start():
    quilt = sirenlib.Quilt((3, 3), 24, 1, 1, generator=seeded())
    found = diagnose(quilt.state_dict())
    assert found.scheme == "random-phase"
    assert found.first_omega_0 == pytest.approx(30, rel=0.02)
    assert [layer.weights.count for layer in found.layers] == [432, 5184, 216]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_rounded_numbers_are_named(dtype):
    state = {name: w.to(dtype) for name, w in fresh("official", 256).items()}
    assert diagnose(state).scheme == "official"


# What cannot be told apart


def test_both_are_named_where_the_laws_are_the_same():
    """At a hidden omega_0 of sqrt(6) two starts of one coordinate are nn.Linear's own,
    and at (pi/2) sqrt(n) the official one has half a turn in its hidden layers."""
    root = 1 / 8
    plain = drawn((1, 64, 1.0, 1.0), (64, 64, root, root), (64, 1, root, root))
    assert set(diagnose(plain).names) == {"official", "lucidrains", "pytorch"}
    omega = math.pi / 2 * 8
    hidden = math.sqrt(6 / 64) / omega
    half = drawn(
        (2, 64, 1 / 2, 1 / math.sqrt(2)), (64, 64, hidden, root), (64, 1, hidden, root)
    )
    found = diagnose(half)
    assert set(found.names) == {"official", "half-turn"}
    assert found.scheme == " or ".join(found.names)
    assert "nobody can tell" in str(found)


def test_without_a_hidden_layer_phases_cannot_be_told_from_half_turns():
    siren = sirenlib.Siren(2, 256, 0, 1, init="half-turn", generator=seeded())
    assert {"half-turn", "random-phase"} <= set(diagnose(siren.state_dict()).names)


# What is not named


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize(
    "place",
    ["l0_weight", "l0_bias", "l1_weight", "l1_bias", "l2_bias", "l3_weight"],
)
def test_a_bound_off_by_a_tenth_is_unknown(place, factor):
    found = diagnose(official(**{place: factor}))
    assert found.scheme == "unknown" and found.names == ()


def test_the_nearest_start_and_where_it_is_missed():
    found = diagnose(official(l0_weight=1.1))
    assert "Nearest is official, but the weights of layer 1 reach 0.5" in str(found)
    assert "where it has 0.5" in str(found)
    assert diagnose(official()).scheme == "official"


def test_other_laws_are_unknown():
    normal = {
        name: torch.randn(w.shape, generator=seeded(i)) / 8
        for i, (name, w) in enumerate(fresh("official").items())
    }
    found = diagnose(normal)
    assert found.scheme == "unknown"
    assert [layer.weights.short[0] for layer in found.layers[:3]] == ["σ"] * 3


@pytest.mark.parametrize("name, rate", [("official", 1e-4), ("fast", 2e-3)])
def test_a_trained_network_is_called_trained(name, rate):
    siren = sirenlib.Siren(2, 64, 2, 1, init=name, generator=seeded())
    sirenlib.fit(siren, sirenlib.cameraman(32), epochs=10, lr=rate, generator=seeded())
    found = diagnose(siren.state_dict())
    assert found.scheme == "trained" and found.names == ()
    assert "The start can no longer be told" in str(found)
    assert "Nearest is " in str(found)


def test_one_small_step_is_called_trained():
    """The weights still look fresh, and the biases are no longer zero."""
    siren = sirenlib.Siren(2, 256, 2, 1, init="zero-bias", generator=seeded())
    adam = torch.optim.Adam(siren.parameters(), lr=1e-5)
    siren(sirenlib.coordinate_grid(8, 8)).square().mean().backward()
    adam.step()
    assert diagnose(siren.state_dict()).scheme == "trained"


# The table


def test_predictions_are_those_of_the_theory():
    siren = sirenlib.Siren(2, 256, 3, 1, generator=seeded())
    found = diagnose(siren.state_dict(), first_omega_0=30, hidden_omega_0=30)
    points = 2 * (np.arange(1, 33)[:, None] * np.sqrt([3, 7]) % 1) - 1
    laws = theory.network_law(points, phase_bounds(siren, "official"))
    for layer, law in zip(found.layers, laws, strict=True):
        assert layer.phases[0] ** 2 == pytest.approx(law.variance, rel=1e-3)
        assert layer.gradients[0] ** 2 == pytest.approx(law.gradient, rel=1e-3)
    assert found.layers[-1].sines is None


def test_measurements_are_those_of_the_network():
    siren = sirenlib.Siren(2, 64, 2, 3, generator=seeded()).double()
    found = diagnose(siren.state_dict(), first_omega_0=30, hidden_omega_0=30)
    points = 2 * (np.arange(1, 33)[:, None] * np.sqrt([3, 7]) % 1) - 1
    seen = siren.forward_with_activations(torch.tensor(points), retain_grad=True)
    output = seen["output"]
    output.backward(torch.full_like(output, 1 / math.sqrt(3)))
    for i, layer in enumerate(found.layers[:-1]):
        phase, sine = seen[f"{i}.phase"], seen[f"{i}.sine"]
        assert layer.phases[1] == pytest.approx(phase.square().mean().sqrt().item())
        assert layer.sines[1] == pytest.approx(sine.square().mean().sqrt().item())
        norm = phase.grad.square().sum(1).mean().sqrt().item()
        assert layer.gradients[1] == pytest.approx(norm)
    assert found.layers[-1].phases[1] == pytest.approx(
        output.square().mean().sqrt().item()
    )


def test_it_reads_well():
    text = str(diagnose(fresh("official", 256)))
    lines = text.split("\n")
    assert lines[0].startswith("official (the authors' code")
    assert lines[1] == "first omega_0: 30, assumed: the numbers do not tell"
    assert re.fullmatch(r"hidden omega_0: 30", lines[2])
    assert "1.48 at width 256" in text
    assert lines[-1].startswith("4     256 to 1")
    assert max(map(len, lines[-5:])) <= 90


# Files


def safetensors(state: dict) -> bytes:
    """As the format has it, names sorted."""
    header, numbers = {}, b""
    kinds = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}
    for name, tensor in sorted(state.items()):
        raw = tensor.contiguous().view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": kinds[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(numbers), len(numbers) + len(raw)],
        }
        numbers += raw
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def test_files_of_every_kind(tmp_path):
    state = fresh("official")
    torch.save(state, tmp_path / "a.pt")
    torch.save({"epoch": 3, "model": state}, tmp_path / "b.pth")
    (tmp_path / "c.safetensors").write_bytes(safetensors(state))
    np.savez(tmp_path / "d.npz", **{name: w.numpy() for name, w in state.items()})
    np.savez_compressed(tmp_path / "e.npz", **{n: w.numpy() for n, w in state.items()})
    signal = sirenlib.cameraman(16)
    siren = sirenlib.Siren(2, 64, 2, 1, generator=seeded())
    sirenlib.save(siren, tmp_path / "f.pt", signal)
    for path in sorted(tmp_path.iterdir()):
        assert diagnose(path).scheme == "official", path.name
        assert len(linear_maps(read_state_dict(str(path)))) == 4


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_nothing_in_a_file_is_executed(tmp_path):
    buffer = io.BytesIO()
    torch.save({"weight": Evil()}, buffer)
    (tmp_path / "a.pt").write_bytes(buffer.getvalue())
    (tmp_path / "b.pt").write_bytes(pickle.dumps({"weight": Evil()}))
    np.savez(tmp_path / "c.npz", weight=np.array([Evil()], dtype=object))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ValueError, match="cannot be read as a state dict"):
            diagnose(path)


def test_damaged_files_say_so(tmp_path):
    whole = safetensors(fresh("official"))
    (tmp_path / "a.safetensors").write_bytes(whole[:-100])
    (tmp_path / "b.safetensors").write_bytes(whole[:5])
    (tmp_path / "c.pt").write_bytes(b"not a zip file")
    torch.save(nn.Linear(2, 2), tmp_path / "d.pt")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ValueError, match="cannot be read as a state dict"):
            diagnose(path)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        diagnose(tmp_path / "nothing.pt")


@pytest.mark.parametrize(
    "state, words",
    [
        ({}, "the 0 matrices make no chain"),
        ({"a.weight": torch.ones(3, 2)}, "the 1 matrices make no chain"),
        ({"a.weight": torch.ones(3, 2), "b.weight": torch.ones(5, 4)}, "no chain"),
        (
            {"a.weight": torch.ones(3, 2), "b.weight": torch.full((1, 3), math.nan)},
            "NaN",
        ),
    ],
)
def test_what_is_no_plain_network(state, words):
    with pytest.raises(ValueError, match=words):
        diagnose(state)


def test_omegas_are_positive():
    with pytest.raises(ValueError, match="first_omega_0 must be a positive number"):
        diagnose(fresh("official"), first_omega_0=-1)
