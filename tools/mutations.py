"""Break one formula of `sirenlib.theory` at a time: a check of its chapter must fail.

``python tools/mutations.py`` prints a table of all mutations, each with the check that
caught it. ``--only fixed_point`` takes those of one formula. A check that nobody can
fail proves nothing, and this is how one finds out.

A chapter's cells run in order, without a kernel, up to the first that knows the module
`theory`. From there on they run in one process for each mutation, until a check fails.
It needs ``os.fork``, which Windows does not have.
"""

import argparse
import contextlib
import inspect
import io
import multiprocessing
import os
import traceback
from dataclasses import dataclass
from pathlib import Path

import nbformat
from chapters import chapters, is_set_up


@dataclass(frozen=True)
class Mutation:
    """A piece of a function's source, and what is put in its place.

    Args:
        formula: name of the function in `sirenlib.theory`.
        chapters: those that explain it. One of their checks must fail.
    """

    formula: str
    right: str
    wrong: str
    chapters: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.formula}: {self.right} -> {self.wrong or 'nothing'}"

    def apply(self) -> None:
        """Break the formula, for the rest of this process.

        Raises:
            ValueError: the function does not hold that piece exactly once.
        """
        from sirenlib import theory

        source = inspect.getsource(getattr(theory, self.formula))
        if source.count(self.right) != 1:
            raise ValueError(f"{self}: not found exactly once in the formula")
        exec(source.replace(self.right, self.wrong), vars(theory))


SINC = "_sinc(2 * np.asarray(half_width, dtype=float))"
NORMAL_BIAS = "np.exp(-2 / 3 * np.asarray(half_width, dtype=float) ** 2)"
NO_CORRECTION = "0 * np.asarray(half_width, dtype=float)"

MUTATIONS = [
    Mutation("sine_of_uniform_cdf", "np.pi + 2 * crossing", "np.pi + crossing", (5,)),
    Mutation("sine_of_uniform_cdf", "np.minimum(rest, arc)", "0 * rest", (5,)),
    Mutation("sine_of_uniform_cdf", "length_below(b + a)", "length_below(a)", (5,)),
    Mutation("sine_of_uniform_bound", "math.pi / (4", "math.pi / (5", (5,)),
    Mutation("sine_of_uniform_bound", "math.pi / (4", "math.pi / (3", (5,)),
    Mutation("sine_of_normal_cdf", "(y) + waves", "(y) - waves", (6,)),
    Mutation("sine_of_normal_cdf", "-2 * (m * s)", "-(m * s)", (6,)),
    Mutation("sine_of_normal_cdf", " / m)", ")", (6,)),
    Mutation("uniform_bias_factor", "2 * np.asarray", "np.asarray", (7,)),
    Mutation("uniform_bias_factor", "_sinc(2", "np.sinc(2", (7,)),
    Mutation("uniform_bias_factor", SINC, NORMAL_BIAS, (7,)),
    Mutation("uniform_bias_factor", SINC, NO_CORRECTION, (7,)),
    Mutation("sine_covariance", "(q + r) / 2", "q + r", (6, 7)),
    Mutation("sine_covariance", "- s * np.exp", "+ s * np.exp", (6, 7)),
    Mutation("sine_covariance", "- s * np.exp(-covariance - mean)", "", (6, 7)),
    Mutation("sine_covariance", "s * np.exp(-", "np.exp(-", (7,)),
    Mutation("next_variance", "* 2 *", "*", (6, 7)),
    Mutation("gradient_factor", "1 - sine", "sine", (6, 7)),
    Mutation("gradient_factor", "_gain(c) * 2", "2", (6,)),
    Mutation("fixed_point", "-2 * g * s", "-2 * g", (7,)),
    Mutation("fixed_point", "math.exp(-2 * g)", "math.exp(-g)", (6, 7)),
    Mutation("fixed_point", ".real / 2", ".real", (6, 7)),
    Mutation("first_sine_covariance", "(x - y)", "(x + y)", (6, 7)),
    Mutation(
        "first_sine_covariance",
        "- s * _sinc(weight * (x + y)).prod(axis=-1)",
        "",
        (6, 7),
    ),
    Mutation("first_sine_covariance", "- s * ", "- ", (7,)),
    Mutation("first_sine_covariance", "(apart - ", "(apart + ", (6, 7)),
    Mutation("network_law", "fan_in * weight**2 / 3, float", "1.0, float", (6, 7)),
    Mutation("network_law", "1 - sines.diagonal()", "sines.diagonal()", (6, 7)),
    Mutation("network_law", "covariance + bias**2 / 3", "covariance", (8,)),
    Mutation("network_law", "*reversed(chis)", "*chis", (6, 7)),
    Mutation("_gain", "/ 6", "/ 3", (6, 7)),
    Mutation("_sinc", "t / np.pi", "t", (6, 7)),
]


def caught(path: Path, mutations: list[Mutation]) -> list[str]:
    """For each mutation the check of the chapter that it fails; empty if none does.

    What else stops a cell is told as ``"no check, but ..."``.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    cells = [source for source in cells if not is_set_up(source)]
    first = next((i for i, cell in enumerate(cells) if "theory." in cell), len(cells))
    space = {"__name__": "__main__"}
    with _as_in_a_kernel(path):
        for source in cells[:first]:
            _run(source, space)
        context = multiprocessing.get_context("fork")
        return [
            _in_a_process(context, each, cells[first:], space) for each in mutations
        ]


def _in_a_process(context, mutation: Mutation, cells: list[str], space: dict) -> str:
    here, there = context.Pipe(duplex=False)
    process = context.Process(
        target=_first_failure, args=(mutation, cells, space, there)
    )
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        found = "no check, but the process ended"
    process.join()
    return found


def _first_failure(mutation: Mutation, cells: list[str], space: dict, answer) -> None:
    from sirenlib import checks

    try:
        mutation.apply()
        for source in cells:
            _run(source, space)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        by_check = (
            isinstance(error, AssertionError) and last.filename == checks.__file__
        )
        answer.send(str(error) if by_check else f"no check, but {error!r}")
    else:
        answer.send("")


def _run(source: str, space: dict) -> None:
    exec(compile(source, "<cell>", "exec"), space)


@contextlib.contextmanager
def _as_in_a_kernel(path: Path):
    """In the chapter's folder, with figures that are drawn nowhere, and silently."""
    import matplotlib

    matplotlib.use("agg")
    with contextlib.chdir(path.parent), contextlib.redirect_stdout(io.StringIO()):
        yield


def table(only: str = "") -> list[tuple[Mutation, str, str]]:
    """Each mutation with a chapter that explains it and what that chapter says."""
    files = {int(path.name[:2]): path for path in chapters()}
    rows = []
    for number in sorted({number for each in MUTATIONS for number in each.chapters}):
        wanted = [each for each in MUTATIONS if number in each.chapters]
        wanted = [each for each in wanted if only in each.formula]
        found = caught(files[number], wanted) if wanted else []
        rows += [(each, number, said) for each, said in zip(wanted, found, strict=True)]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="FORMULA")
    os.environ.update(SIRENLIB_BOOK="cpu", OMP_NUM_THREADS="1")
    for mutation, number, said in table(parser.parse_args().only):
        print(f"{number}  {mutation}\n     {said or 'NOT CAUGHT'}", flush=True)


if __name__ == "__main__":
    main()
