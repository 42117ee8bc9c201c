"""Writes the Python reference from the stub and the Python files: reference.py FOLDER_OF_THE_PACKAGE.

What is public is what `__init__.py` lists. Signatures and words come from where they are kept true: `_core.pyi` is proven by
stubtest, and the examples are doctests.
"""

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

SOURCES = ["_core.pyi", "_facts.py", "_modules.py", "exceptions.py"]
LINE_WIDTH = 84


def public_names(package: Path) -> list[str]:
    """List what the package exports."""
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    raise SystemExit(f"{package}/__init__.py has no __all__")


def definitions(package: Path) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    """Find every class and function of the sources, by name."""
    found = {}
    for source in SOURCES:
        for node in ast.parse((package / source).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[node.name] = written_out(package, node)
    return found


def written_out(package: Path, node: ast.ClassDef | ast.FunctionDef) -> ast.ClassDef | ast.FunctionDef:
    """Replace the stub's own names of types (`_Path`) by what they stand for."""
    stub = ast.parse((package / SOURCES[0]).read_text(encoding="utf-8")).body
    aliases = {
        ast.unparse(line.target): line.value
        for line in stub
        if isinstance(line, ast.AnnAssign) and line.value and ast.unparse(line.annotation) == "TypeAlias"
    }

    class Replace(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.AST:
            return aliases.get(name.id, ast.Name(name.id.removeprefix("_")))

    return Replace().visit(node)


def prose(docstring: str | None) -> str:
    """Turn a docstring into Markdown: double backticks into single ones, doctests into blocks."""
    lines: list[str] = []
    in_code = False
    for line in (docstring or "").splitlines():
        starts = line.startswith((">>>", "    ")) and (not lines or not lines[-1].strip())
        if not in_code and starts:
            lines.append("```pycon" if line.startswith(">>>") else "```text")
            in_code = True
        elif in_code and not line.strip():
            lines.append("```")
            in_code = False
        lines.append(line if in_code else line.replace("``", "`"))
    return "\n".join([*lines, "```"] if in_code else lines)


def parameters(arguments: ast.arguments) -> list[str]:
    """List the parameters as they are written, without `self`."""
    listed = re.split(r", (?![^\[(]*[\])])", ast.unparse(arguments))
    flat = (re.sub(r"\| \(([^()]*)\)", r"| \1", name) for name in listed)
    return [re.sub("(: .*[^ ])=", r"\1 = ", name) for name in flat if name not in {"self", "cls", "/", ""}]


def signature(name: str, function: ast.FunctionDef) -> str:
    """Write a signature, one parameter a line where it is long."""
    listed = parameters(function.args)
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{name}({', '.join(listed)}){returns}"
    if len(line) <= LINE_WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {parameter}," for parameter in listed), f"){returns}"])


def decorators(function: ast.FunctionDef) -> set[str]:
    """Name what decorates it."""
    return {ast.unparse(decorator) for decorator in function.decorator_list}


def documented_values(body: list[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """Find values with a docstring below them: name, type, words."""
    for node, after in pairwise(body):
        is_doc = (
            isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        )
        if not is_doc:
            continue
        if isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target), ast.unparse(node.annotation), after.value.value
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("self."):
            yield ast.unparse(node.targets[0]).removeprefix("self."), "", after.value.value


def values(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Find the attributes of a class: fields, what `__init__` sets, properties."""
    yield from documented_values(node.body)
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            yield from documented_values(member.body)
        elif isinstance(member, ast.FunctionDef) and "property" in decorators(member):
            yield member.name, ast.unparse(member.returns) if member.returns else "", ast.get_docstring(member) or ""


def class_page(node: ast.ClassDef) -> Iterator[str]:
    """Write one class."""
    bases = [ast.unparse(base) for base in node.bases]
    yield f"## {node.name}"
    if bases:
        yield f"A {', '.join(f'`{base}`' for base in bases)}."
    yield prose(ast.get_docstring(node))
    rows = list(dict.fromkeys(values(node)))
    if rows:
        lines = [
            f"| `{name}` | {f'`{type}`' if type else ''} | {' '.join(words.replace('``', '`').split())} |"
            for name, type, words in rows
        ]
        yield "\n".join(
            [
                "| attribute | type | |",
                "| --- | --- | --- |",
                *(line.replace(" | None`", " \\| None`") for line in lines),
            ]
        )
    for member in node.body:
        is_method = isinstance(member, ast.FunctionDef) and not member.name.startswith("_")
        if is_method and "property" not in decorators(member):
            yield f"### {node.name}.{member.name}"
            owner = node.name if "staticmethod" in decorators(member) else node.name.lower()
            yield f"```python\n{signature(f'{owner}.{member.name}', member)}\n```"
            yield prose(ast.get_docstring(member))


def page(package: Path) -> Iterator[str]:
    """Write the whole page, in paragraphs."""
    known = definitions(package)
    names = [name for name in public_names(package) if name in known]
    missing = [name for name in public_names(package) if name not in known and name != "__version__"]
    if missing:
        raise SystemExit(f"no definition found of {', '.join(missing)}")
    yield "# Python reference"
    yield "Made from the package's own signatures and words. Everything is imported from `ledgerstone`."
    yield "## Functions"
    for name in names:
        function = known[name]
        if isinstance(function, ast.FunctionDef):
            yield f"### {name}"
            yield f"```python\n{signature(f'ls.{name}', function)}\n```"
            yield prose(ast.get_docstring(function))
    for name in names:
        node = known[name]
        if isinstance(node, ast.ClassDef):
            yield from class_page(node)


if __name__ == "__main__":
    print("\n\n".join(part for part in page(Path(sys.argv[1])) if part))
