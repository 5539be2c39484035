"""What the sandbox payer knows: interchanges seen, claims, its outbox, its numbers and its clock, in one SQLite file.

One writer, one commit before each answer: what was promised is there after any crash. Nothing here knows X12.

Sources: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous (FULL syncs the WAL at every commit).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec

__all__ = ["ClaimRow", "Listed", "State", "moment"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posts (
    key TEXT PRIMARY KEY, sha256 TEXT NOT NULL, reference TEXT NOT NULL, received_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS interchanges (
    sender TEXT NOT NULL, control_number TEXT NOT NULL, copies INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (sender, control_number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
    id INTEGER PRIMARY KEY,
    claim_key TEXT NOT NULL, clearinghouse_number TEXT, patient_control_number TEXT NOT NULL, member_id TEXT NOT NULL,
    fingerprint TEXT, duplicate INTEGER NOT NULL DEFAULT 0,
    script TEXT NOT NULL, state TEXT NOT NULL, status TEXT NOT NULL DEFAULT '',
    payee TEXT NOT NULL, received_at REAL NOT NULL, due_at REAL, pay_day TEXT,
    final_at REAL, paid TEXT, trace TEXT, replaces INTEGER, replaced_by INTEGER,
    claim BLOB NOT NULL, payment BLOB
);
CREATE INDEX IF NOT EXISTS claims_by_key ON claims (claim_key);
CREATE INDEX IF NOT EXISTS claims_by_clearinghouse ON claims (clearinghouse_number);
CREATE INDEX IF NOT EXISTS claims_by_patient ON claims (patient_control_number, member_id);
CREATE INDEX IF NOT EXISTS claims_by_fingerprint ON claims (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX IF NOT EXISTS claims_due ON claims (due_at) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS claims_of_day ON claims (payee, pay_day) WHERE state = 'open';
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE, name TEXT NOT NULL, release_at REAL NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS taken_files (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, taken_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pins (identity TEXT PRIMARY KEY, script TEXT NOT NULL, pin BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owed (payee TEXT PRIMARY KEY, amount TEXT NOT NULL) WITHOUT ROWID;
"""
# A block of numbers is fetched with one commit; what is left of it when the process ends is never used.
_NUMBERS_BLOCK = 500
_BUSY_MILLISECONDS = 5_000
# What the names of the counters of acknowledgements begin with.
_TOLD = "acknowledged "
_COUNTERS = ("interchanges", "duplicateInterchanges", "duplicateClaims")


class ClaimRow(msgspec.Struct, kw_only=True):
    """A claim as it is kept. `claim` is what was submitted, `payment` what was remitted, both JSON.

    States: rejected (not taken), lost (never found again), silent (taken, nothing said), open (will be remitted at
    `due_at`), final, withdrawn (replaced or voided before it was paid).
    """

    id: int = 0
    claim_key: str
    clearinghouse_number: str | None
    patient_control_number: str
    member_id: str
    fingerprint: str | None
    duplicate: int
    script: str
    state: str
    status: str = ""
    payee: str
    received_at: float
    due_at: float | None
    pay_day: str | None
    final_at: float | None = None
    paid: str | None = None
    trace: str | None = None
    replaces: int | None = None
    replaced_by: int | None = None
    claim: bytes
    payment: bytes | None = None


_FIELDS = ClaimRow.__struct_fields__
_SELECT = f"SELECT {', '.join(_FIELDS)} FROM claims "  # noqa: S608 - names of columns, all of them written above
_KEPT = tuple(f for f in _FIELDS if f != "id")
_INSERT = f"INSERT INTO claims ({', '.join(_KEPT)}) VALUES ({', '.join('?' * len(_KEPT))})"  # noqa: S608


class Listed(msgspec.Struct):
    """A file of the outbox, by name."""

    reference: str
    name: str


