"""`claimwire x12`: reads, judges, acknowledges, writes and explains X12 files, without a service, a database or a configuration.

One contract for all of them: paths or `-`, several at once; `--json` prints one object a file; the exit code is 0 when all is
accepted, 1 when there are findings (or differences), 2 when something cannot be read. What a command does is imported when
it runs, so that it starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.x12_files import (
    ACCEPTED,
    FINDINGS,
    UNREADABLE,
    AsJson,
    Files,
    Judged,
    Out,
    Unreadable,
    complain,
    console_of,
    content,
    interchanges_of,
    parts,
    put_out,
    shown_name,
    written,
    written_json,
)
from gateway.x12_telling import diff, explain, fix

if TYPE_CHECKING:
    from gateway.x12_verdicts import Verdict
    from x12.codes.lists import Lists
    from x12.envelope import Interchange, TransactionSet
    from x12.finding import Finding

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Read, judge, acknowledge, write and explain X12 files. Exit code: 0 accepted, 1 findings, 2 unreadable.",
)


def _levels(text: str) -> frozenset[int]:
    """`1-5`, `3` or `1,2,4-6` as levels."""
    levels: set[int] = set()
    for word in text.split(","):
        first, _, last = word.strip().partition("-")
        if not (first.isdigit() and (last or first).isdigit() and 1 <= int(first) <= int(last or first) <= 7):
            raise typer.BadParameter("say levels from 1 to 7, such as 1-5 or 1,3")
        levels.update(range(int(first), int(last or first) + 1))
    return frozenset(levels)


# --- validate ------------------------------------------------------------------------------------------------------


@app.command()
def validate(
    files: Files,
    levels: Annotated[str, typer.Option(help="SNIP levels to judge at: 1-7, or a list of them.")] = "1-7",
    companion: Annotated[
        list[Path] | None,
        typer.Option("--companion", help="A companion guide's patch, judged at level 7; may be repeated."),
    ] = None,
    codes: Annotated[
        Path | None, typer.Option(help="A folder of loaded code lists: `codes` in the data folder.", metavar="DIR")
    ] = None,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Ask pyx12 too (claimwire[oracle]) and list where it differs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge files by their implementation guides: what is wrong, where, and what to do."""
    from gateway.x12_verdicts import JsonVerdict, TextVerdict

    wanted, judged, companions, lists = _levels(levels), Judged(), _companions(companion or ()), _lists(codes)
    console = console_of()
    for name in files:
        shown = shown_name(name)
        verdict = JsonVerdict(written_json, shown) if as_json else TextVerdict(console, shown)
        accepted, problem, further = True, None, dict[str, Any]()
        try:
            data = content(name) if oracle else None
            for part in parts(name, data, keep=False, levels=wanted, lists=lists, companions=companions):
                accepted = _judge(part, wanted, verdict) and accepted
            further = _second_opinion(data) if data is not None else {}
        except Unreadable as error:
            accepted, problem = False, str(error)
        verdict.end(accepted, problem, further)
        judged.add(UNREADABLE if problem else ACCEPTED if accepted else FINDINGS)
    judged.leave()


def _companions(paths: Sequence[Path]) -> list[str]:
    """The texts of companion guides and payers' rules, each tried on the guides that it is for."""
    if not paths:
        return []
    from gateway.companion_files import NO_GUIDE, tried
    from x12.guides import GuideError

    texts: list[str] = []
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{path} cannot be read", param_hint="--companion") from error
        try:
            used = tried(text, path.name)
        except GuideError as error:
            raise typer.BadParameter(str(error), param_hint="--companion") from error
        if not used:
            raise typer.BadParameter(f"{path.name}: {NO_GUIDE}", param_hint="--companion")
        texts.append(text)
    return texts


def _lists(folder: Path | None) -> Lists | None:
    """The code lists that were loaded into a folder, over those that come along."""
    if folder is None:
        return None
    from gateway.code_files import CodeFileError, lists_in

    if not folder.is_dir():
        raise typer.BadParameter(
            f"{folder} is no folder: name the one that `claimwire codes load` fills", param_hint="--codes"
        )
    try:
        return lists_in(folder)
    except CodeFileError as error:
        raise typer.BadParameter(str(error), param_hint="--codes") from error


def _second_opinion(data: bytes) -> dict[str, Any]:
    """What pyx12 says of the same bytes."""
    import logging

    from x12.oracle import Absent, second_opinion

    # It logs what it cannot read, patients' data too.
    logging.getLogger("pyx12").setLevel(logging.CRITICAL + 1)
    try:
        return {"oracle": second_opinion(data)}
    except Absent as error:
        raise typer.BadParameter(str(error), param_hint="--oracle") from error


