"""Judges every file of the corpus and tells where we, its source and pyx12 disagree, and why: docs/corpus.md.

`python -m tests.corpus.report` writes the document. What it says of a file comes from the run; why a verdict is what it is
comes from `reasons.toml` beside, which speaks of places of guides, not of files, wherever a place is enough. A verdict that
nothing there explains is shown as such, and fails the test.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import msgspec

from tests.corpus.listed import DOCUMENT, Entry, entries, findings, placed, received
from tests.corpus.rewritten import CLAIM_KINDS, NORMALISATIONS, rewritten
from x12.envelope import Interchange
from x12.finding import Finding

__all__ = ["UNEXPLAINED", "Verdict", "idle", "main", "missed", "render", "verdicts"]

REASONS = Path(__file__).parent / "reasons.toml"
UNEXPLAINED = "**not explained**"
_COMPARED = ("accept", "reject")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the guide faults what stands at these places: `place code`, a final `*` for any beginning; `sets` narrow it."""

    places: list[str]
    why: str
    sets: list[str] = []

    def explains(self, entry: Entry, place: str) -> bool:
        return (not self.sets or entry.transaction in self.sets) and any(
            place.startswith(p[:-1]) if p.endswith("*") else place == p for p in self.places
        )


class Single(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is peculiar to one file, or to files of one source (a pattern): it explains all that is found there."""

    file: str
    why: str


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that is wrong on purpose: what its source says, in our words, and the findings that are that fault."""

    file: str
    what: str
    found: list[str]


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Errors of pyx12 where it is wrong, or says it otherwise: `match` is looked for in `segment code message`."""

    match: str
    why: str


class Reasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reasons.toml`."""

    rule: list[Rule] = []
    file: list[Single] = []
    invalid: list[Fault] = []
    pyx12: list[Peer] = []


class Verdict(msgspec.Struct):
    """What our reader says of one file. `word` is accepted, rejected, no guide, or no interchange."""

    entry: Entry
    word: str
    errors: Counter[str]
    warnings: Counter[str]

    @property
    def accepted(self) -> bool:
        return self.word == "accepted"


@cache
def reasons() -> Reasons:
    return msgspec.toml.decode(REASONS.read_bytes(), type=Reasons)


@cache
def verdicts() -> tuple[Verdict, ...]:
    """Every file of the corpus, judged once."""
    return tuple(_verdict(entry, received(entry)) for entry in entries())


def _verdict(entry: Entry, interchanges: Sequence[Interchange]) -> Verdict:
    found = findings(list(interchanges))

    def kind(severity: str) -> Counter[str]:
        chosen: list[Finding] = [f for f in found if f.severity == severity]
        return placed(chosen)

    sets = [s for i in interchanges for s in i.sets]
    if not any(any(i.elements) for i in interchanges):
        word = "no interchange"
    elif any(s.guide is None for s in sets):
        word = "no guide"
    else:
        word = "rejected" if kind("error") else "accepted"
    return Verdict(entry, word, kind("error"), kind("warning"))


def _why(verdict: Verdict) -> str:
    """The reasons for all errors that we have found in a file: its own, then those of the places."""
    told = dict.fromkeys(r.why for r in reasons().file if fnmatch(verdict.entry.file, r.file))
    single = bool(told)
    for place in verdict.errors:
        why = next((r.why for r in reasons().rule if r.explains(verdict.entry, place)), None)
        if why is not None or not single:
            told[why or f"{UNEXPLAINED}: {place}."] = None
    return " ".join(told)


def _cell(found: Counter[str]) -> str:
    return ", ".join(f"{count} × `{place}`" if count > 1 else f"`{place}`" for place, count in sorted(found.items()))


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    lines += [f"| {' | '.join(str(c).replace('|', chr(92) + '|') for c in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


# --- what the document says ------------------------------------------------------------------------------------------


def _counted() -> Iterator[list[object]]:
    """A row for each folder: files, our verdicts, and how often source and pyx12 decided otherwise."""
    folders: dict[str, list[Verdict]] = {}
    for verdict in verdicts():
        folders.setdefault(verdict.entry.file.partition("/")[0], []).append(verdict)
    folders["all"] = list(verdicts())
    for folder, inside in folders.items():
        words = Counter(v.word for v in inside)
        against_source = sum(_against_source(v) for v in inside)
        compared = [v for v in inside if _compared(v)]
        against_pyx12 = sum(v.accepted is not (v.entry.pyx12.result == "accept") for v in compared)
        yield [
            folder,
            len(inside),
            words["accepted"],
            words["rejected"],
            words["no guide"],
            words["no interchange"],
            against_source,
            f"{against_pyx12} of {len(compared)}",
        ]


def _against_source(verdict: Verdict) -> bool:
    """Whether the source's word and ours differ; a file without a guide here is not judged."""
    if verdict.word == "no guide" or (verdict.entry.validity == "valid" and not verdict.entry.structure.envelope_ok):
        return False
    return {"valid": not verdict.accepted, "invalid": verdict.accepted}.get(verdict.entry.validity, False)


def _compared(verdict: Verdict) -> bool:
    return verdict.word in ("accepted", "rejected") and verdict.entry.pyx12.result in _COMPARED


def _faulted() -> Iterator[list[object]]:
    for verdict in verdicts():
        if verdict.entry.validity == "valid" and verdict.word == "rejected":
            yield [f"`{verdict.entry.file}`", _cell(verdict.errors), _why(verdict)]


def _wrong() -> Iterator[list[object]]:
    by_file = {v.entry.file: v for v in verdicts()}
    for fault in reasons().invalid:
        verdict = by_file[fault.file]
        lost = [place for place in fault.found if place not in verdict.errors]
        shown = ", ".join(f"`{place}`" for place in fault.found)
        yield [f"`{fault.file.partition('/')[2]}`", fault.what, f"{UNEXPLAINED}: {lost}" if lost else shown]


def missed() -> list[str]:
    """Files that are wrong on purpose and of which `reasons.toml` does not say where."""
    told = {fault.file for fault in reasons().invalid}
    return [v.entry.file for v in verdicts() if v.entry.validity == "invalid" and v.entry.file not in told]


def idle() -> list[str]:
    """Reasons that nothing in the run asked for: they are about what is no longer so."""
    shown = render()
    whys = [r.why for group in (reasons().rule, reasons().file, reasons().pyx12) for r in group]
    return [why for why in whys if why.replace("|", chr(92) + "|") not in shown]


def _against_pyx12() -> Iterator[list[object]]:
    """A row for each reason why pyx12's verdict is another one, with the files."""
    files: dict[str, dict[str, None]] = {}
    for verdict in verdicts():
        if not _compared(verdict) or verdict.accepted is (verdict.entry.pyx12.result == "accept"):
            continue
        for why in _pyx12_whys(verdict):
            files.setdefault(why, {})[verdict.entry.file] = None
    for why, named in files.items():
        yield [why, ", ".join(f"`{name}`" for name in named)]


def _pyx12_whys(verdict: Verdict) -> Iterator[str]:
    if not verdict.accepted:
        yield f"We find fault, pyx12 does not. {_why(verdict)}"
        return
    errors = verdict.entry.pyx12.errors
    if not errors:
        yield "pyx12 rejects and gives no error."
    for error in errors:
        text = f"{error.seg or error.level} {error.code} {error.msg}"
        found = (p.why for p in reasons().pyx12 if re.search(p.match, text))
        # The message of pyx12 may tell a value: it is not copied.
        known = re.split(r'[("=]', error.msg, maxsplit=1)[0]
        yield next(found, f"{UNEXPLAINED}: {error.seg or error.level} {error.code} {known}")


def _rules() -> Iterator[list[object]]:
    """A row for each rule by which claims may come back otherwise, with how many sets it changes."""
    for rule in NORMALISATIONS:
        yield [rule.name, rule.why, sum(rule.name in one.used for one in rewritten())]


def _there_and_back() -> Iterator[list[object]]:
    for kind in CLAIM_KINDS:
        done = [one for one in rewritten() if one.kind.name == kind]
        same = sum(one.expected == one.written for one in done)
        yield [kind, len({one.entry.file for one in done}), len(done), sum(one.claims for one in done), same]


def _unjudged() -> Iterator[list[object]]:
    versions: dict[str, list[str]] = {}
    for verdict in verdicts():
        if verdict.word == "no guide":
            versions.setdefault(f"{verdict.entry.transaction} {verdict.entry.version}", []).append(verdict.entry.file)
    for version, files in sorted(versions.items()):
        yield [f"`{version}`", len(files)]


_HEAD = """\
# The corpus of real files, and what is wrong with some of them

This page is made by `python -m tests.corpus.report` from a run over all files and from `tests/corpus/reasons.toml`.

`tests/corpus` runs against a folder of X12 files that nobody on this project wrote: `CLAIMWIRE_CORPUS` names it, and its
`manifest.json` says where each file is from, what it holds, whether its source calls it valid, and what pyx12 4.0 says of it.
The files are under the licences of their projects and are not in this repository; without the folder those tests are skipped.

Of the files that their source calls valid, whose envelope is right, and whose guide we have, more is asked:

| what | what is asked of it |
| --- | --- |
| 837P, 837I, 837D | submitted as it is to a service with its sandbox payer, each claim becomes a transaction of its own and ends with a 999, a 277CA and an 835 |
| 270 | each question gets a 271 |
| 276 | each question gets a 277 |
| 271, 277, 277CA, 278, 835, 837I, 837D | it is read into documents that JSON gives back as they were, with every claim and every person in them |

## What the run came to
Accepted is a file without an error at any level. `against source` are verdicts that differ from a source that says valid or
invalid, `against pyx12` those that differ from pyx12 where both judge; the tables after this one explain each.

"""
_FAULTED = """\

## Files that the reader faults
Their source calls them valid. A file that is not in this table has no error; one that is has these and no others: an error is
written as its place and its code (IK304, IK403), and how often it occurs. Each reason has two sources, those of
[guides.md](guides.md), unless it says otherwise.

"""
_WRONG = """\

## Files that are wrong on purpose
What their source says is wrong, and the finding at that place. Other findings of the same file are not listed.

"""
_PYX12 = """\

## Where pyx12 decides otherwise
Errors of pyx12 are from the manifest; each row is a reason, with the files that it decides.

"""
_REWRITTEN = """\

## Claims that are written again
Every transaction set of claims in which syntax, guide and sums are right, whatever its source says of it, is read into JSON, and
out of the JSON an interchange is written. The segments are the same and in the same order after these rules, and these only:

"""
_UNJUDGED = """\

## Files of guides that are not here
Read, acknowledged as not supported (IK502 1, AK905 2), and not judged.

"""
_ANSWERED = """\

The gateway refuses a claim for these findings, whose set gets a 999 that rejects it where no claim of it is left; and such a 276. An
answer of a payer is read all the same. These files name payers of their own: the sandbox payer takes them for examples, so that beyond
syntax, guide and sums (levels 4 to 7) it only warns, and of the NPIs' check digits too, since what reaches it is a test.
"""


def render() -> str:
    """The document, as it should be."""
    counted = (
        "folder", "files", "accepted", "rejected", "no guide", "no interchange", "against source", "against pyx12",
    )  # fmt: skip
    return "".join(
        (
            _HEAD,
            _table(counted, list(_counted())),
            _FAULTED,
            _table(("file", "findings", "reason"), list(_faulted())),
            _ANSWERED,
            _WRONG,
            _table(("file", "what is wrong", "found"), list(_wrong())),
            _PYX12,
            _table(("reason", "files"), list(_against_pyx12())),
            _REWRITTEN,
            _table(("rule", "reason", "sets that it changes"), list(_rules())),
            "\n",
            _table(("claims", "files", "sets", "claims in them", "sets that are the same"), list(_there_and_back())),
            _UNJUDGED,
            _table(("transaction, GS08", "files"), list(_unjudged())),
        )
    )


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(render(), "utf-8")


if __name__ == "__main__":
    main()
