"""What holds for the repository as a whole."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import contents as table_of_contents
import cover
import lowest
import marks
import pytest
import sizes
import speed
import yaml
from address import addresses, set_address
from chapters import ROOT, chapters, set_up_cell
from fingerprint import imported
from packaging.specifiers import SpecifierSet

import sirenlib

ORDER = [
    "micro",
    "arguments",
    "environment",
    "signals",
    "images",
    "metrics",
    "predictions",
    "checks",
    "theory",
    "initialization",
    "siren",
    "tiling",
    "quilt",
    "derivatives",
    "starts",
    "state_dicts",
    "diagnosis",
    "evaluation",
    "files",
    "links",
    "sounds",
    "checkpoints",
    "batches",
    "steps",
    "loop",
    "fitting",
    "training",
    "citations",
    "records",
    "figures",
    "machine",
    "verify",
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


def test_robot_that_offers_new_versions_keeps_the_engine():
    """Its limits hold for the versions of today, and for what Jupyter Book 1 needs."""
    robot = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))
    updates = {each["package-ecosystem"]: each for each in robot["updates"]}
    assert set(updates) == {"pip", "github-actions"}
    limits = {
        each["dependency-name"]: SpecifierSet(",".join(each["versions"]))
        for each in updates["pip"]["ignore"]
    }
    assert "2.0.0" in limits["jupyter-book"] and "8.0.0" in limits["sphinx"]
    pinned = re.findall(
        r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    held = {name: version for name, version in pinned if name in limits}
    assert set(held) == set(limits)
    assert not any(version in limits[name] for name, version in held.items())


def test_lowest_versions_are_those_of_the_bounds():
    found = lowest.lowest()
    assert {"torch==2.2.*", "numpy==1.24.*", "ipywidgets==7.7.*"} <= set(found)
    assert all(re.fullmatch(r"[\w-]+==[\d.]+\.\*", line) for line in found)


def test_every_place_has_the_same_version():
    """And the newest changes are those of this version, of one date."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = f"## {citation['version']} ({citation['date-released']})"
    assert re.findall(r"^## .*", changes, re.MULTILINE)[0] == newest
    assert project["project"]["version"] == citation["version"]
    assert sirenlib.__version__ == citation["version"]


def test_both_tables_of_the_chapters_are_fresh():
    pages = {"README.md": "book/", "book/index.md": ""}
    for name, folder in pages.items():
        page = (ROOT / name).read_text(encoding="utf-8")
        fresh = table_of_contents.table(ROOT, folder)
        assert marks.between(page, table_of_contents.NAME)[1] == fresh, (
            "run `make execute`"
        )
        assert fresh.count("\n| ") == len(chapters()) + 1


