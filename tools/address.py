"""Set the book's public address in every place, or take it back.

``python tools/address.py https://github.com/OWNER/NAME`` sets it, and an empty
string takes it back. Only text is edited: comments and layout stay.
"""

import re
import sys
from pathlib import Path

import nbformat
import yaml
from chapters import ROOT, chapters, public_address
from launching import WELCOME

# Colab and Kaggle open notebooks from GitHub, and the site is on GitHub Pages.
ADDRESS = re.compile(r"https://github\.com/([\w-]+)/([\w.-]*[\w-])")

# Present and empty, these keys crash the theme: without an address they are absent.
LAUNCH_BUTTONS = """\
launch_buttons:
  colab_url: https://colab.research.google.com
  kaggle_url: https://www.kaggle.com
  notebook_interface: jupyterlab

"""
# With its address a page names the one place that search engines shall list.
PAGES = """\
  baseurl: https://{owner}.github.io/{name}/
  use_repository_button: true
  use_issues_button: true
"""
BEGIN, END = "<!-- address:begin -->\n", "<!-- address:end -->"

PLACES = {
    ".yml": 'the lines `repository:`, `  url: ""` and `html:`',
    ".md": f"the lines {BEGIN.strip()} and {END}",
    ".ipynb": "the set-up cell with its line ADDRESS",
}


def set_address(url: str, root: Path = ROOT) -> None:
    """Set the address everywhere; empty takes it back.

    Raises:
        ValueError: the address is not one of a GitHub repository, or a place for
            it is missing. Nothing is written then.
    """
    if url and (not ADDRESS.fullmatch(url) or url.endswith(".git")):
        raise ValueError(
            f"{url!r} is not the address of a repository; give "
            "https://github.com/OWNER/NAME, without .git or a slash at the end"
        )
    edits = {root / "_config.yml": _config, root / "README.md": _readme}
    edits |= dict.fromkeys(chapters(root), _chapter)
    written = {path: edit(path, url, root) for path, edit in edits.items()}
    for path, text in written.items():
        ends = "\r\n" if b"\r\n" in path.read_bytes() else "\n"
        path.write_text(text, encoding="utf-8", newline=ends)


def addresses(root: Path = ROOT) -> dict[str, str]:
    """The address as each place has it, by the place's name."""
    config = yaml.safe_load(_text(root / "_config.yml"))
    url = public_address(root)
    html = config.get("html", {})
    buttons, base = html.get("use_repository_button"), html.get("baseurl", "")
    pages = re.sub(r"//([^.]+)\.github\.io/([^/]+)/", r"//github.com/\1/\2", base)
    readme = re.search(r"\((https://github\.com/[^)]*)\)", _badges(root / "README.md"))
    found = {
        "_config.yml, repository": url,
        "_config.yml, launch_buttons": url if "launch_buttons" in config else "",
        "_config.yml, html": url if buttons else "",
        "_config.yml, baseurl": pages,
        "README.md": readme[1] if readme else "",
    }
    for path in chapters(root):
        line = re.search(_SET_UP_LINE, _text(path))
        found[path.name] = line[2] if line else "no set-up cell"
    return found


_SET_UP_LINE = r'("ADDRESS = \\")([^"\\]*)(\\")'


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _replace(pattern: str, value: str, text: str, path: Path) -> str:
    """The text with the first match's second group replaced."""
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise ValueError(
            f"{path.name} has no place for the address; put back {PLACES[path.suffix]}"
        )
    return text[: found.start(2)] + value + text[found.end(2) :]


def _config(path: Path, url: str, root: Path) -> str:
    text = _text(path).replace(LAUNCH_BUTTONS, "")
    text = re.sub(PAGES.format(owner=".*", name=".*"), "", text)
    text = _replace(r'^(repository:\n(?:  .*\n)*?  url: ")([^"]*)(")', url, text, path)
    blocks = "html:\n"
    if url:
        owner, name = ADDRESS.fullmatch(url).groups()
        blocks = LAUNCH_BUTTONS + blocks + PAGES.format(owner=owner, name=name)
    return _replace(r"^()(html:\n)()", blocks, text, path)


def _chapter(path: Path, url: str, root: Path) -> str:
    return _replace(_SET_UP_LINE, url, _text(path), path)


def _badges(path: Path) -> str:
    return _text(path).partition(BEGIN)[2].partition(END)[0]


def _readme(path: Path, url: str, root: Path) -> str:
    """Links in words: a picture from another host would tell it who reads this."""
    lines = []
    if url:
        owner, name = ADDRESS.fullmatch(url).groups()
        colab = f"https://colab.research.google.com/github/{owner}/{name}/blob/main"
        kaggle = f"https://www.kaggle.com{WELCOME}{url}/blob/main"
        lines = [f"[The book online](https://{owner}.github.io/{name}/)"]
        lines += [f"[the repository]({url})"]
        lines += [
            f"[Colab: {_title(p)}]({colab}/book/{p.name})"
            f" ([Kaggle]({kaggle}/book/{p.name}))"
            for p in chapters(root)
        ]
    badges = " ·\n".join(lines) + "\n" if lines else ""
    return _replace(f"({BEGIN})((?:.*\n)*?)({END})", badges, _text(path), path)


def _title(path: Path) -> str:
    first = nbformat.read(path, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"one address is needed, or an empty string\n\n{__doc__}")
    try:
        set_address(sys.argv[1])
    except ValueError as error:
        sys.exit(str(error))
