"""The rehearsal: a chapter alone, on a host where torch is and sirenlib is not.

The stage is a fresh virtual environment with PyTorch, NumPy and Matplotlib. A host is
what its environment variables say, and a bare Jupyter has none of them. Git takes the
public address from a repository on this machine instead of the network.
"""

import copy
import itertools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from chapters import ROOT, chapters, is_set_up, set_up_cell
from nbformat.v4 import new_code_cell, new_notebook

from sirenlib.verify import RUNS

pytestmark = pytest.mark.slow

ADDRESS = "https://github.com/owner/name"
PRESENT = ["torch", "numpy", "matplotlib", "ipykernel", "nbclient", "pip"]

# What tells a host, and what its sentence says of the wheel. Kaggle's image is made
# from Colab's, and may have its variable too.
COLAB = {"COLAB_RELEASE_TAG": "release-colab"}
KAGGLE = {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}
HOSTS = {
    "Colab": (COLAB, "upload it (folder icon at the left)"),
    "Kaggle": (COLAB | KAGGLE, "add it (Add Input, Upload)"),
    "Binder": ({"BINDER_REPO_URL": "https://example.org"}, "in every session"),
    "Lightning": ({"LIGHTNING_CLOUD_SPACE_ID": "1"}, "onto your Studio's files"),
    "bare Jupyter": ({}, "put it beside this notebook"),
}

RUN = """
import nbformat, resource, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
try:
    NotebookClient(notebook, kernel_name="python3", timeout=600).execute()
finally:
    nbformat.write(notebook, sys.argv[1])
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    print(*[output.get("text", "") for output in cells[0].outputs])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""

IGNORED = "nbval-ignore-output"

# After the set-up: sirenlib is what was installed, and the rest is what it was.
LOOK = "import sirenlib, sys\nassert sirenlib.__file__.startswith(sys.prefix)"


def distributions(names: list[str]) -> dict[str, metadata.Distribution]:
    """Those distributions of this environment, with all that they require."""
    found, waiting = {}, list(names)
    while waiting:
        name = waiting.pop()
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # a requirement of another platform
        needed = [r for r in found[name].requires or [] if "extra ==" not in r]
        waiting += {re.match(r"[\w.-]+", r)[0] for r in needed} - set(found)
    return found


def furnish(site: Path) -> None:
    """Put PyTorch and its like on the stage.

    They are linked from this environment: a second PyTorch is gigabytes to fetch,
    and pip cannot tell the difference. It does not change what lies elsewhere.
    """
    for distribution in distributions(PRESENT).values():
        for top in {file.parts[0] for file in distribution.files or []}:
            source = Path(distribution.locate_file(top))
            if top not in ("..", "__pycache__") and not (site / top).exists():
                (site / top).symlink_to(source.resolve())


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Path:
    """The Python of an environment that is like a host's."""
    folder = tmp_path_factory.mktemp("stage")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True
    )
    python = folder / "venv" / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    furnish(site)
    return python


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A repository with the library as it is now, committed or not."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    for name in ("sirenlib", "benchmarks"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    git = ["git", "-C", folder, "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Now"]):
        subprocess.run([*git, *command], check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory) -> Path:
    """The file that `make wheel` makes."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["wheel", "--quiet", "--no-deps", "--wheel-dir", folder, repository]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    return next(folder.glob("sirenlib-*.whl"))


@pytest.fixture
def work(tmp_path) -> Path:
    """The folder of the notebook, empty."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def perform(stage, repository, tmp_path, work):
    """Run a notebook that lies alone in a folder of a host; sirenlib is gone before."""
    remove = [stage, "-m", "pip", "uninstall", "--quiet", "--yes", "sirenlib"]
    subprocess.run(remove, check=True, capture_output=True)
    before = versions(stage)
    assert "torch" in before and "sirenlib" not in before

    def run(notebook, host: dict = COLAB) -> subprocess.CompletedProcess:
        path = work / "chapter.ipynb"
        nbformat.write(notebook, path)
        environment = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
        for variable in [
            "PYTHONPATH",
            *itertools.chain(*(v for v, _ in HOSTS.values())),
        ]:
            environment.pop(variable, None)
        environment |= git_takes(ADDRESS, repository) | host
        command = [stage, "-c", RUN, path.name]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, cwd=work, env=environment, text=True, **streams)
        changed = set(before.items()) - set(versions(stage).items())
        assert changed == set(), "the set-up cell changed what the host brings along"
        return done

    return run


def git_takes(address: str, folder: Path) -> dict[str, str]:
    """Environment variables with which Git finds the address in a folder."""
    key = f"url.file://{folder}.insteadOf"
    return dict(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0=key, GIT_CONFIG_VALUE_0=address)


def versions(python: Path) -> dict[str, str]:
    """Name and version of everything installed."""
    listed = subprocess.check_output(
        [python, "-m", "pip", "list", "--format=freeze"], text=True
    )
    return dict(line.split("==") for line in listed.splitlines())


