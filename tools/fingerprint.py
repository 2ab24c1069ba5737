"""What a chapter's outputs depend on, as one hash.

The hash covers the chapter's code (the set-up cell aside), the modules of sirenlib
behind the names it uses, and the recorded runs it shows. Comments and docstrings
are cut out of the text, so that the hash is the same on every version of Python:
``ast.dump`` and ``ast.unparse`` change from one to the next.
"""

import ast
import hashlib
import io
import tokenize
from itertools import accumulate
from pathlib import Path

from chapters import ROOT, is_set_up
from nbformat import NotebookNode

PACKAGE = "sirenlib"


def fingerprint(notebook: NotebookNode, root: Path = ROOT) -> str:
    """The hash of everything that a chapter's outputs depend on."""
    code = [
        bare(cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code" and not is_set_up(cell.source)
    ]
    parts = [text.encode() for text in code]
    parts += [_content(file) for file in sources("\n".join(code), root / PACKAGE)]
    parts += [file.read_bytes() for file in recordings("\n".join(code), root)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def recorded_fingerprint(notebook: NotebookNode) -> str:
    """The hash at the time of the chapter's last execution; empty before it."""
    return notebook.metadata.get(PACKAGE, {}).get("fingerprint", "")


def bare(source: str) -> str:
    """The source without comments, docstrings and blank lines."""
    tree = _parse(source)
    if tree is None:
        return source
    docstrings = _docstring_starts(tree, source.split("\n"))
    starts = [0, *accumulate(len(line) + 1 for line in source.split("\n"))]
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        comment = token.type == tokenize.COMMENT
        if comment or (token.type == tokenize.STRING and token.start in docstrings):
            first = starts[token.start[0] - 1] + token.start[1]
            last = starts[token.end[0] - 1] + token.end[1]
            source = source[:first] + source[last:]
    return "\n".join(line.rstrip() for line in source.split("\n") if line.strip())


def _parse(source: str) -> ast.Module | None:
    """The syntax tree; None for a cell with a magic or an error in it."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def _docstring_starts(tree: ast.Module, lines: list[str]) -> set[tuple[int, int]]:
    """Row and column of each docstring, counted as `tokenize` counts them."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False):
            text = node.body[0]
            before = lines[text.lineno - 1].encode()[: text.col_offset].decode()
            found.add((text.lineno, len(before)))
    return found


def sources(code: str, package: Path) -> list[Path]:
    """The files of the package that stand behind the names that the code uses."""
    found, waiting = set(), imported(code, package)
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= imported(module.read_text("utf-8"), package, module) - found
    beside = {file for module in found for file in module.parent.iterdir()}
    return sorted(found | {f for f in beside if f.suffix in (".js", ".css", ".html")})


def imported(code: str, package: Path, module: Path | None = None) -> set[Path]:
    """The modules that the code imports from the package, each with its file.

    ``module`` is the code's own file, which relative imports start from. Names that
    the package itself exports are followed to the module that defines them.
    """
    tree = _parse(code) or ast.Module([], [])
    wanted = [name for node in ast.walk(tree) for name in _names(node, package, module)]
    wanted += _attributes(tree, package.name)
    return {file for name in wanted if (file := _file(name, package))}


def _names(node: ast.AST, package: Path, module: Path | None) -> list[tuple[str, ...]]:
    """Dotted names below the package that an import statement asks for."""
    if isinstance(node, ast.Import):
        dotted = [tuple(alias.name.split(".")) for alias in node.names]
        return [name[1:] for name in dotted if name[0] == package.name and name[1:]]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = tuple(node.module.split(".")) if node.module else ()
    if node.level and module:
        folder = module.parents[node.level - 1].relative_to(package).parts
        return [(*folder, *base, alias.name) for alias in node.names]
    if base[:1] != (package.name,):
        return []
    return [(*base[1:], alias.name) for alias in node.names]


def _attributes(tree: ast.Module, package: str) -> list[tuple[str]]:
    """Names used as ``sirenlib.name``, by whatever name the package goes."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    aliases = {
        alias.asname or package
        for node in imports
        for alias in node.names
        if alias.name == package or (not alias.asname and package in alias.name)
    }
    return [
        (node.attr,)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in aliases
    ]


def _file(name: tuple[str, ...], package: Path) -> Path | None:
    """The module that a dotted name is, or is defined in."""
    if len(name) == 1 and name[0] in exports(package):
        name = exports(package)[name[0]]
    for length in (len(name), len(name) - 1):
        stem = package.joinpath(*name[:length])
        for file in (stem.with_suffix(".py"), stem / "__init__.py"):
            if length and file.is_file():
                return file
    return None


def exports(package: Path) -> dict[str, tuple[str, ...]]:
    """For each name that ``__init__.py`` imports, its dotted origin."""
    file = package / "__init__.py"
    statements = _parse(file.read_text("utf-8")).body if file.is_file() else []
    return {
        alias.asname or alias.name: (*(node.module or "").split("."), alias.name)
        for node in statements
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
        for alias in node.names
    }


def recordings(code: str, root: Path) -> list[Path]:
    """The files of each run that the code shows with ``recorded("NAME")``."""
    folder = root / "benchmarks" / "results"
    names = [
        node.args[0].value
        for node in ast.walk(_parse(code) or ast.Module([], []))
        if isinstance(node, ast.Call)
        and "recorded" in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    patterns = [p for name in names for p in (f"{name}.json", f"{name}*.png")]
    return sorted({file for pattern in patterns for file in folder.glob(pattern)})


def _content(file: Path) -> bytes:
    text = file.read_text(encoding="utf-8")
    return (bare(text) if file.suffix == ".py" else text).encode()
