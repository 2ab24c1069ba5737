"""What a chapter's outputs depend on, as one hash.

The hash covers the chapter's code (the set-up cell aside), the modules of sirenlib
behind the names it uses with the scripts beside them, and the recorded runs it shows.
Comments and docstrings are cut out of the text, so that the hash is the same on every
version of Python: ``ast.dump`` and ``ast.unparse`` change from one to the next.
"""

import ast
import hashlib
import io
import re
import tokenize
from itertools import accumulate
from pathlib import Path

from chapters import ROOT, is_set_up
from nbformat import NotebookNode

PACKAGE = "sirenlib"

# The first line of a script names the other scripts that it needs.
NEEDS = re.compile(r"/\* needs: ([\w ]+) \*/")


def fingerprint(notebook: NotebookNode, root: Path = ROOT) -> str:
    """The hash of everything that a chapter's outputs depend on."""
    code = code_of(notebook)
    parts = [text.encode() for text in code]
    files = sources("\n".join(code), root / PACKAGE)
    files += recordings("\n".join(code), root)
    parts += [_content(file) for file in files]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def recorded_fingerprint(notebook: NotebookNode) -> str:
    """The hash at the time of the chapter's last execution; empty before it."""
    return notebook.metadata.get(PACKAGE, {}).get("fingerprint", "")


def code_of(notebook: NotebookNode) -> list[str]:
    """What each code cell says, without comments. The set-up cell is left out."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [bare(source) for source in cells if not is_set_up(source)]


def _content(file: Path) -> bytes:
    """What counts of a file, whatever the ends of its lines."""
    if file.suffix == ".png":
        return file.read_bytes()
    text = file.read_text(encoding="utf-8")
    return (bare(text) if file.suffix == ".py" else text).encode()


# Code without what says nothing


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


# The files behind the code


def sources(code: str, package: Path) -> list[Path]:
    """The files of the package that stand behind the names that the code uses."""
    found, waiting = set(), imported(code, package)
    while waiting:
        file = waiting.pop()
        found.add(file)
        waiting |= _behind(file, package) - found
    return sorted(found)


def _behind(file: Path, package: Path) -> set[Path]:
    """What a file asks for: a module its imports and what lies beside it under its
    name, a script the scripts that it needs."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        beside = {file.with_suffix(suffix) for suffix in (".js", ".css")}
        return imported(text, package, file) | set(filter(Path.is_file, beside))
    needs = NEEDS.match(text)
    names = needs[1].split() if needs else []
    return {file.with_name(f"{name}.js") for name in names}


def imported(code: str, package: Path, module: Path | None = None) -> set[Path]:
    """The modules that the code imports from the package, each with its file.

    ``module`` is the code's own file, which relative imports start from. Names that a
    package exports are followed to the module that defines them, so that its
    ``__init__.py``, which imports them all, does not count.
    """
    nodes = _nodes(code)
    names = [name for node in nodes for name in _imports(node, package, module)]
    names += _attributes(nodes, package.name)
    return {file for name in names for file in _files(name, package)}


def _nodes(code: str) -> list[ast.AST]:
    return list(ast.walk(_parse(code) or ast.Module([], [])))


def _imports(node: ast.AST, package: Path, module: Path | None) -> list[tuple]:
    """Dotted names below the package that an import statement asks for."""
    if isinstance(node, ast.Import):
        dotted = [tuple(alias.name.split(".")) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = tuple(node.module.split(".")) if node.module else ()
        if node.level and module:
            folder = module.parents[node.level - 1].relative_to(package.parent)
            base = (*folder.parts, *base)
        dotted = [(*base, alias.name) for alias in node.names]
    else:
        return []
    return [name[1:] for name in dotted if name[0] == package.name and name[1:]]


def _attributes(nodes: list[ast.AST], package: str) -> list[tuple[str]]:
    """Names used as ``sirenlib.name``, by whatever name the package goes."""
    aliases = {
        alias.asname or package
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == package or (not alias.asname and package in alias.name)
    }
    return [
        (node.attr,)
        for node in nodes
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in aliases
    ]


def _files(name: tuple[str, ...], package: Path) -> list[Path]:
    """The module that a dotted name is or is defined in; of a package all modules."""
    first, rest = name[0], name[1:]
    if rest and (package / first / "__init__.py").is_file():
        return _files(rest, package / first)
    if not rest and first in exports(package):
        return _files(exports(package)[first], package)
    if (package / f"{first}.py").is_file():
        return [package / f"{first}.py"]
    return sorted((package / first).glob("*.py"))


def exports(package: Path) -> dict[str, tuple[str, ...]]:
    """For each name that ``__init__.py`` imports, its dotted origin."""
    file = package / "__init__.py"
    code = file.read_text("utf-8") if file.is_file() else ""
    return {
        alias.asname or alias.name: (*node.module.split("."), alias.name)
        for node in _nodes(code)
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
        for alias in node.names
    }


def recordings(code: str, root: Path) -> list[Path]:
    """The files of each run that the code shows with ``recorded("NAME")``."""
    folder = root / "benchmarks" / "results"
    names = [
        node.args[0].value
        for node in _nodes(code)
        if isinstance(node, ast.Call)
        and "recorded" in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    patterns = [p for name in names for p in (f"{name}.json", f"{name}*.png")]
    return sorted({file for pattern in patterns for file in folder.glob(pattern)})
