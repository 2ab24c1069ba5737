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


@pytest.mark.parametrize("name", ["mps", "xpu"])
def test_device_without_float64_is_refused_where_it_is_there(name):
    reason = f"device '{name}' is not supported: fits run on cpu and cuda"
    with pytest.raises(ValueError, match=reason):
        environment.require_supported(torch.device(name))


def no_kernels(*arguments, **options):
    raise RuntimeError("CUDA error: no kernel image is available\nCompile with ...")


def test_device_that_no_kernels_are_there_for_is_refused(monkeypatch):
    class Placed:
        """A tensor that can be made and read, but with which nothing is computed."""

        square = no_kernels

        def cpu(self):
            return self

    monkeypatch.setattr(torch, "ones", lambda *a, **k: Placed())
    monkeypatch.setattr(torch, "empty", lambda *a, **k: Placed())
    with pytest.raises(
        ValueError, match=r"'cuda' cannot .*\(CUDA error: no kernel [^\n]*\)$"
    ):
        resolve_device("cuda")


def test_gpu_that_cannot_compute_is_passed_over_with_a_warning(monkeypatch, no_book):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    plain = torch.ones

    def ones(*arguments, device=None, **options):
        if device is not None and torch.device(device).type == "cuda":
            no_kernels()
        return plain(*arguments, device=device, **options)

    monkeypatch.setattr(torch, "ones", ones)
    with pytest.warns(UserWarning, match=r"no kernel image.* The CPU is used\."):
        assert default_device() == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_cuda_gets_a_remedy():
    with pytest.raises(ValueError, match=r"'cuda' .* finds 0 CUDA devices\. Use 'cpu'"):
        resolve_device("cuda")


@pytest.mark.cuda
def test_cuda_is_found():
    assert resolve_device("cuda").type == "cuda"
