"""Migrations only expand: the release before must work on what they leave. Taking away is a release of its own, and says since when nobody looks.

An index is not missed: the release before asks the same without it, if not as quickly.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Folder -> the first migration that the rule is for: before it there was no release.
SCHEMAS = {ROOT / "gateway" / "ledger" / "schema": 12, ROOT / "queues" / "schema": 5}
CONTRACT = "-- contract:"


def faults(sql: str) -> list[str]:
    """What in a migration the release before could not live with."""
    found = [f"takes away: {match[0]}" for match in re.finditer(r"(?i)\b(drop|rename)\s+(?!index\b)\w+", sql)]
    found += [f"a new kind: {match[0]}" for match in re.finditer(r"(?i)alter\s+column\s+\w+", sql)]
    for match in re.finditer(r"(?is)add\s+column\s+(\w+)([^;]*);", sql):
        if re.search(r"(?i)not\s+null", match[2]) and not re.search(r"(?i)default", match[2]):
            found.append(f"{match[1]} must be given by who does not know it")
    return found


def by_rule() -> list[Path]:
    """The migrations that the rule is for."""
    return [
        path
        for folder, first in SCHEMAS.items()
        for path in sorted(folder.glob("*.sql"))
        if int(path.name[:4]) >= first
    ]


@pytest.mark.parametrize("path", by_rule(), ids=lambda path: path.name)
def test_a_migration_expands_or_says_that_it_contracts(path: Path) -> None:
    sql = path.read_text("utf-8")
    assert CONTRACT in sql or [] == faults(sql)


def test_what_the_release_before_cannot_live_with_is_found() -> None:
    assert [] == faults("ALTER TABLE t ADD COLUMN a BIGINT NOT NULL DEFAULT 0; CREATE INDEX i ON t (a);")
    assert ["takes away: DROP COLUMN"] == faults("ALTER TABLE t DROP COLUMN a;")
    assert ["takes away: RENAME TO"] == faults("ALTER TABLE t RENAME TO u;")
    assert ["a must be given by who does not know it"] == faults("ALTER TABLE t ADD COLUMN a TEXT NOT NULL;")
