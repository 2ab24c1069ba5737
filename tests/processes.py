"""Functions in processes of their own, which inherit what is loaded."""

import multiprocessing
import os

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def in_a_process(function, *arguments):
    """Start a function; what it sets and changes stays in its process."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=function, args=arguments)
    process.start()
    return process


def require_in_a_process(function, *arguments):
    """Run a function to its end; an error there, printed as always, fails here."""
    process = in_a_process(function, *arguments)
    process.join()
    assert process.exitcode == 0
