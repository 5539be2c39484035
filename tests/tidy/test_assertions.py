"""A test that asserts nothing is a defect."""

from __future__ import annotations

import ast
from functools import cache

from tests.tidy.tree import functions, modules, parsed

Function = ast.FunctionDef | ast.AsyncFunctionDef
_RAISING = frozenset(("raises", "warns", "fail"))


@cache
def _defined(name: str) -> dict[str, Function]:
    """The functions that a module defines or imports from other tests, by the name it calls them."""
    found = {f.name: f for f in functions(parsed(name))}
    for node in ast.walk(parsed(name)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
            path = (node.module or "").replace(".", "/") + ".py"
            if path in modules("tests"):
                there = {f.name: f for f in functions(parsed(path))}
                found |= {a.asname or a.name: there[a.name] for a in node.names if a.name in there}
    return found


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def asserts(function: Function, known: dict[str, Function], seen: frozenset[str] = frozenset()) -> bool:
    """Whether a function asserts something, itself or through a function of the tests that it calls."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Call):
            name = _called(node)
            if name in _RAISING and isinstance(node.func, ast.Attribute):
                return True
            if name in known and name not in seen and asserts(known[name], known, seen | {name}):
                return True
    return False


def test_every_test_asserts_something() -> None:
    assert [] == [
        f"{name}:{f.lineno}: {f.name}"
        for name in modules("tests")
        for f in functions(parsed(name))
        if f.name.startswith("test_") and not asserts(f, _defined(name), frozenset((f.name,)))
    ]


def test_a_test_that_asserts_nothing_is_seen() -> None:
    source = (
        "def check(x):\n    assert x\n\ndef test_a():\n    check(1)\n\ndef test_b():\n    print(1)\n    assert True\n"
    )
    known = {f.name: f for f in functions(ast.parse(source))}
    assert {"check": True, "test_a": True, "test_b": False} == {n: asserts(f, known) for n, f in known.items()}


def test_no_two_tests_of_a_module_have_one_name() -> None:
    found: list[str] = []
    for name in modules("tests"):
        names = [f.name for f in parsed(name).body if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))]
        found += [f"{name}: {said}" for said in set(names) if names.count(said) > 1]
    assert [] == found
