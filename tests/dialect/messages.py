"""The messages of the dialect that are no transaction set, path by path: what is left out of them, and why.

`python -m tests.dialect.messages` writes docs/dialect-coverage/messages.md, which `test_messages` holds against answers of a running
service.
"""

from __future__ import annotations

import re

from tests.dialect.tables import Row, leaves

__all__ = ["LEFT", "PAGE", "TABLES", "main", "render", "why"]

PAGE = "messages"
TABLES = {
    "claim-response": "what became of a submission",
    "payer-search-response": "payers found",
    "polling-transactions-response": "what is new since a cursor",
    "batch-eligibility-request": "many checks",
    "batch-eligibility-response": "that they were taken",
}
_HOSTED = "The hosted service's own: there is nothing here that it could name."
# Table -> pattern of paths -> why they are left out.
LEFT: dict[str, dict[str, str]] = {
    "claim-response": {
        r"editResponses\[\]\.badData|errors\[\]\.value": "The value itself may be the patient's: the field is named, the value never repeated.",
        r"editResponses\[\]\.(allowOverride|editActivity|fieldIndex|phaseID|qualifierCode|referenceID)": "How the older service's own edits work: ours are neither overridden nor run in phases.",
        r"failure\.(code|description)": "`errors[]` says each thing that is wrong, with its field.",
        r"meta\.(billerId|senderId)": "The older service's accounts. Who submits is `submitterId`.",
    },
    "payer-search-response": {
        r"items\[\]\.payer\.enrollment\..*": "Enrolling happens with the payer: the directory says `ENROLLMENT_REQUIRED`, and no process is run here.",
        r"items\[\]\.payer\.(avatarUrl|conciseName|parentPayerGroupId|employerIdentificationNumbers\[\])": _HOSTED,
    },
    "polling-transactions-response": {
        r"items\[\]\.fragments\..*": "Files are not cut into fragments here: each is read whole, whatever its size.",
        r"items\[\]\.translationErrors\[\]\..*": "What cannot be read is no transaction: it is in the inbox of what matches nothing (`/v1/unmatched`), with its reason.",
        r"items\[\]\.x12\.transactionSetting\..*": _HOSTED,
    },
    "batch-eligibility-request": {
        r"items\[\]\.(externalPatientId|eligibilitySearchId)": "The hosted service's own: nothing of it is sent.",
        r"items\[\]\.(controlNumber)": "The envelope: ST02 and ISA13 are our own, and a result is known by its `submitterTransactionIdentifier`.",
    },
    "batch-eligibility-response": {},
}


def why(table: str, path: str) -> str | None:
    """Why a path is left out; None where it is not."""
    return next((reason for pattern, reason in LEFT[table].items() if re.fullmatch(pattern, path)), None)


def _filled(table: str) -> tuple[list[Row], list[Row]]:
    found = leaves(table)
    return [r for r in found if why(table, r.path) is None], [r for r in found if why(table, r.path) is not None]


def render() -> str:
    """The page."""
    out = [
        "# Dialect coverage: messages of the API",
        "",
        "This page is made by `python -m tests.dialect.messages`. What is filled is looked for in answers of a running service by",
        "`tests/dialect/test_messages.py`; what is taken of a batch is what a [question](eligibility-request.md) takes.",
        "",
        "| message | paths | filled or taken | left out |",
        "| --- | --- | --- | --- |",
    ]
    for table, about in TABLES.items():
        filled, left = _filled(table)
        out.append(f"| {about} (`{table}`) | {len(filled) + len(left)} | {len(filled)} | {len(left)} |")
    out += ["", "## Left out", "", "| message | paths | reason |", "| --- | --- | --- |"]
    for table in TABLES:
        reasons: dict[str, list[str]] = {}
        for row in _filled(table)[1]:
            reasons.setdefault(why(table, row.path) or "", []).append(row.path)
        for reason, paths in reasons.items():
            told = paths if len(paths) <= 6 else [*paths[:3], f"and {len(paths) - 3} more"]
            named = ", ".join(f"`{p}`" if not p.startswith("and ") else p for p in told)
            out.append(f"| `{table}` | {named} | {reason} |")
    return "\n".join(out) + "\n"


def main() -> None:
    """Write the page."""
    from tests.dialect.report import DOCUMENTS

    (DOCUMENTS / f"{PAGE}.md").write_text(render(), "utf-8")


if __name__ == "__main__":
    main()