class State:
    """The payer's memory. Calls that change something belong inside `transaction()`; not for two threads at once."""

    def __init__(self, path: Path | str, now: datetime) -> None:
        # What apsw says about the types of bindings is not all known to a type checker.
        self._connection: Any = apsw.Connection(str(path))
        self._connection.set_busy_timeout(_BUSY_MILLISECONDS)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._run(f"PRAGMA {pragma}")
        self._next, self._last = 1, 0
        with self.transaction():
            self._connection.execute(_SCHEMA)
            self._run("INSERT INTO facts VALUES ('born', ?) ON CONFLICT DO NOTHING", int(now.timestamp()))
        self.offset = timedelta(seconds=float(self._fact("offset_seconds", 0.0)))
        self.pins: dict[str, str] = dict(self._run("SELECT identity, script FROM pins"))
        # Numbers given out begin with when the file was made: those of a new file are never those of an old one.
        self.tag = _base36(int(self._fact("born", 0)))

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; on disk when it returns."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            if not self._connection.get_autocommit():
                self._run("ROLLBACK")
            self._next, self._last = 1, 0
            raise

    def _run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql, values))

    def _fact(self, name: str, otherwise: Any) -> Any:
        found = self._run("SELECT value FROM facts WHERE name = ?", name)
        return found[0][0] if found else otherwise

    def _count(self, name: str) -> None:
        self._run("INSERT INTO facts VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1", name)

    # --- clock and numbers ---

    def forward(self, seconds: float) -> None:
        """Move the clock on."""
        self.offset += timedelta(seconds=seconds)
        offset = self.offset.total_seconds()
        self._run("INSERT INTO facts VALUES ('offset_seconds', ?) ON CONFLICT DO UPDATE SET value = ?", offset, offset)

    @property
    def numbers_left(self) -> int:
        """How many numbers are at hand without a commit."""
        return self._last - self._next + 1

    def number(self) -> int:
        """The next control number: rising, never the same again."""
        if not self.numbers_left:
            self._run(
                "INSERT INTO facts VALUES ('numbers', ?) ON CONFLICT DO UPDATE SET value = value + ?",
                _NUMBERS_BLOCK,
                _NUMBERS_BLOCK,
            )
            self._last = int(self._fact("numbers", 0))
            self._next = self._last - _NUMBERS_BLOCK + 1
        self._next += 1
        return self._next - 1

    # --- how it is to be ---

    def habits(self) -> bytes | None:
        """The payer's habits as they were last set."""
        return self._fact("habits", None)

    def set_habits(self, habits: bytes) -> None:
        self._run("INSERT INTO facts VALUES ('habits', ?) ON CONFLICT DO UPDATE SET value = excluded.value", habits)

    def pin(self, identity: str, script: str, pin: bytes) -> None:
        self._run("INSERT OR REPLACE INTO pins VALUES (?, ?, ?)", identity, script, pin)

    def unpin(self) -> None:
        self._run("DELETE FROM pins")

    def pinned(self) -> list[bytes]:
        """Every pin, and from now on they hold."""
        self.pins = dict(self._run("SELECT identity, script FROM pins"))
        return [row[0] for row in self._run("SELECT pin FROM pins ORDER BY identity")]

    # --- what arrived ---

    def post(self, key: str) -> tuple[str, str] | None:
        """(hash, reference) of what was stored under an idempotency key."""
        found = self._run("SELECT sha256, reference FROM posts WHERE key = ?", key)
        return (found[0][0], found[0][1]) if found else None

    def add_post(self, key: str, sha256: str, reference: str, now: datetime) -> None:
        self._run("INSERT INTO posts VALUES (?, ?, ?, ?)", key, sha256, reference, now.timestamp())

    def add_taken_file(self, name: str, size: int, now: datetime) -> None:
        self._run("INSERT INTO taken_files VALUES (?, ?, ?) ON CONFLICT DO NOTHING", name, size, now.timestamp())

    def taken_file(self, name: str) -> tuple[int, datetime] | None:
        """(bytes, when) of a file that came under a name."""
        found = self._run("SELECT bytes, taken_at FROM taken_files WHERE name = ?", name)
        return (found[0][0], moment(found[0][1])) if found else None

    def host_key(self, fresh: str) -> str:
        """The key that the payer is known by over SSH; the fresh one where there was none."""
        self._run("INSERT INTO facts VALUES ('host_key', ?) ON CONFLICT DO NOTHING", fresh)
        return self._fact("host_key", fresh)

    def first_copy(self, sender: str, control_number: str) -> bool:
        """Note an interchange; False where the sender has used its number before."""
        before = self._run("SELECT 1 FROM interchanges WHERE sender = ? AND control_number = ?", sender, control_number)
        self._run(
            "INSERT INTO interchanges (sender, control_number) VALUES (?, ?) ON CONFLICT DO UPDATE SET copies = copies + 1",
            sender,
            control_number,
        )
        self._count("duplicateInterchanges" if before else "interchanges")
        return not before

    def seen(self) -> dict[str, Any]:
        """Counts for tests: claims by key, interchanges, and what came twice."""
        counts: dict[str, Any] = {name: int(self._fact(name, 0)) for name in _COUNTERS}
        told = self._run("SELECT name, value FROM facts WHERE name >= ? AND name < ?", _TOLD, f"{_TOLD}~")
        counts["acknowledgements"] = {name.removeprefix(_TOLD): times for name, times in told}
        return {"claims": dict(self._run("SELECT claim_key, count(*) FROM claims GROUP BY claim_key")), **counts}

    def acknowledged(self, verdict: str) -> None:
        """Note what was said of a file that was collected."""
        self._count(f"{_TOLD}{verdict}")

    # --- claims ---

    def add_claim(self, row: ClaimRow) -> int:
        """Keep a claim; its id."""
        self._run(_INSERT, *(getattr(row, name) for name in _KEPT))
        if row.duplicate:
            self._count("duplicateClaims")
        return self._connection.last_insert_rowid()

    def change_claim(self, claim_id: int, **values: Any) -> None:
        """Set these columns of a claim."""
        columns = ", ".join(f"{name} = ?" for name in values if name in _FIELDS)
        self._run(f"UPDATE claims SET {columns} WHERE id = ?", *values.values(), claim_id)  # noqa: S608

    def claim(self, claim_id: int) -> ClaimRow | None:
        return next(iter(self._claims("WHERE id = ?", claim_id)), None)

    def same_claims(self, fingerprint: str) -> list[ClaimRow]:
        """Claims with this fingerprint that were taken, oldest first."""
        return self._claims("WHERE fingerprint = ? AND state != 'rejected' ORDER BY id", fingerprint)

    def claims_numbered(self, clearinghouse_number: str) -> list[ClaimRow]:
        return self._claims("WHERE clearinghouse_number = ? ORDER BY id", clearinghouse_number)

    def claims_of_patient(self, patient_control_number: str, member_id: str) -> list[ClaimRow]:
        where = "WHERE patient_control_number = ? AND member_id = ? ORDER BY id"
        return self._claims(where, patient_control_number, member_id)

    def payments_due(self, now: datetime) -> list[tuple[str, str]]:
        """(payee, day) of each payment that is to be made now."""
        sql = "SELECT payee, pay_day FROM claims WHERE state = 'open' AND due_at <= ? GROUP BY payee, pay_day ORDER BY min(id)"
        return [(row[0], row[1]) for row in self._run(sql, now.timestamp())]

    def claims_to_pay(self, payee: str, pay_day: str) -> list[ClaimRow]:
        return self._claims("WHERE state = 'open' AND payee = ? AND pay_day = ? ORDER BY id", payee, pay_day)

    def _claims(self, where: str, *values: Any) -> list[ClaimRow]:
        return [ClaimRow(**dict(zip(_FIELDS, row, strict=True))) for row in self._run(_SELECT + where, *values)]

    # --- money that a payee has to give back ---

    def owed(self, payee: str) -> str:
        found = self._run("SELECT amount FROM owed WHERE payee = ?", payee)
        return found[0][0] if found else "0"

    def set_owed(self, payee: str, amount: str) -> None:
        self._run("INSERT INTO owed VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = excluded.amount", payee, amount)

    # --- outbox ---

    def add_file(self, reference: str, name: str, release_at: datetime, payload: bytes) -> None:
        self._run(
            "INSERT INTO outbox (reference, name, release_at, payload) VALUES (?, ?, ?, ?)",
            reference,
            name,
            release_at.timestamp(),
            payload,
        )

    def files(self, now: datetime) -> list[Listed]:
        """What is there to collect, oldest first."""
        sql = "SELECT reference, name FROM outbox WHERE release_at <= ? ORDER BY release_at, id"
        return [Listed(*row) for row in self._run(sql, now.timestamp())]

    def file(self, reference: str, now: datetime) -> bytes | None:
        sql = "SELECT payload FROM outbox WHERE reference = ? AND release_at <= ?"
        found = self._run(sql, reference, now.timestamp())
        return found[0][0] if found else None

    def remove_file(self, reference: str, now: datetime) -> None:
        """It was collected. Again is the same as once; what is not yet there to collect stays."""
        self._run("DELETE FROM outbox WHERE reference = ? AND release_at <= ?", reference, now.timestamp())


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text or "0"


def moment(seconds: float) -> datetime:
    """A kept time as an aware UTC one."""
    return datetime.fromtimestamp(seconds, UTC)
