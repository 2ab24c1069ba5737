"""Chromium, for what only a browser can show."""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pdf
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


@contextmanager
def launched() -> Iterator:
    """A browser, or a skipped test that says what is missing."""
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(pdf.browser(*SWITCHES))
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield browser


@contextmanager
def watched(browser, **settings) -> Iterator:
    """A page without a network. An error or a warning in it fails the test."""
    context = browser.new_context(offline=True, **settings)
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


def run(page, scripts: list[str], body: str, given=None):
    """What a function with these scripts and this body returns; it takes ``given``."""
    return page.evaluate(f"(given) => {{ {joined(*scripts)}\n{body} }}", given)


def pixels(canvas) -> np.ndarray:
    """What a canvas shows: ``(H, W, 3)`` in [0, 1]."""
    data = canvas.evaluate("(canvas) => canvas.toDataURL()")
    file = io.BytesIO(base64.b64decode(data.split(",")[1]))
    return np.asarray(Image.open(file).convert("RGB")) / 255
