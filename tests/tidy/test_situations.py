"""docs/situations.md lists the rules that there are. `python -m tests.tidy.test_situations` writes the table."""

from __future__ import annotations

import sys

from tests.tidy.tree import ROOT
from x12 import guides, situations

DOCUMENT = ROOT / "docs" / "situations.md"
MARK = "<!-- generated: tests/tidy/test_situations.py says how -->\n"


def table() -> str:
    """Every rule in a line, guide by guide."""
    lines: list[str] = []
    for key in sorted(guides.available()):
        guide = guides.load(*key)
        statements = situations.rules(guide)
        if guide.id != key[0] or not statements:
            continue
        lines += ["", f"### {guide.set_id} {guide.id}", "", "| rule | level | place | what to do | source |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        loops: dict[str, list[str]] = {}
        for statement in statements:
            loops.setdefault(statement.rule.id, []).append(statement.loop)
        shown: set[str] = set()
        for statement in statements:
            rule = statement.rule
            if rule.id in shown:
                continue
            shown.add(rule.id)
            level = f"{rule.level} {rule.product}" if rule.product else str(rule.level)
            level += " (warning)" if rule.severity == "warning" else ""
            place = str(statement.blamed).split(" ", 1)
            where = ", ".join(loops[rule.id]) if len(loops[rule.id]) > 1 else place[0]
            source = rule.source.split(" ", 1)[1].replace("|", "\\|")
            lines.append(f"| `{rule.id}` | {level} | {where} {place[1]} | {rule.message} | {source} |")
    return "\n".join(lines) + "\n"


def test_the_document_lists_the_rules() -> None:
    head, _, listed = DOCUMENT.read_text("utf-8").partition(MARK)
    assert head
    assert table() == listed


if __name__ == "__main__":
    before = DOCUMENT.read_text("utf-8").partition(MARK)[0]
    DOCUMENT.write_text(before + MARK + table(), "utf-8")
    sys.stdout.write(f"{DOCUMENT.name}: written\n")
