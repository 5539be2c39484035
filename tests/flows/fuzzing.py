"""schemathesis over the OpenAPI document of a running service, in a process of its own: its hooks are global, its engine blocks.

    python -m tests.flows.fuzzing URL KEY SEED EXAMPLES SECONDS RUN...

where a RUN is `PHASES` or `PHASES=OPERATIONS`, names of phases and ids with commas between, prints a JSON object for each of them: how many
cases were sent by operation, which statuses came back, and what was found, each with what repeats it. The phases `fuzzing` and
`stateful` go on for SECONDS, chains of all operations for a dozen times as long; with 0 they send EXAMPLES, and the same ones for the same seed. Runs with the phase `examples` come first.

All checks of schemathesis are on. Three of them are told what no schema can say:

* `positive_data_acceptance`: a claim that fits the schema may still be refused for what it says, with 400 or 422.
* `negative_data_rejection`: input is read leniently (docs of the API: numbers are taken where a text is meant). A request that
  breaks the schema may be taken only if it fits once that is allowed for; whatever else is taken is a fault.
* `use_after_free`: a report that was taken out of the mailbox can still be read, as the document says.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import itertools
import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.engine import events, from_schema

from gateway.api import dialect

__all__ = ["fits_leniently"]

_X12 = "application/edi-x12"
_KEY = "Idempotency-Key"
# 429: of many wrong secrets in turn.
_TAKEN = ["2xx", "400", "401", "403", "404", "409", "422", "429"]
_FIRST_TEN = 10
_PATIENCE_SECONDS = 120
_CHAINS_TIMES = 12
_READ_WHEN_REMOVED = frozenset(o.paths[0] for o in dialect.OPERATIONS if o.id in ("readRawReport", "removeReport"))
_PHASES = ("examples", "coverage", "fuzzing", "stateful")


def fits_leniently(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    """Whether a value fits a schema when numbers are taken for texts, texts of digits for integers, and nulls are ignored."""
    if "$ref" in schema:
        return fits_leniently(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value)
    if value is None:
        return True
    options = schema.get("anyOf")
    if options:
        return any(fits_leniently(document, o, value) for o in options)
    said = schema.get("type", [])
    kinds = [said] if isinstance(said, str) else said
    return not kinds or any(_is(document, schema, k, value) for k in kinds)


def _is(document: dict[str, Any], schema: dict[str, Any], kind: str, value: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool))
        case "integer":
            digits = isinstance(value, str) and value.strip().isdigit()
            return digits or (isinstance(value, int | float) and not isinstance(value, bool) and value == int(value))
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list) and all(
                fits_leniently(document, schema.get("items", {}), v)
                for v in value  # pyright: ignore[reportUnknownVariableType]
            )
        case "object":
            return isinstance(value, dict) and _has_fields(document, schema, value)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return False


def _has_fields(document: dict[str, Any], schema: dict[str, Any], value: dict[str, Any]) -> bool:
    missing = [n for n in schema.get("required", ()) if value.get(n) is None]
    fields: dict[str, Any] = schema.get("properties", {})
    return not missing and all(fits_leniently(document, s, value[n]) for n, s in fields.items() if n in value)


def _files() -> st.SearchStrategy[bytes]:
    """X12 as it should be, with pieces of it gone, doubled or replaced."""
    good = [e.body for o in dialect.OPERATIONS for e in o.examples.values() if isinstance(e.body, str)]

    def damaged(text: str, seed: int) -> bytes:
        random, content = Random(seed), bytearray(text.encode())
        for _ in range(random.randrange(4)):
            at = random.randrange(len(content))
            match random.randrange(4):
                case 0:
                    del content[at : at + random.randrange(1, 40)]
                case 1:
                    content[at:at] = content[at : at + random.randrange(1, 40)]
                case 2:
                    content[at] = random.randrange(256)
                case _:
                    content[at : at + 1] = random.choice((b"~", b"*", b":", b"\x00", b"\xff", b"HL*", b"ISA"))
        return bytes(content)

    return st.builds(damaged, st.sampled_from(good), st.integers(0, 1 << 32))


def _prepare() -> None:
    @schemathesis.serializer(_X12)
    def as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
        return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")

    numbers = itertools.count()

    @schemathesis.hook
    def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
        """Most requests get a key of their own: else all but the first would only be told that the key is taken."""
        key = (case.headers or {}).get(_KEY)
        if isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable():
            number = next(numbers)
            if number % _FIRST_TEN:
                case.headers[_KEY] = f"{key[:200].strip()}-{number}"

    _ = (as_it_is, before_call)


class _Run:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.cases: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.faults: dict[tuple[str, str, str], str] = {}

    def take(self, event: Any) -> None:
        if isinstance(event, events.NonFatalError):
            self.faults[event.label, "error", str(event.info)[:300]] = ""
        elif isinstance(event, events.FatalError):
            self.faults["", "error", repr(event.exception)[:300]] = ""
        elif isinstance(event, events.ScenarioFinished):
            self._scenario(event.recorder)

    def _scenario(self, recorder: Any) -> None:
        for case_id, node in recorder.cases.items():
            self.cases[node.value.operation.label] += 1
            interaction = recorder.interactions.get(case_id)
            response = interaction.response if interaction is not None else None
            if response is not None:
                self.statuses[response.status_code] += 1
            for check in recorder.checks.get(case_id, ()):
                if check.failure_info is not None and not self._is_lenient(check.name, node.value):
                    failure = check.failure_info.failure
                    key = (recorder.label, check.name, failure.title)
                    told = f"{failure.message[:1000]}\n{check.failure_info.code_sample[:2000]}"
                    body = f"\n{response.status_code} {response.content[:500]!r}" if response is not None else ""
                    self.faults.setdefault(key, told + body)

    def _is_lenient(self, check: str, case: Any) -> bool:
        if check == "use_after_free":
            return case.operation.path in _READ_WHEN_REMOVED
        if check != "negative_data_rejection" or case.media_type != "application/json":
            return False
        bodies = self.document["paths"][case.operation.path][case.method.lower()].get("requestBody")
        schema = bodies["content"]["application/json"]["schema"] if bodies else {}
        return fits_leniently(self.document, schema, case.body)


def _config(key: str, seed: int, examples: int, seconds: int, phases: Sequence[str]) -> schemathesis.Config:
    wanted = {phase: {"enabled": phase in phases} for phase in _PHASES}
    return schemathesis.Config.from_dict(
        {
            **({"max-time": seconds} if seconds else {}),
            "seed": seed,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "auth": {"openapi": {"key": {"api_key": key}}},
            "generation": {"max-examples": examples, "no-shrink": True, "mode": "all", "database": "none"},
            "checks": {"positive_data_acceptance": {"expected-statuses": _TAKEN}},
            "phases": wanted,
        }
    )


def main(url: str, key: str, seed: str, examples: str, seconds: str, *runs: str) -> None:
    """Run, and print what was found."""
    _prepare()
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=_PATIENCE_SECONDS) as answer:
        document = json.load(answer)
    damaged = False
    for one in runs:
        phases, _, operations = one.partition("=")
        # Examples of X12 are texts, which schemathesis does not take beside a strategy of ours.
        if not damaged and "examples" not in phases:
            schemathesis.openapi.media_type(_X12, _files())
            damaged = True
        span = int(seconds) * (_CHAINS_TIMES if "stateful" in phases else 1)
        config = _config(key, int(seed), int(examples), span, phases.split(","))
        schema = schemathesis.openapi.from_dict(document, config=config)
        schema.config.update(base_url=url)
        run = _Run(document)
        chosen = schema.include(operation_id=operations.split(",")) if operations else schema
        for event in from_schema(chosen).execute():
            run.take(event)
        faults = [{"where": w, "check": c, "title": t, "told": told} for (w, c, t), told in run.faults.items()]
        print(json.dumps({"cases": run.cases, "statuses": run.statuses, "faults": faults}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
