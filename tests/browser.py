"""Chromium, for what only a browser can show."""

import base64
import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import chromium
import numpy as np
import pytest
from PIL import Image

from sirenlib.viewer.frame import LiveOutput, joined

# WebGL is computed by the processor, so that the shader runs on any machine.
SWITCHES = [
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]
# SwiftShader speaks of its own speed; sphinx-thebe adds its script twice; the theme
# finds no mode stored at the first visit.
HARMLESS = re.compile("GPU stall due to ReadPixels|THEBE_JS_URL|Got invalid theme mode")


# Milliseconds to wait for a state, enough for a machine that others use as well.
PATIENCE = 120_000


@contextmanager
def launched() -> Iterator:
    """A browser, or a skipped test that says what is missing."""
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(chromium.browser(*SWITCHES))
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield browser


@contextmanager
def watched(browser, **settings) -> Iterator:
    """A page without a network. An error or a warning in it fails the test."""
    context = browser.new_context(offline=True, **settings)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    said = listen(page)
    yield page
    context.close()
    assert not said, said


def listen(page) -> list[str]:
    """The errors and warnings of a page, as they come."""
    said = []

    def hear(text: str) -> None:
        if not HARMLESS.search(text):
            said.append(text)

    page.on("pageerror", lambda error: hear(error.message))
    page.on(
        "console",
        lambda line: line.type in ("error", "warning") and hear(line.text),
    )
    return said


def show(page, *outputs: LiveOutput) -> None:
    """Put outputs on a page, as a notebook does, and wait until they are alive."""
    page.set_content("<main>" + "".join(each.html() for each in outputs) + "</main>")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.sirenlib')]"
        ".every((host) => host.dataset.state === 'live')"
    )


def frames(page, count: int = 2) -> None:
    """Wait until the page has been drawn so many times."""
    page.evaluate(
        """async (count) => {
          for (; count; count--) await new Promise(requestAnimationFrame);
        }""",
        count,
    )


def box_of(locator) -> dict:
    """Where it is. A drawing that is just made anew for its width is nowhere."""
    frames(locator.page)
    found = []
    until(locator.page, lambda: found.append(locator.bounding_box()) or found[-1])
    return found[-1]


def until(page, condition: Callable[[], bool]) -> None:
    """Wait for what only Python can see."""
    end = time.monotonic() + PATIENCE / 1000
    while not condition():
        said = page.locator("output").all_text_contents()
        assert time.monotonic() < end, said
        page.wait_for_timeout(50)


def run(page, script: str, body: str, given=None):
    """What a function with a script and this body returns; it takes ``given``."""
    return page.evaluate(f"(given) => {{ {joined(script)}\n{body} }}", given)


def colors_in_the_dark(page, output: LiveOutput, *places: tuple[str, str]) -> list:
    """What an output takes from a dark page around it: for each place, a selector and a
    property of its style, the color there."""
    show(page, output)
    page.add_style_tag(content="body { background: #121212; color: #ddd; }")
    for selector, _ in places:  # some come only with a renderer
        page.locator(f".sirenlib {selector}").first.wait_for(state="attached")
    return page.evaluate(
        """(places) => {
          const root = document.querySelector(".sirenlib > div").shadowRoot;
          return places.map(([selector, property]) =>
            getComputedStyle(root.querySelector(selector))[property]);
        }""",
        places,
    )


def pixels(canvas) -> np.ndarray:
    """What a canvas shows: ``(H, W, 3)`` in [0, 1]."""
    data = canvas.evaluate("(canvas) => canvas.toDataURL()")
    file = io.BytesIO(base64.b64decode(data.split(",")[1]))
    return np.asarray(Image.open(file).convert("RGB")) / 255
