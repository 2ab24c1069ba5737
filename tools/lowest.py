"""Print the library's lower bounds as exact versions, for pip: `torch==2.2.*`."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def lowest() -> list[str]:
    """One line for each requirement of the library and of its extras."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    names = [*project["dependencies"], *(name for extra in extras for name in extra)]
    return [name.replace(">=", "==") + ".*" for name in names]


if __name__ == "__main__":
    print("\n".join(lowest()))
