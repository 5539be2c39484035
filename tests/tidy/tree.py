"""The files of the tree as the tidy tests see them, and what is exempt from which rule."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["DOCUMENTS", "EXEMPT", "PACKAGES", "ROOT", "blocks", "files", "functions", "modules", "parsed", "text"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "adapters", "x12", "queues", "observability")

# (rule, file) -> why; the rules are "module lines", "function lines", "names" and "words". One that is needed no longer
# fails the tests too.
EXEMPT: dict[tuple[str, str], str] = {}

_SKIPPED = re.compile(r"(^|/)(\.git|\.venv|\.[a-z_]+_cache|\.hypothesis|__pycache__|dist|build|[\w-]+-data)(/|$)")


@cache
def files() -> tuple[str, ...]:
    """Every file that belongs to the tree, relative to its root: what git tracks or would track, else what lies here."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        told = subprocess.run(
            [git, "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        names = told.stdout.splitlines()
    else:
        names = [p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*")]
    return tuple(sorted(n for n in set(names) if not _SKIPPED.search(n) and (ROOT / n).is_file()))


@cache
def text(name: str) -> str:
    """The content of a file; empty for one that is no text."""
    content = (ROOT / name).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", "replace")


def modules(*folders: str) -> list[str]:
    """The Python files in these folders of the tree, or all of them."""
    return [n for n in files() if n.endswith(".py") and (not folders or n.split("/", 1)[0] in folders)]


@cache
def parsed(name: str) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text(name), name)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function in a syntax tree, methods and inner ones too."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


DOCUMENTS = tuple(n for n in files() if n.endswith(".md"))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(name: str, language: str) -> list[str]:
    """The code blocks of a document that are in this language; an empty one is the shell's."""
    return [m[2] for m in _BLOCK.finditer(text(name)) if m[1] == language]
