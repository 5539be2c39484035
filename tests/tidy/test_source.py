"""What the source may do where: put SQL together, read the clock, go without a docstring."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.tidy.tree import PACKAGES, functions, modules, parsed

# Statements are put together from names of columns here, and nowhere else; the sandbox has a database of its own.
SQL_PLACES = ("gateway/simulation/checks.py", "gateway/ledger/", "queues/", "adapters/sandbox/state.py")
_STATEMENT = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|PRAGMA)\b|\b(WHERE|FROM|SET|VALUES)\b"
)
_RUN = frozenset(("execute", "executemany", "executescript", "many"))
_CLOCKS = frozenset(
    (
        "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "uuid.uuid4", "uuid.uuid1",
        "random.random", "random.randint", "random.choice",
    )
)  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _made_of_text(node: ast.expr) -> bool:
    """Whether an expression is a statement put together from pieces."""
    if isinstance(node, ast.JoinedStr):
        return bool(_STATEMENT.search("".join(str(c.value) for c in node.values if isinstance(c, ast.Constant))))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
        return any(isinstance(n, ast.Constant) and _STATEMENT.search(str(n.value)) for n in ast.walk(node))
    return False


def _runs_made_up(node: ast.Call) -> bool:
    """Whether a call runs a statement that is not written out."""
    if not isinstance(node.func, ast.Attribute) or not node.args:
        return False
    on_transaction = isinstance(node.func.value, ast.Name) and node.func.value.id == "tx"
    if node.func.attr not in _RUN and not (node.func.attr in ("fetch", "row") and on_transaction):
        return False
    return not isinstance(node.args[0], ast.Constant)


def made_up(tree: ast.AST) -> Iterator[int]:
    """Lines where SQL is not written out."""
    for node in ast.walk(tree):
        if (isinstance(node, ast.Call) and _runs_made_up(node)) or (isinstance(node, ast.expr) and _made_of_text(node)):
            yield node.lineno


def test_sql_is_written_out_everywhere_but_in_the_ledger_and_the_queues() -> None:
    assert [] == [
        f"{name}:{line}"
        for name in modules(*PACKAGES)
        if not name.startswith(SQL_PLACES)
        for line in made_up(parsed(name))
    ]


def _values(node: ast.expr) -> Iterator[str]:
    """Names whose values get into a text; how many there are, and whether there are any, does not."""
    match node:
        case ast.Name(id=name):
            yield name
        case ast.Call(func=ast.Name(id="len" | "range" | "enumerate")) | ast.Compare():
            return
        case ast.Attribute(attr="skip_locked" | "server_clock"):
            return
        case ast.IfExp(body=body, orelse=otherwise):
            yield from _values(body)
            yield from _values(otherwise)
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from _values(child)
                elif isinstance(child, ast.comprehension):
                    yield from _values(child.iter)


def tainted(function: Function) -> set[str]:
    """Parameters of a function whose values get into the text of a statement."""
    given = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)} - {"self"}
    locals_: dict[str, set[str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            locals_.setdefault(node.targets[0].id, set()).update(_values(node.value))
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.expr) and _made_of_text(node):
            reached, left = set[str](), set(_values(node))
            while left:
                name = left.pop()
                reached.add(name)
                left |= locals_.get(name, set()) - reached
            found |= reached & given
    return found


def test_no_value_gets_into_the_text_of_a_statement() -> None:
    assert [] == [
        f"{name}:{f.lineno}: {', '.join(sorted(found))}"
        for name in modules(*PACKAGES)
        for f in functions(parsed(name))
        if (found := tainted(f))
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('def f(tx, x):\n    tx.execute(f"SELECT {x} FROM t")', {"x"}),
        ('def f(tx, x):\n    y = f" WHERE a = {x}"\n    tx.execute("SELECT 1 FROM t" + y)', {"x"}),
        (
            'def f(tx, x):\n    n = ", ".join(f"${i}" for i in range(len(x)))\n    tx.execute(f"SELECT {n} FROM t")',
            set[str](),
        ),
        ('def f(tx, x):\n    tx.execute(f"SELECT {COLUMNS} FROM t WHERE a = $1", x)', set[str]()),
    ],
)
def test_values_in_statements_are_seen(source: str, expected: set[str]) -> None:
    assert expected == tainted(next(functions(ast.parse(source))))


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id=first), attr=second):
            return f"{first}.{second}"
        case _:
            return ""


def test_time_and_chance_come_through_the_world() -> None:
    """The sandbox is somebody else's system, with a clock of its own."""
    assert [] == [
        f"{name}:{node.lineno}: {_dotted(node.func)}"
        for name in modules("gateway", "queues", "x12")
        # The simulator is a world of its own: its chance comes out of the seed.
        if name != "gateway/world.py" and not name.startswith("gateway/simulation/")
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.Call) and _dotted(node.func) in _CLOCKS
    ]


def test_everything_public_says_what_it_is() -> None:
    found: list[str] = []
    for name in modules(*PACKAGES):
        tree = parsed(name)
        if ast.get_docstring(tree) is None:
            found.append(f"{name}: the module")
        found += [
            f"{name}:{node.lineno}: {node.name}"
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
        ]
    assert [] == found
