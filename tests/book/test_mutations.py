"""No formula of the book can be broken without a check that fails."""

import nbformat
import pytest
from mutations import MUTATIONS, Mutation, caught, table
from nbformat.v4 import new_code_cell, new_notebook
from processes import needs_fork

from sirenlib import theory

HALVED = Mutation("sine_of_uniform_bound", "(4 *", "(8 *", (1,))


def answers(tmp_path, *cells: str, mutation: Mutation = HALVED) -> list[str]:
    path = tmp_path / "01_a_chapter.ipynb"
    nbformat.write(new_notebook(cells=[*map(new_code_cell, cells)]), path)
    return caught(path, [mutation, mutation])


START = "from sirenlib import check, theory"
CHECKED = 'check("Claim 1.1", "bound", theory.sine_of_uniform_bound(1), at_least=0.7)'


@needs_fork
def test_the_check_that_fails_is_named(tmp_path):
    before = "print(theory.sine_of_uniform_bound(1))"
    found = answers(tmp_path, START, before, CHECKED)
    assert len(found) == 2
    assert all(said.startswith("Claim 1.1: bound: measured 0.39") for said in found)
    assert theory.sine_of_uniform_bound(1) > 0.7  # broken in the processes alone


@needs_fork
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("theory.sine_of_uniform_bound(1)", ""),
        ("assert theory.sine_of_uniform_bound(1) > 0.7", "no check, but Assertion"),
        ("import os; theory.ARCSINE; os._exit(0)", "no check, but the process ended"),
    ],
)
def test_whatever_else_happens_is_no_catch(tmp_path, cell, said):
    for found in answers(tmp_path, START, cell):
        assert found.startswith(said) and bool(found) == bool(said)


@pytest.mark.parametrize("wrong", [("(5 *", ""), ("a", "b")])
def test_what_is_broken_stands_there_once(wrong):
    with pytest.raises(ValueError, match="not found exactly once"):
        Mutation("sine_of_uniform_bound", *wrong, (1,)).apply()


@needs_fork
@pytest.mark.slow
def test_every_broken_formula_fails_a_check():
    """In one of the chapters that explain it."""
    assert len(MUTATIONS) >= 20
    failed = {}
    for mutation, number, said in table():
        print(f"{number}  {mutation}: {said or 'not caught'}")
        by_check = said and not said.startswith("no check")
        failed[mutation] = failed.get(mutation, False) or by_check
    assert not [str(mutation) for mutation, by_check in failed.items() if not by_check]
