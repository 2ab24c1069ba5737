"""Recorded runs: what took too long, or a GPU, to be run with every chapter."""

import json
from importlib.resources import files


def recorded(name: str) -> dict:
    """The recorded run of that name, with its provenance.

    It holds what ``benchmarks/results/NAME.json`` holds. The pictures that belong to
    it, ``NAME*.png``, stand in ``"pictures"``: their bytes by what follows NAME and a
    dash.

    Raises:
        ValueError: there is no such record.

    Example:
        >>> import sirenlib
        >>> sorted(sirenlib.recorded("steps")["provenance"])[:2]
        ['commit', 'date']
    """
    folder = files("sirenlib.results")
    names = sorted(entry.name for entry in folder.iterdir())
    if f"{name}.json" not in names:
        have = ", ".join(n.removesuffix(".json") for n in names if n.endswith(".json"))
        raise ValueError(f"no record is called {name!r}; there are: {have}")
    record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    record["pictures"] = {
        entry.removeprefix(f"{name}-").removesuffix(".png"): (
            folder / entry
        ).read_bytes()
        for entry in names
        if entry.startswith(f"{name}-") and entry.endswith(".png")
    }
    return record
