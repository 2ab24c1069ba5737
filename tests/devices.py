"""The devices that a test runs on: the CPU, and CUDA or what pretends to be it."""

import pytest

devices = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
)
