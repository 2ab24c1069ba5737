"""A chapter's page says when it was executed, and with which versions."""

import platform

import executed
import pytest
import torch


def test_versions_are_those_of_this_machine():
    found = executed.today()
    assert found["python"] == platform.python_version()
    assert torch.__version__.startswith(found["torch"])
    assert set(found) == {"date", "python", *executed.NAMES}


def test_sentence():
    given = {"date": "2026-11-06", "python": "3.11.7", "torch": "2.13.0"}
    given |= {"numpy": "2.4.1", "matplotlib": "3.11.0"}
    assert executed.sentence(given) == (
        "Executed on 6 November 2026 on a CPU, with Python 3.11.7, PyTorch 2.13.0, "
        "NumPy 2.4.1 and Matplotlib 3.11.0."
    )


@pytest.mark.slow
def test_every_chapter_has_its_line(site):
    pages = sorted(site.glob("[0-9][0-9]_*.html"))
    assert len(pages) > 10
    for page in pages:
        assert 'class="executed">Executed on ' in page.read_text("utf-8"), page.name