def test_ruff_has_nothing_to_say():
    for command in (["check"], ["format", "--check"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stdout


def test_library_is_small():
    counted = sizes.lines()
    assert 0 < counted["core"] < sizes.LIMIT
    assert sum(counted.values()) == sum(map(sizes.code_lines, LIBRARY))


def test_reference_has_the_size_of_the_library():
    page = (ROOT / "book" / "reference.md").read_text("utf-8")
    assert sizes.sentence() in page, "the size is stale: run `make execute`"


def test_size_is_written_between_its_marks(tmp_path):
    (tmp_path / "book").mkdir()
    page = tmp_path / "book" / "reference.md"
    old = "<!-- size:begin -->\nOld.\n<!-- size:end -->"
    page.write_text(f"Before.\n\n{old}\nAfter.\n")
    for _ in range(2):
        sizes.write(tmp_path)
        text = page.read_text("utf-8")
        assert text.startswith("Before.") and text.endswith("After.\n")
        assert sizes.sentence() in text and "Old." not in text


def test_page_without_marks_is_an_error(tmp_path):
    page = tmp_path / "page.md"
    for text in ("", "<!-- a:begin -->\n", "<!-- b:begin -->\n<!-- b:end -->"):
        page.write_text(text)
        with pytest.raises(ValueError, match="no <!-- a:begin -->"):
            marks.put(page, "a", "new")
        assert page.read_text() == text


RECORD = {
    "fitted": {"cameraman": [256, 256]},
    "provenance": {"hardware": "A chip, 1 thread"},
    "rows": [
        {"quality": 40, "name": "quilt", "seconds": 1.13, "over": {"quilt": 1.0}},
        {"quality": 40, "name": "sirenlib.fit", "seconds": 9.04, "over": {}},
        {
            "quality": 40,
            "name": "copied recipe, as copied",
            "seconds": 1469.0,
            "over": {"quilt": 1300.0},
        },
        {
            "quality": 40,
            "name": "copied recipe, chunks of 4,096",
            "seconds": 734.5,
            "over": {"quilt": 650.0},
        },
        {"quality": 30, "name": "quilt", "seconds": 7.7, "over": {"quilt": 1.0}},
    ],
}


def test_speed_is_that_of_the_record():
    text = " ".join(speed.sentence(RECORD, None, "page.md").split())
    assert "(A chip)" in text and "256 × 256 pixels, to 40 dB in 1.1 seconds" in text
    assert "one sine network in 9.0." in text
    assert "needs 1,500 seconds: 1,300 times the quilt's, and 650 times" in text
    assert "[benchmarks](page.md)" in text and "7.7" not in text and "GPU" not in text

    gpu = RECORD | {"provenance": {"hardware": "A card"}}
    text = " ".join(speed.sentence(RECORD, gpu, "page.md").split())
    assert "On a GPU (A card) the three take 1.1, 9.0 and 1,500 seconds." in text


@pytest.mark.parametrize("name", speed.PAGES)
def test_pages_say_the_speed_of_the_record(name):
    _, found, _ = marks.between((ROOT / name).read_text("utf-8"), "speed")
    wanted = speed.sentence(*speed.records(), speed.PAGES[name])
    assert found == wanted, "the speed is stale: run `make execute`"


def test_lines_of_the_scripts_are_short():
    scripts = (ROOT / "sirenlib" / "viewer").glob("*.[jc]s*")
    lines = [line for path in scripts for line in path.read_text("utf-8").splitlines()]
    assert lines and [line for line in lines if len(line) > 90] == []


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_imports_go_from_later_modules_to_earlier_ones(path):
    module = path.relative_to(ROOT / "sirenlib").parts[0].removesuffix(".py")
    if module == "__init__":
        return
    files = imported(path.read_text("utf-8"), ROOT / "sirenlib", path)
    parts = {file.relative_to(ROOT / "sirenlib").parts[0] for file in files}
    names = {part.removesuffix(".py") for part in parts} - {"__init__", module}
    assert names <= set(ORDER[: ORDER.index(module)])


def test_clone_of_git_for_windows_has_the_same_bytes(tmp_path):
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("no clone, or no Git")
    found = []
    for ends in ("true", "false"):
        settings = ["-c", f"core.autocrlf={ends}", "-c", "core.eol=native"]
        command = ["git", "clone", "-q", "--depth", "1", *settings, ROOT.as_uri(), ends]
        subprocess.run(command, cwd=tmp_path, check=True)
        files = contents(tmp_path / ends)
        found.append({p: t for p, t in files.items() if p.parts[0] != ".git"})
    assert len(found[0]) > 100 and found[0] == found[1]
    crlf = [path for path, text in found[0].items() if b"\r\n" in text]
    assert {path.suffix for path in crlf} <= {".png", ".pt", ".woff"}


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
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


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


def test_address_keeps_the_ends_of_the_lines(copy):
    plain = contents(copy)
    set_address(URL, copy)
    with_address = contents(copy)
    for path, text in plain.items():
        (copy / path).write_bytes(text.replace(b"\n", b"\r\n"))
    set_address(URL, copy)
    found = {
        path: text.replace(b"\r\n", b"\n") for path, text in contents(copy).items()
    }
    assert found == with_address
    assert all(
        text.count(b"\n") == text.count(b"\r\n") for text in contents(copy).values()
    )


def test_address_gives_launch_buttons_and_links(copy):
    set_address(URL, copy)
    config = yaml.safe_load((copy / "_config.yml").read_text())
    assert config["launch_buttons"]["colab_url"] == "https://colab.research.google.com"
    readme = (copy / "README.md").read_text()
    assert "https://owner.github.io/name/" in readme
    colab = "https://colab.research.google.com/github/owner/name/blob/main/book/"
    assert all(f"{colab}{path.name}" in readme for path in chapters())
    kaggle = f"https://www.kaggle.com/kernels/welcome?src={URL}/blob/main/book/"
    assert all(f"{kaggle}{path.name}" in readme for path in chapters())


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
