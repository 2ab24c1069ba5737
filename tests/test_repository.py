"""What holds for the repository as a whole."""

import ast
import re
import shutil
from pathlib import Path

import cover
import pytest
import yaml
from address import addresses, set_address
from chapters import ROOT, chapters, set_up_cell
from fingerprint import bare, imported

ORDER = [
    "environment",
    "arguments",
    "signals",
    "metrics",
    "checks",
    "theory",
    "initialization",
    "siren",
    "derivatives",
    "files",
    "steps",
    "fitting",
    "records",
    "figures",
    "viewer",
    "__main__",
]
LIBRARY = sorted((ROOT / "sirenlib").rglob("*.py"))
PLACES = ["", ".ci", ".github", "benchmarks", "book", "sirenlib", "tests", "tools"]
URL = "https://github.com/owner/name"


def text_files():
    """The repository's own text files; not what is vendored, built or installed."""
    for place in PLACES:
        found = (ROOT / place).rglob("*") if place else ROOT.iterdir()
        for path in found:
            outside = {"_vendor", "_build", "__pycache__"} & set(path.parts)
            if path.is_file() and not outside and path.suffix not in (".png", ".whl"):
                yield path


@pytest.mark.parametrize("name", ["_config.yml", "_toc.yml"])
def test_book_links_to_the_top_level_file(name):
    assert (ROOT / "book" / name).resolve() == ROOT / name


def test_contents_list_every_chapter_and_page():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    parts = contents.get("parts", [contents])
    listed = [entry["file"] for part in parts for entry in part["chapters"]]
    pages = {page.stem for page in (ROOT / "book").glob("*.md")}
    assert sorted([contents["root"], *listed]) == sorted(
        pages | {path.stem for path in chapters()}
    )
    in_order = [name for name in listed if re.match(r"\d", name)]
    assert in_order == sorted(in_order)


def test_requirements_pin_what_the_book_is_built_with():
    lines = (ROOT / "requirements.txt").read_text().split("\n")
    lines = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in lines
    assert any(re.match(r"jupyter-book==1\.", line) for line in lines)
    assert lines[-1] == "-e ."
    assert all("==" in line for line in lines[:-1])


def test_library_has_lower_bounds_only():
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert "torch>=2.2" in listed[1]
    assert not re.search("==|<|~=", listed[1])


def test_library_is_small():
    """Below 1,500 lines of code, and 500 for the pages that are alive.

    Comments, docstrings and blank lines do not count.
    """
    lines = {True: 0, False: 0}
    for path in LIBRARY:
        code = bare(path.read_text("utf-8")).split("\n")
        lines["viewer" in path.parts] += len(code)
    assert lines[False] < 1500 and lines[True] < 500


def test_lines_of_the_scripts_are_short():
    scripts = (ROOT / "sirenlib" / "viewer").glob("*.[jc]s*")
    lines = [line for path in scripts for line in path.read_text("utf-8").splitlines()]
    assert lines and [line for line in lines if len(line) > 90] == []


def test_library_lines_are_short():
    lines = [line for path in LIBRARY for line in path.read_text("utf-8").splitlines()]
    assert [line for line in lines if len(line) > 88] == []


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_imports_go_from_later_modules_to_earlier_ones(path):
    module = path.relative_to(ROOT / "sirenlib").parts[0].removesuffix(".py")
    if module == "__init__":
        return
    files = imported(path.read_text("utf-8"), ROOT / "sirenlib", path)
    parts = {file.relative_to(ROOT / "sirenlib").parts[0] for file in files}
    names = {part.removesuffix(".py") for part in parts} - {"__init__", module}
    assert names <= set(ORDER[: ORDER.index(module)])


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r"/(?:home|Users)/\w|/(?:root)/|[A-Z]:\\(?:Users)")
    texts = {path.name: path.read_text("utf-8", "ignore") for path in text_files()}
    found = {name: pattern.findall(text) for name, text in texts.items()}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_live_parts_of_the_first_page_are_fresh():
    """Numbers and pictures aside, which may differ in a last digit."""
    long = re.compile(r"[A-Za-z0-9+/=]{100,}|\b[0-9a-f]{12}\b")
    for name, text in cover.live().items():
        have = (ROOT / "book" / name).read_text("utf-8")
        fresh = long.sub("", have) == long.sub("", text)
        assert fresh, f"book/{name} is stale: run `make execute`"


# The public address


@pytest.fixture
def copy(tmp_path):
    """The files that hold the address, with the address taken back."""
    for path in [ROOT / "_config.yml", ROOT / "README.md", *chapters()]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    set_address("", tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_place_has_the_same_address():
    assert len(set(addresses().values())) == 1


def test_address_is_set_everywhere_and_taken_back(copy):
    before = contents(copy)
    assert set(addresses(copy).values()) == {""}
    set_address(URL, copy)
    assert set(addresses(copy).values()) == {URL}
    once = contents(copy)
    set_address(URL, copy)
    assert contents(copy) == once
    set_address("", copy)
    assert contents(copy) == before


def test_address_gives_launch_buttons_and_links(copy):
    set_address(URL, copy)
    config = yaml.safe_load((copy / "_config.yml").read_text())
    assert config["launch_buttons"]["colab_url"] == "https://colab.research.google.com"
    readme = (copy / "README.md").read_text()
    assert "https://owner.github.io/name/" in readme
    colab = "https://colab.research.google.com/github/owner/name/blob/main/book/"
    assert all(f"{colab}{path.name}" in readme for path in chapters())


@pytest.mark.parametrize(
    "wrong",
    [
        "github.com/owner/name",
        "http://github.com/owner/name",
        "https://github.com/owner",
        f"{URL}/",
        f"{URL}.git",
        "https://example.org/owner/name",
    ],
)
def test_wrong_address_changes_nothing(wrong, copy):
    before = contents(copy)
    with pytest.raises(ValueError, match="give https://github"):
        set_address(wrong, copy)
    assert contents(copy) == before


def test_set_up_cell_is_python_without_its_magic():
    source = set_up_cell(URL)
    ast.parse(re.sub(r"%pip.*", "pass", source))
    assert f'ADDRESS = "{URL}"' in source.splitlines()