def test_wheel_has_what_is_not_python(wheel):
    files = zipfile.ZipFile(wheel).namelist()
    wanted = ["py.typed", "viewer/frame.css", "viewer/frame.js", "results/steps.json"]
    assert {f"sirenlib/{name}" for name in wanted} <= set(files)
    assert not [name for name in files if name.startswith(("tests", "tools", "book"))]


def only_set_up(address: str = ""):
    sources = [set_up_cell(address), LOOK]
    return new_notebook(cells=[new_code_cell(source) for source in sources])


@pytest.mark.parametrize("host", ["Colab", "bare Jupyter"])
def test_set_up_installs_from_the_address(host, perform):
    done = perform(only_set_up(ADDRESS), HOSTS[host][0])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("host", ["Colab", "bare Jupyter"])
def test_set_up_installs_a_wheel_beside_the_notebook(host, perform, wheel, work):
    shutil.copy(wheel, work)
    done = perform(only_set_up(), HOSTS[host][0])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("owner", ["", "datasets/owner"])
def test_set_up_installs_a_wheel_among_the_inputs_of_kaggle(
    owner, perform, wheel, tmp_path
):
    """Inputs are read-only folders, one a data set, with or without its owner."""
    inputs = tmp_path / "input"
    folder = inputs / owner / "sirenlib"
    folder.mkdir(parents=True)
    shutil.copy(wheel, folder)
    notebook = only_set_up()
    notebook.cells[0].source = there(notebook.cells[0].source, inputs)
    done = perform(notebook, HOSTS["Kaggle"][0])
    assert done.returncode == 0, done.stdout


def there(source: str, inputs: Path) -> str:
    """The set-up cell with another folder in the place of Kaggle's inputs."""
    assert source.count("/kaggle/input") == 1
    return source.replace("/kaggle/input", inputs.as_posix())


@pytest.mark.parametrize("host", HOSTS)
def test_set_up_says_what_to_do_without_either(host, perform):
    variables, sentence = HOSTS[host]
    done = perform(only_set_up(), variables)
    assert "Run `make wheel` in the repository" in error(done)
    assert [text for _, text in HOSTS.values() if text in error(done)] == [sentence]


def test_set_up_installs_nothing_into_a_clone(perform, work):
    """Its code may differ from what is published."""
    (work.parent / "sirenlib").mkdir()
    done = perform(only_set_up(ADDRESS), {})
    assert "Run `pip install .` in the folder of the repository" in error(done)


def test_set_up_does_not_fetch_pytorch(perform, wheel, work):
    shutil.copy(wheel, work)
    hide = (
        "import importlib.util as util\nplain = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'torch' else plain(name)"
    )
    done = perform(new_notebook(cells=[new_code_cell(hide), *only_set_up().cells]), {})
    assert "PyTorch is missing" in error(done)


def test_set_up_says_when_pip_fails(perform):
    done = perform(only_set_up("file:///nowhere"), HOSTS["Kaggle"][0])
    assert "pip could not install sirenlib" in error(done)


def error(done: subprocess.CompletedProcess) -> str:
    """What the set-up cell says, without the traceback, which has all its sentences."""
    before, *_, said = re.split(r"ModuleNotFoundError\S*: ", done.stdout)  # colors
    assert done.returncode != 0 and "Traceback" in before
    return said


def printed(cell) -> str:
    """What a cell prints. Set-up and measurements may differ from place to place."""
    tags = cell.metadata.get("tags", ())
    if cell.cell_type != "code" or is_set_up(cell.source) or IGNORED in tags:
        return ""
    return "".join(each.text for each in cell.outputs if each.get("name") == "stdout")


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_chapter_runs_alone(path, perform, wheel, work):
    """On another processor it prints the same, in twice the time that it states.

    PyTorch computes as on one without vector instructions.
    """
    shutil.copy(wheel, work)
    book = nbformat.read(path, as_version=4)
    stated = RUNS.search(book.cells[0].source)
    notebook = copy.deepcopy(book)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source = set_up_cell()
    done = perform(notebook, COLAB | {"ATEN_CPU_CAPABILITY": "default"})
    assert done.returncode == 0, done.stdout
    alone = nbformat.read(work / "chapter.ipynb", as_version=4)
    for cell, here in zip(book.cells, alone.cells, strict=True):
        assert printed(here) == printed(cell), cell.source
    seconds = float(done.stdout.split()[-1])
    print(f"{path.stem}: {seconds:.0f} s of the processor, {stated[1]} s stated")
    assert seconds < 2 * int(stated[1])


def test_other_kernels_are_asked_for(perform, wheel, work):
    """PyTorch takes the setting, so that the test above tries something."""
    shutil.copy(wheel, work)
    source = "import torch\nassert torch.backends.cpu.get_cpu_capability() == 'DEFAULT'"
    notebook = only_set_up()
    notebook.cells.append(new_code_cell(source))
    done = perform(notebook, {"ATEN_CPU_CAPABILITY": "default"})
    assert done.returncode == 0, done.stdout
