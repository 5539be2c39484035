"""JSON logs through an allow-list: a key that is not on it, or a value that is not a plain short token, never gets out.

A log line says what happened and to which ids; what a claim or a person is called belongs in the ledger, sealed.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog
from opentelemetry import trace

__all__ = ["ALLOWED", "Log", "configure", "get"]

Log = structlog.typing.FilteringBoundLogger

# What a line may say. Every value is an id, a code, a count or a word of ours.
ALLOWED = frozenset(
    (
        "adapter", "address", "attempt", "bytes", "claims", "code", "codes", "count", "destination_id", "due", "duration_ms", "error", "event",
        "evidence", "exception", "fact", "findings", "host", "inbound_id", "interchange_id", "key_id", "kind", "level", "line", "logger",
        "member_count", "method", "migrations", "operation", "outcome", "owner", "payer_id", "port", "reason", "route", "route_id",
        "set_id", "sets", "span_id", "state", "status", "step", "tenant_id", "timestamp", "trace_id", "transaction_id",
        "usage", "version", "where", "work_id", "work_kind",
    )
)  # fmt: skip
_TOKEN = re.compile(r"[\w .:/+@\-,()'%\[\]]{0,200}")
_MASKED = "[masked]"
# Words that could be free text are kept only where the program itself wrote them.
_OURS = frozenset(("event", "reason", "where", "exception", "timestamp", "logger", "level"))


def _allowed(key: str, value: Any) -> Any:
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_allowed(key, v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    text = str(value)
    if key in _OURS or _TOKEN.fullmatch(text):
        return text[:500]
    return _MASKED


def _filter(_: Any, __: str, entry: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {key: _allowed(key, value) for key, value in entry.items() if key in ALLOWED}


def _exception(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception by its type and place: its text may quote the data that caused it, so it is left out."""
    found: object = entry.pop("exc_info", None)
    error = found if isinstance(found, BaseException) else sys.exc_info()[1] if found else None
    if isinstance(error, BaseException):
        entry["exception"] = type(error).__name__
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        if last is not None:
            entry["where"] = f"{last.tb_frame.f_globals.get('__name__', '?')}:{last.tb_lineno}"
    return entry


def _name(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The logger's name under the key that a line has for it; structlog has another use for a first value called so."""
    entry.setdefault("logger", entry.pop("name", None))
    return entry


def _trace(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        entry["trace_id"] = f"{context.trace_id:032x}"
        entry["span_id"] = f"{context.span_id:016x}"
    return entry


class _Standard(logging.Handler):
    """Lines of libraries, told by logger, level and place only: their text is not ours to vouch for."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        extra = {"exception": type(error).__name__} if error is not None else {}
        get("library").log(
            record.levelno, "library message", logger=record.name, where=f"{record.module}:{record.lineno}", **extra
        )


class _StandardError:
    """Standard error as it is when a line is written: whoever had put another stream in its place may have closed that since."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send JSON lines of this level and above to a stream (standard error), those of libraries included."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            _name,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace,
            _exception,
            _filter,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream or cast("TextIO", _StandardError())),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Standard()]
    root.setLevel(max(number, logging.WARNING))


def get(name: str) -> Log:
    """A logger of this name."""
    return structlog.get_logger(name=name)
