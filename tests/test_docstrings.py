"""The examples in the docstrings give what stands below them."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import sirenlib

# Without an example, and why.
WITHOUT = {
    "Diagnosis": "diagnose() has one",
    "History": "fit() has one",
    "SCHEMES": "a dictionary has no docstring",
    "SavedNetwork": "save() has one",
    "default_device": "the device depends on the machine",
    "held_out_psnr": "a training result depends on the processor",
    "load": "save() has one",
}
LEFT_OUT = {"sirenlib.__main__", "sirenlib.results"}
FOUND = pkgutil.walk_packages(sirenlib.__path__, "sirenlib.")
MODULES = ["sirenlib", *sorted({module.name for module in FOUND} - LEFT_OUT)]


def examples(module: str) -> list[doctest.DocTest]:
    """The docstrings of a module that have examples. Each starts without any name."""
    found = doctest.DocTestFinder().find(
        importlib.import_module(module), module, globs={}
    )
    return [each for each in found if each.examples]


TESTS = [each for module in MODULES for each in examples(module)]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_example_gives_what_it_says(test):
    said = []
    failed = doctest.DocTestRunner().run(test, out=said.append).failed
    assert failed == 0, "".join(said)


def test_public_names_have_an_example():
    public = {
        name: thing
        for name, thing in vars(sirenlib).items()
        if not name.startswith("_") and not inspect.ismodule(thing)
    }
    shown = {test.name.rpartition(".")[2] for test in TESTS}
    assert set(public) - shown == set(WITHOUT), "an example, or a reason without one"


def test_a_wrong_example_fails():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "sum", None, 0)
    with pytest.raises(AssertionError, match=r"Got:\s+2\s"):
        test_example_gives_what_it_says(wrong)
