"""The race in the page, in a browser. Its arithmetic is tested in test_rivals.py."""

import base64
import functools
import io
import re

import numpy as np
import pytest
from browser import PATIENCE, pixels, run, show, until, watched
from PIL import Image

import sirenlib
from sirenlib.viewer import race_here

ALT = "A man behind a camera."
NAMES = ["sine", "FINER", "Fourier", "hash grid", "ReLU"]
KINDS = ["measured", "predicted", "third", "fourth", "level"]
LONG = 1000.0


@functools.cache
def output(seconds: float):
    return race_here(sirenlib.cameraman(64), alt=ALT, seconds=seconds)


def press(page, name) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def table(page) -> dict[str, list[float]]:
    """Of each network parameters, steps, seconds and decibels."""
    cells = [
        row.locator("th, td").all_text_contents()
        for row in page.locator("tbody tr").all()
    ]
    return {
        name: [float(text.replace(",", "")) for text in texts]
        for name, *texts in cells
        if all(texts)
    }


def ready(page) -> None:
    """Wait until each has said how it starts."""
    until(page, lambda: len(table(page)) == len(NAMES))


def steps(page) -> list[float]:
    return [row[1] for row in table(page).values()]


def picture(page, name):
    return page.get_by_role("img", name=re.compile(rf"^{name} .* steps$"))


def test_a_short_race(page):
    show(page, output(0.3))
    ready(page)
    before = table(page)
    assert list(before) == NAMES and steps(page) == [0] * 5
    assert len(page.workers) == 5
    press(page, "start")
    said = page.get_by_text("s of computing each")
    said.wait_for()
    page.get_by_role("button", name="start", exact=True).wait_for()
    after = table(page)
    for name in NAMES:
        parameters, count, seconds, psnr = after[name]
        assert 4400 < parameters < 4460 and count >= 1
        assert seconds >= 0.3 and psnr != before[name][3]
    order = sorted(NAMES, key=lambda name: -after[name][3])
    results = ", ".join(f"{name} {after[name][3]:.1f} dB" for name in order)
    spoken = said.text_content().removesuffix(".").split(": ")[1]
    assert sorted(spoken.split(", ")) == sorted(results.split(", "))
    found = [float(number) for number in re.findall(r"([\d.]+) dB", spoken)]
    assert found == sorted(found, reverse=True)
    assert said.get_attribute("aria-live") == "polite"
    for kind in KINDS:
        assert page.locator(f"path.line.{kind}").count() == 1
    color = "(line) => getComputedStyle(line).stroke"
    lines = page.locator("path.line").all()
    assert len({line.evaluate(color) for line in lines}) == 5


def test_pictures_and_numbers_belong_together(page):
    show(page, output(LONG))
    ready(page)
    press(page, "start")
    until(page, lambda: min(steps(page)) >= 20)
    press(page, "stop")
    until(page, lambda: not moving(page))
    wanted = sirenlib.cameraman(64).array()
    for name, (_, _, _, psnr) in table(page).items():
        drawn = 2 * pixels(picture(page, name))[..., 0] - 1
        error = np.mean((drawn - wanted) ** 2)
        # Drawn, a prediction is clipped to black and white, which can only help it.
        assert -0.5 < 10 * np.log10(4 / error) - psnr < 2


def moving(page) -> bool:
    """Whether a step is made within the time that a slice takes."""
    before = steps(page)
    for worker in page.workers:
        worker.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    return steps(page) != before


def test_stop_go_on_and_reset(page):
    show(page, output(LONG))
    ready(page)
    press(page, "start")
    until(page, lambda: min(steps(page)) >= 2)
    press(page, "stop")
    until(page, lambda: not moving(page))
    before = steps(page)
    press(page, "start")
    until(page, lambda: np.greater(steps(page), before).all())
    press(page, "reset")
    until(page, lambda: steps(page) == [0] * 5)
    assert not moving(page)
    assert len(page.workers) == 5
    assert page.get_by_role("button", name="start", exact=True).is_visible()


