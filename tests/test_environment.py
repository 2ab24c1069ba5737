"""Which device is chosen, and whether a book is being made."""

import pytest
import torch

from sirenlib import default_device, environment, resolve_device


@pytest.fixture
def no_book(monkeypatch):
    monkeypatch.delenv(environment.BOOK_VARIABLE)


@pytest.fixture
def any_device(monkeypatch):
    """Let every name of a device pass, also where the machine has none."""
    monkeypatch.setattr(environment, "resolve_device", torch.device)


def test_tests_run_as_a_book():
    assert environment.in_book()


def test_no_book_without_the_variable(no_book):
    assert not environment.in_book()


def test_empty_variable_is_no_book(monkeypatch):
    monkeypatch.setenv(environment.BOOK_VARIABLE, "")
    assert not environment.in_book()


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_book_runs_on_its_own_device(monkeypatch, any_device, name):
    monkeypatch.setenv(environment.BOOK_VARIABLE, name)
    assert default_device() == torch.device(name)


@pytest.mark.parametrize(("found", "name"), [(True, "cuda"), (False, "cpu")])
def test_best_device_without_a_book(monkeypatch, no_book, any_device, found, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    assert default_device() == torch.device(name)


def test_book_on_a_device_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv(environment.BOOK_VARIABLE, "banana")
    with pytest.raises(ValueError, match="'banana'"):
        default_device()


def test_cpu_is_always_there():
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["banana", "", "cuda:99", "meta"])
def test_device_that_cannot_compute_is_refused(name):
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used.*'cpu'"):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_cuda_gets_a_remedy():
    with pytest.raises(ValueError, match=r"'cuda' .* finds 0 CUDA devices\. Use 'cpu'"):
        resolve_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_is_found():
    assert resolve_device("cuda").type == "cuda"
