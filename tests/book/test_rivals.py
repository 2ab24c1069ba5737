"""The networks of the race in the page against those of the benchmarks, in PyTorch."""

import math

import contenders
import numpy as np
import pytest
import torch
from browser import run
from torch import nn

import sirenlib

NAMES = ["sine", "FINER", "Fourier", "hash grid", "ReLU"]
MAKE = """
  const { name, weights, frequencies, coords, values } = given;
  const rival = RIVALS.find((each) => each.name === name);
  const trainer = makeRival({ ...rival, seed: 1, weights: Float32Array.from(weights),
    coords: Float32Array.from(coords), values: Float32Array.from(values),
    frequencies: frequencies && Float32Array.from(frequencies) });
  trainer.measure();
"""


@pytest.fixture(scope="module")
def rivals(chromium):
    """What the page says of each."""
    page = chromium.new_page()
    found = run(page, "rivals", "return RIVALS;")
    page.close()
    return {each["name"]: each for each in found}


def model_of(rival) -> nn.Module:
    """The same network in PyTorch, with tables that are not almost zero."""
    generator = torch.Generator().manual_seed(3)
    widths, omegas = rival["widths"], rival["omegas"]
    if rival.get("sigma"):
        options = {"sigma": rival["sigma"], "frequencies": widths[0] // 2}
        model = contenders.FourierFeatures(1, **options, generator=generator)
        model.net = contenders.relu_network(widths, generator)
        return model
    if rival.get("grid"):
        grid = {**rival["grid"], "table_size": rival["grid"]["rows"]}
        grid.pop("rows")
        model = contenders.HashGrid(1, **grid, width=widths[1], generator=generator)
        with torch.no_grad():
            model.table *= 5000
        return model
    if rival.get("relu"):
        return contenders.relu_network(widths, generator)
    kind = contenders.Finer if rival.get("finer") else sirenlib.Siren
    return kind(
        2,
        widths[1],
        len(widths) - 3,
        1,
        first_omega_0=omegas[0],
        hidden_omega_0=omegas[1],
        generator=generator,
    )


def in_order(model) -> list[nn.Parameter]:
    """The page has a hash grid's tables behind the weights of its network."""
    return sorted(model.parameters(), key=lambda weight: weight is model_table(model))


def model_table(model):
    return getattr(model, "table", None)


@pytest.fixture(params=NAMES)
def task(request, rivals):
    """A network, points in and between the pixels, and the same for the page."""
    model = model_of(rivals[request.param])
    generator = torch.Generator().manual_seed(1)
    corners = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    between = 2 * torch.rand(60, 2, generator=generator) - 1
    pixels = sirenlib.coordinate_grid(64, 64)[::97]
    coords = torch.cat([corners, between, pixels])
    values = 2 * torch.rand(len(coords), 1, generator=generator) - 1
    weights = [weight.detach().numpy().ravel() for weight in in_order(model)]
    given = {
        "name": request.param,
        "weights": np.concatenate(weights).tolist(),
        "coords": coords.flatten().tolist(),
        "values": values.flatten().tolist(),
    }
    if request.param == "Fourier":
        given["frequencies"] = model.frequencies.flatten().tolist()
    return model.double(), coords.double(), values.double(), given


def loss_of(model, coords, values):
    return (model(coords) - values).square().mean()


def test_prediction(page, task):
    model, coords, _, given = task
    got = run(page, "rivals", MAKE + "return Array.from(trainer.prediction);", given)
    assert np.abs(got - model(coords).detach().numpy().ravel()).max() < 2e-5


def test_gradient_of_every_layer(page, task):
    model, coords, values, given = task
    body = MAKE + "return Array.from(trainer.gradient);"
    got = np.array(run(page, "rivals", body, given))
    loss_of(model, coords, values).backward()
    for weight in in_order(model):
        part, got = got[: weight.numel()], got[weight.numel() :]
        wanted = weight.grad.flatten().numpy()
        scale = np.abs(wanted).max()
        assert scale > 1e-4
        assert np.abs(part - wanted).max() < 1e-4 * scale
    assert not got.size


def test_eight_steps_of_adam(page, task, rivals):
    model, coords, values, given = task
    body = (
        MAKE
        + """
      return Array.from({ length: 8 }, () => {
        const { loss } = trainer;
        trainer.update();
        trainer.measure();
        return loss;
      });"""
    )
    got = run(page, "rivals", body, given)
    rate = rivals[given["name"]]["rate"]
    adam, losses = torch.optim.Adam(model.parameters(), lr=rate), []
    for _ in range(8):
        loss = loss_of(model, coords, values)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    off = np.abs(np.array(got) - losses).max() / losses[0]
    print(f"{given['name']}: {off:.1e} of the first loss")
    assert off < 5e-4


def test_all_have_about_as_many_parameters(rivals):
    for rival in rivals.values():
        model = model_of(rival)
        count = sum(weight.numel() for weight in model.parameters())
        assert count == pytest.approx(4420, rel=0.01)


def test_first_frequencies_and_tables(page):
    body = """
      const grid = RIVALS.find((rival) => rival.grid);
      const coords = squareGrid(2), values = new Float32Array(4);
      const { table } = makeRival({ ...grid, coords, values, seed: 1 });
      const draw = (seed) => Array.from(firstFrequencies(20000, 5, seed));
      return [draw(1), draw(2), Array.from(table)];"""
    drawn, other, table = map(np.array, run(page, "rivals", body))
    assert (drawn != other).all()
    pairs = drawn.reshape(-1, 2)
    for values in (*pairs.T, pairs.sum(axis=1) / math.sqrt(2)):
        assert abs(values.mean()) < 4 * 5 / math.sqrt(20000)
        assert values.std() == pytest.approx(5, rel=0.02)
        assert np.mean(np.abs(values) < 5) == pytest.approx(0.6827, abs=0.014)
    assert 0.99e-4 < np.abs(table).max() <= 1e-4
    assert abs(table.mean()) < 4e-4 / math.sqrt(3 * len(table))