# Workers that only pretend: a step takes exactly this long.
FAKE = """
  const costs = [0.07, 0.02, 0.011, 0.005, 0.3];
  const log = [];
  let computing = 0;
  Race.prototype.makeWorker = (hear) => {
    const cost = costs.shift();
    let step = 0, seconds = 0;
    return { terminate: () => {}, postMessage: ({ task, slice }) => {
      computing++;
      for (let spent = 0; !task && spent < slice; spent += cost) {
        step++;
        seconds += cost;
      }
      setTimeout(() => {
        log.push({ computing: task ? 1 : computing, cost, seconds,
          clocks: race.racers.map((racer) => racer.latest?.seconds ?? 0) });
        computing--;
        hear({ step, seconds, psnr: 20 + cost, parameters: 1,
          prediction: new Float32Array(64 * 64) });
      });
    } };
  };
  const values = btoa(String.fromCharCode(...new Uint8Array(4 * 64 * 64)));
  const race = new Race({ values, seconds: 3 }, document.body);
  document.body.append(race.stage);
  race.restart();
  race.setRunning(true);
  return new Promise((done) => {
    const timer = setInterval(() => {
      if (!race.finished || race.running) return;
      clearInterval(timer);
      done([log, race.said.textContent]);
    }, 20);
  });
"""


def test_one_computes_at_a_time_and_the_clocks_stay_together(page):
    log, said = run(page, "race_here", FAKE)
    assert len(log) > 50
    assert {entry["computing"] for entry in log} == {1}
    for entry in log:
        clocks = entry["clocks"]
        assert max(clocks) - min(clocks) < 0.2 + 0.3 + 1e-9  # a slice and a step
    last = {entry["cost"]: entry["seconds"] for entry in log}
    assert all(3 <= seconds < 3 + cost + 1e-9 for cost, seconds in last.items())
    wanted = "ReLU 20.3 dB, sine 20.1 dB, FINER 20.0 dB, Fourier 20.0 dB, "
    assert said == f"After 3 s of computing each: {wanted}hash grid 20.0 dB."


def choose(page, name, buffer, said) -> None:
    file = {"name": name, "mimeType": "image/png", "buffer": buffer}
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text(said).wait_for()


def test_the_reader_s_own_picture(page):
    show(page, output(LONG))
    ready(page)
    press(page, "start")
    until(page, lambda: min(steps(page)) >= 1)
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 255, (16, 16), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    file = io.BytesIO()
    Image.fromarray(tiles).save(file, "PNG")
    choose(page, "tiles.png", file.getvalue(), "128 × 128 pixels")
    until(page, lambda: steps(page) == [0] * 5)
    target = page.get_by_role("img", name="The picture to learn: tiles.png")
    assert np.abs(pixels(target)[..., 0] - tiles[::2, ::2] / 255).max() < 0.01
    choose(page, "a.png", b"no", "a.png is no picture")
    assert not moving(page)


def test_where_workers_are_forbidden_the_page_computes_itself(chromium):
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE)
    page.set_content(
        '<meta http-equiv="Content-Security-Policy" content="worker-src \'none\'">'
        "<main></main>"
    )
    append = """(main, text) => main.append(
      document.createRange().createContextualFragment(text))"""
    page.locator("main").evaluate(append, output(0.2).html())
    ready(page)
    assert page.workers == []
    press(page, "start")
    page.get_by_text("s of computing each").wait_for()
    assert min(steps(page)) >= 1
    assert page.locator("path.line").count() == 5
    page.close()


def test_who_wants_less_motion_sees_the_pictures_at_rest(chromium):
    with watched(chromium, reduced_motion="reduce") as page:
        show(page, output(LONG))
        ready(page)
        press(page, "start")
        until(page, lambda: min(steps(page)) >= 2)
        for name in NAMES:
            label = picture(page, name).get_attribute("aria-label")
            assert label.endswith("after 0 steps")
        press(page, "stop")
        until(page, lambda: page.get_by_role("img", name="after 0 steps").count() == 0)


@pytest.mark.parametrize("width", [320, 390])
def test_a_finished_race_fits_a_phone(chromium, width):
    with watched(chromium, viewport={"width": width, "height": 800}) as page:
        page.set_content(output(0.1).page("A page"))
        ready(page)
        press(page, "start")
        page.get_by_text("s of computing each").wait_for()
        choose(page, "a_name_that_goes_on_" * 5 + ".png", b"no", "is no picture")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_without_scripts_the_picture_stands_alone():
    file = io.BytesIO(base64.b64decode(output(0.2).picture))
    shown = np.asarray(Image.open(file)) / 255
    assert shown.shape == (256, 256)
    wanted = (sirenlib.cameraman(64).array() + 1) / 2
    assert np.abs(shown[::4, ::4] - wanted).max() < 0.003


def test_wrong_input():
    with pytest.raises(ValueError, match="32 pixels a side: give it 64, for instance"):
        race_here(sirenlib.cameraman(32), alt=ALT)
    good = sirenlib.cameraman(64)
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="seconds must be a positive number"):
            race_here(good, alt=ALT, seconds=seconds)
    with pytest.raises(ValueError, match="alt is empty"):
        race_here(good, alt=" ")
