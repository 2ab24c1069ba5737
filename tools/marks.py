"""Text between two marks of a page, such as ``<!-- size:begin -->``."""

from pathlib import Path


def between(page: str, name: str) -> tuple[str, str, str]:
    """What stands before the text of that name, the text, and what stands behind.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    before, found, rest = page.partition(begin)
    text, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"there is no {begin.strip()} … {end}")
    return before + begin, text, end + after


def put(path: Path, name: str, text: str) -> None:
    """Write the text between the marks of that name."""
    before, _, after = between(path.read_text(encoding="utf-8"), name)
    path.write_text(f"{before}{text}{after}", encoding="utf-8")
