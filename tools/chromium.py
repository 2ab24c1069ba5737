"""Chromium, where it is installed: it prints the book, and tests look at its pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

NO_PLAYWRIGHT = "Playwright is missing: pip install -r requirements.txt"
NO_CHROMIUM = (
    "Chromium is missing: `apt-get install chromium` on Debian, or "
    "`python -m playwright install chromium` anywhere"
)


@contextmanager
def browser(*switches: str) -> Iterator:
    """The system's Chromium, or the one that Playwright has installed.

    Raises:
        FileNotFoundError: it is missing, or Playwright is; the message says what to do.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise FileNotFoundError(NO_PLAYWRIGHT) from None
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, NAMES)), None)
        if path is None and not Path(playwright.chromium.executable_path).exists():
            raise FileNotFoundError(NO_CHROMIUM)
        launch = playwright.chromium.launch
        chromium = launch(executable_path=path, args=switches)
        yield chromium
        chromium.close()
