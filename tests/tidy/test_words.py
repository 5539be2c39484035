"""Sizes and names: a module fits in the head, and is called what the field calls it."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy.tree import EXEMPT, files, functions, modules, parsed, text

MODULE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70
# Written in halves, so that the list does not find itself.
BANNED_NAMES = frozenset(("ut" + "il", "ut" + "ils", "hel" + "per", "hel" + "pers", "man" + "ager"))
BANNED_WORDS = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + "X)\b")
_TEXTS = (".py", ".md", ".sql", ".toml", ".html", ".css", ".guide", ".codes", ".standard", ".yml", ".yaml")


def _exempt(rule: str, found: list[str]) -> list[str]:
    """What is found and not excused; an excuse that nothing needs is told as well."""
    places = {place for one, place in EXEMPT if one == rule}
    unneeded = [f"{place}: exempt from {rule!r} without need" for place in places - {f.split(":")[0] for f in found}]
    return [f for f in found if f.split(":")[0] not in places] + unneeded


def test_no_module_passes_seven_hundred_lines() -> None:
    sizes = {name: len(text(name).splitlines()) for name in modules()}
    found = [f"{name}: {lines} lines" for name, lines in sizes.items() if lines > MODULE_LINES_MAX]
    assert [] == _exempt("module lines", found)


def test_no_function_passes_seventy_lines() -> None:
    found = [
        f"{name}: {f.name}: {f.end_lineno - f.lineno + 1} lines"
        for name in modules()
        for f in functions(parsed(name))
        if f.end_lineno is not None and f.end_lineno - f.lineno >= FUNCTION_LINES_MAX
    ]
    assert [] == _exempt("function lines", found)


def _names(tree: ast.AST) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append((name, node.lineno))
            case ast.Name(id=name, ctx=ast.Store()):
                found.append((name, node.lineno))
            case ast.arg(arg=name):
                found.append((name, node.lineno))
            case _:
                pass
    return found


def _words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return set(re.split(r"[^a-z0-9]+", spaced.lower()))


@pytest.mark.parametrize("example", ["claim_" + "ut" + "ils", "Queue" + "Man" + "ager", "test_hel" + "pers"])
def test_banned_words_are_seen_inside_names(example: str) -> None:
    assert _words(example) & BANNED_NAMES


def test_names_are_the_fields_own_words() -> None:
    found = [
        f"{name}:{line}: {said}"
        for name in modules()
        for said, line in _names(parsed(name))
        if _words(said) & BANNED_NAMES
    ]
    found += [f"{name}: the name of the file" for name in files() if _words(name) & BANNED_NAMES]
    assert [] == _exempt("names", found)


def test_nothing_is_left_to_be_done_later_in_a_comment() -> None:
    found = [
        f"{name}:{number}: {said[0]}"
        for name in files()
        if name.endswith(_TEXTS)
        for number, line in enumerate(text(name).splitlines(), 1)
        if (said := BANNED_WORDS.search(line))
    ]
    assert [] == _exempt("words", found)


def test_every_exemption_has_a_reason() -> None:
    assert [] == [place for place, reason in EXEMPT.items() if len(reason.split()) < 3]