def _judge(part: TransactionSet | Interchange, levels: frozenset[int], verdict: Verdict) -> bool:
    """Tell the verdict about a part, and let the part go; whether it is accepted."""
    from gateway.x12_verdicts import without_findings
    from x12.envelope import Interchange

    chosen: Callable[[list[Finding]], list[Finding]] = lambda found: [f for f in found if f.level in levels]  # noqa: E731
    if isinstance(part, Interchange):
        verdict.interchange(part, chosen)
        return all(without_findings(chosen(of.findings)) for of in (part, *part.groups))
    found = chosen(part.findings)
    verdict.transaction(part, found)
    return without_findings(found)


# --- ack -----------------------------------------------------------------------------------------------------------


@app.command()
def ack(
    files: Files,
    ta1: Annotated[bool, typer.Option("--ta1", help="The TA1, whether it was asked for or not.")] = False,
    implementation: Annotated[bool, typer.Option("--999", help="A 999 for each functional group.")] = False,
    claims: Annotated[bool, typer.Option("--277ca", help="A 277CA for each set of claims, claim by claim.")] = False,
    control_number: Annotated[
        int, typer.Option(help="ISA13 and GS06 of the first acknowledgement.", min=1, max=999_999_999)
    ] = 1,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Write the acknowledgement of each interchange: by itself, or as asked for, its TA1, 999 and 277CA."""
    import msgspec

    from gateway.x12_answers import Wanted, answers

    wanted = Wanted(ta1, implementation, claims)
    judged, number, everything = Judged(), control_number, list[str]()
    for name in files:
        made: list[str] = []
        accepted, problem = True, None
        try:
            for received in interchanges_of(name, keep=claims):
                accepted = accepted and _wholly_accepted(received)
                for text, groups in answers(received, wanted, number):
                    made.append(text)
                    number += max(groups, 1)
        except Unreadable as error:
            accepted, problem = False, str(error)
            if not as_json:
                complain(name, error)
        if as_json:
            said = {"file": shown_name(name), "accepted": accepted, "acknowledgements": made}
            said |= {"unreadable": problem} if problem else {}
            written_json(msgspec.json.encode(said).decode() + "\n")
        everything += made
        judged.add(UNREADABLE if problem else ACCEPTED if accepted else FINDINGS)
        if not (as_json or out):
            for answer in made:
                written(answer)
    if out is not None:
        put_out(out, everything, judged)
    judged.leave()


def _wholly_accepted(received: Interchange) -> bool:
    return received.accepted and all(g.accepted for g in received.groups) and all(s.accepted for s in received.sets)


# --- read ----------------------------------------------------------------------------------------------------------


@app.command()
def read(
    files: Files,
    raw: Annotated[
        bool, typer.Option("--raw", help="With the segments of each set beside, as they were received.")
    ] = False,
    out: Out = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One object for each file, as validate prints it, instead of a line for each set."),
    ] = False,
) -> None:
    """Print what files say as JSON, one line for each transaction set: `transactionType`, envelope, findings, documents."""
    judged = Judged()

    def everything() -> Iterator[str]:
        for name in files:
            if as_json:
                yield from _as_object(name, judged, raw=raw)
                continue
            try:
                yield from _as_lines(name, judged, raw=raw)
            except Unreadable as error:
                complain(name, error)
                judged.add(UNREADABLE)

    if out is None:
        for text in everything():
            written_json(text)
    else:
        put_out(out, everything(), judged)
    judged.leave()


def _as_lines(name: str, judged: Judged, *, raw: bool) -> Iterator[str]:
    """A line for each transaction set and each TA1 of a file."""
    import msgspec

    from gateway.x12_verdicts import group_told, interchange_told, told
    from x12.envelope import Interchange
    from x12.transactions import acknowledgements

    for part in parts(name):
        said: dict[str, Any] = {"file": shown_name(name)}
        if isinstance(part, Interchange):
            judged.add(ACCEPTED if part.accepted and all(g.accepted for g in part.groups) else FINDINGS)
            for answer in acknowledgements(part):
                line = {"transactionType": "TA1", "interchange": interchange_told(part), "documents": [answer]}
                yield msgspec.json.encode(said | line).decode() + "\n"
            continue
        judged.add(ACCEPTED if part.accepted else FINDINGS)
        said |= {"transactionType": None, "setId": part.set_id, "controlNumber": part.control_number}
        said["guide"] = part.guide.id if part.guide is not None else None
        if part.group is not None:
            said |= {"interchange": interchange_told(part.group.interchange), "group": group_told(part.group)}
        said |= {"accepted": part.accepted, "findings": [told(f) for f in part.findings], **_said(part, raw=raw)}
        yield msgspec.json.encode(said).decode() + "\n"
        part.segments, part.nodes, part.findings = [], [], []


def _as_object(name: str, judged: Judged, *, raw: bool) -> Iterator[str]:
    """One object for a file: its verdict, with the documents of each set in it."""
    from gateway.x12_verdicts import JsonVerdict, without_findings
    from x12.envelope import Interchange

    texts: list[str] = []
    verdict = JsonVerdict(texts.append, shown_name(name))
    accepted, problem = True, None
    try:
        for part in parts(name):
            if isinstance(part, Interchange):
                verdict.interchange(part, list)
                accepted = accepted and part.accepted and all(g.accepted for g in part.groups)
            else:
                verdict.transaction(part, part.findings, _said(part, raw=raw))
                accepted = accepted and without_findings(part.findings)
                part.segments, part.nodes, part.findings = [], [], []
            yield "".join(texts)
            texts.clear()
    except Unreadable as error:
        accepted, problem = False, str(error)
    verdict.end(accepted, problem, {})
    yield "".join(texts)
    judged.add(UNREADABLE if problem else ACCEPTED if accepted else FINDINGS)


def _said(received: TransactionSet, *, raw: bool) -> dict[str, Any]:
    """What a set says, as documents of its kind."""
    from x12.transactions import documents_of, kind_of

    kind = kind_of(received)
    said: dict[str, Any] = {"transactionType": kind.name if kind is not None else None}
    said["documents"] = documents_of(received)
    if raw:
        said |= {"delimiters": received.delimiters._asdict(), "raw": received.segments}
    return said


# --- write ---------------------------------------------------------------------------------------------------------


@app.command()
def write(
    files: Files,
    kind: Annotated[
        str, typer.Option("--type", help="What documents are that do not say it: 270, 837P, 835, ...", metavar="TYPE")
    ] = "",
    sender: Annotated[str, typer.Option(help="ISA06 and GS02; else what the JSON says.")] = "",
    receiver: Annotated[str, typer.Option(help="ISA08 and GS03; else what the JSON says.")] = "",
    sender_qualifier: Annotated[str, typer.Option(help="ISA05; ZZ where nothing else is said.")] = "",
    receiver_qualifier: Annotated[str, typer.Option(help="ISA07; ZZ where nothing else is said.")] = "",
    usage: Annotated[str, typer.Option(help="ISA15: T for a test, P for production; T where nothing is said.")] = "",
    control_number: Annotated[int, typer.Option(help="ISA13 of the first interchange.", min=1, max=999_999_999)] = 1,
    reference: Annotated[str, typer.Option(help="BHT03; else made of date, time and control number.")] = "",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Write X12 from JSON: lines as `read` prints them, or documents of one --type. Refuses with the path of what is wrong."""
    import msgspec

    from gateway.x12_verdicts import finding_lines, put_line, told
    from gateway.x12_writing import TYPES, Given, interchanges

    if kind and kind not in TYPES:
        raise typer.BadParameter(f"must be one of {', '.join(TYPES)}", param_hint="--type")
    if usage not in ("", "T", "P"):
        raise typer.BadParameter("must be T or P", param_hint="--usage")
    judged, answers = Judged(), list[str]()
    for name in files:
        given = Given(
            kind,
            sender,
            sender_qualifier,
            receiver,
            receiver_qualifier,
            usage,
            control_number + len(answers),
            reference,
        )
        try:
            made = interchanges(content(name), given)
        except Unreadable as error:
            if as_json:
                said: dict[str, Any] = {"file": shown_name(name), "accepted": False, "unreadable": str(error)}
                written_json(msgspec.json.encode(said).decode() + "\n")
            else:
                complain(name, error)
            judged.add(UNREADABLE)
            continue
        judged.add(ACCEPTED if made.accepted else FINDINGS)
        answers += made.texts
        findings = [told(f) for f in made.findings]
        if as_json:
            said = {"file": shown_name(name), "accepted": made.accepted, "x12": made.texts, "findings": findings}
            written_json(msgspec.json.encode(said).decode() + "\n")
            continue
        for text in made.texts if out is None else ():
            written(text)
        console = console_of(errors=True)
        if made.anonymous and made.accepted:
            typer.echo(f"{shown_name(name)}: nobody said who sends or receives: say --sender and --receiver.", err=True)
        if made.renewed and made.accepted:
            message = "control numbers, dates and times are new: those that the JSON tells are not used again."
            typer.echo(f"{shown_name(name)}: {message}", err=True)
        for finding in made.findings:
            for line in finding_lines(finding, ""):
                put_line(console, line)
    if out is not None and answers:
        put_out(out, answers, judged)
    judged.leave()


for command in (explain, diff, fix):
    app.command()(command)
