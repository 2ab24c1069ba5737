"""Functions in processes of their own, which inherit what is loaded.

Where there is a GPU, autograd cannot go on in the fork of a process that has used it:
there the processes are forked from one that has only imported PyTorch.
"""

import multiprocessing
import os

import pytest
import torch

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
HOW = "forkserver" if torch.cuda.is_available() else "fork"
CONTEXT = multiprocessing.get_context(HOW if hasattr(os, "fork") else None)
CONTEXT.set_forkserver_preload(["sirenlib"])


def in_a_process(function, *arguments):
    """Start a function; what it sets and changes stays in its process."""
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def require_in_a_process(function, *arguments):
    """Run a function to its end; an error there, printed as always, fails here."""
    process = in_a_process(function, *arguments)
    process.join()
    assert process.exitcode == 0
