"""`claimwire x12 explain`, `diff` and `fix`: what files say, how two differ, and what can be mended in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.terminal import pieces_of_json
from gateway.x12_files import (
    ACCEPTED,
    FINDINGS,
    NO_INTERCHANGE,
    STANDARD_INPUT,
    UNREADABLE,
    AsJson,
    Files,
    Judged,
    Out,
    Unreadable,
    complain,
    console_of,
    content,
    parts,
    put,
    shown_name,
    written_json,
)

if TYPE_CHECKING:
    from gateway.x12_aside import Chapters
    from x12.comparing import File
    from x12.finding import Finding

__all__ = ["diff", "explain", "fix"]


# --- explain -------------------------------------------------------------------------------------------------------


def explain(
    files: Files,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write one page of HTML that needs nothing from anywhere, for one file."),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show patients' data: names, numbers, birth dates, addresses, free text.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell in plain words what files say, segment by segment. Whatever could tell who somebody is, is masked."""
    if html is not None and len(files) > 1:
        raise typer.BadParameter("name one file: a page tells of one", param_hint="--html")
    judged = Judged()
    for name in files:
        if html is not None:
            _explain_page(name, html, judged, reveal=reveal)
        elif as_json:
            _explain_json(name, judged, reveal=reveal)
        else:
            _explain_text(name, judged, reveal=reveal)
    judged.leave()


def _explain_page(name: str, html: Path, judged: Judged, *, reveal: bool) -> None:
    from gateway.x12_pages import html_page

    try:
        chapters = _chapters(name, reveal=reveal)
        put(html, html_page(Path(shown_name(name)).name, chapters, reveal=reveal))
    except Unreadable as error:
        complain(name, error)
        judged.add(UNREADABLE)
        return
    judged.add(ACCEPTED if chapters.accepted else FINDINGS)


def _explain_json(name: str, judged: Judged, *, reveal: bool) -> None:
    import msgspec

    try:
        chapters = _chapters(name, reveal=reveal)
    except Unreadable as error:
        said = {"file": shown_name(name), "accepted": False, "unreadable": str(error), "interchanges": list[Any]()}
        written_json(msgspec.json.encode(said).decode() + "\n")
        judged.add(UNREADABLE)
        return
    judged.add(ACCEPTED if chapters.accepted else FINDINGS)
    # One object, told piece by piece.
    head = msgspec.json.encode({"file": shown_name(name), "accepted": chapters.accepted}).decode()
    written_json(f'{head[:-1]},"interchanges":[')
    for number, (interchange, sets) in enumerate(chapters):
        written_json(f'{"," if number else ""}{msgspec.json.encode(interchange).decode()[:-1]},"transactions":[')
        for index, one in enumerate(sets):
            written_json(f"{',' if index else ''}{msgspec.json.encode(one).decode()}")
        written_json("]}")
    written_json("]}\n")


def _explain_text(name: str, judged: Judged, *, reveal: bool) -> None:
    from gateway.x12_pages import tell
    from x12.envelope import Interchange
    from x12.explaining import explain as explained

    console = console_of()
    try:
        for part in parts(name):
            # An interchange comes behind its sets: only then is it known what is wrong with its envelope.
            said = explained(part, reveal=reveal)
            judged.add(ACCEPTED if said.accepted else FINDINGS)
            tell(said, console)
            if not isinstance(part, Interchange):
                part.segments, part.nodes, part.findings = [], [], []
    except Unreadable as error:
        complain(name, error)
        judged.add(UNREADABLE)


def _chapters(name: str, *, reveal: bool) -> Chapters:
    """Every interchange explained, with its sets."""
    from gateway.x12_aside import Chapters
    from x12.envelope import Interchange
    from x12.explaining import explain as explained

    chapters = Chapters()
    for part in parts(name):
        said = explained(part, reveal=reveal)
        if isinstance(part, Interchange):
            chapters.add_interchange(said)
        else:
            chapters.add_set(said)
            part.segments, part.nodes, part.findings = [], [], []
    return chapters


# --- diff ----------------------------------------------------------------------------------------------------------


def diff(
    before: Annotated[str, typer.Argument(help="A file, or - for standard input.", metavar="BEFORE")],
    after: Annotated[str, typer.Argument(help="A file, or - for standard input.", metavar="AFTER")],
    ignore_envelope: Annotated[
        bool, typer.Option("--ignore-envelope", help="Leave times and numbers of envelopes, ST, BHT and SE aside.")
    ] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show patients' data in what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell how two files differ in what they say, claim by claim. Exit code: 0 the same, 1 different, 2 unreadable."""
    import msgspec

    from gateway.x12_pages import tell_difference
    from x12.comparing import file_difference

    files: list[File] = []
    for name in (before, after):
        try:
            files.append(_put_aside(name))
        except Unreadable as error:
            complain(name, error)
    if len(files) < 2:
        raise typer.Exit(UNREADABLE)
    found = file_difference(*files, ignore_envelope=ignore_envelope, reveal=reveal)
    if as_json:
        told = list(found)
        said = {"before": shown_name(before), "after": shown_name(after), "same": not told, "differences": told}
        written_json(msgspec.json.encode(said).decode() + "\n")
        raise typer.Exit(FINDINGS if told else ACCEPTED)
    console, count = console_of(), 0
    for one in found:
        count += 1
        tell_difference(one, console)
    typer.echo(f"{count} difference{'' if count == 1 else 's'}" if count else "no difference")
    raise typer.Exit(FINDINGS if count else ACCEPTED)


def _put_aside(name: str) -> File:
    """A file of which only the envelopes stay in memory."""
    from gateway.x12_aside import SetsAside
    from x12.comparing import File
    from x12.envelope import Interchange

    interchanges: list[Interchange] = []
    sets = SetsAside()
    for part in parts(name, levels=(1, 2)):
        if not isinstance(part, Interchange):
            sets.add(part)
        elif any(part.elements):
            interchanges.append(part)
    return File(interchanges, sets)


# --- fix -----------------------------------------------------------------------------------------------------------


def fix(
    files: Files,
    out: Out = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace each file; what it was stays beside it as FILE.bak.")
    ] = False,
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Also give an ST02 that occurs twice in its group a number of its own.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Mend counts, control numbers, padding, line breaks and terminators; say what was done, what was left, and judge again."""
    import msgspec

    from gateway.x12_pages import tell_changes
    from gateway.x12_verdicts import told
    from x12.fixing import fix as mended

    if (out is not None or not in_place) and len(files) > 1:
        raise typer.BadParameter("several files are mended with --in-place", param_hint="FILE...")
    if out is not None and in_place:
        raise typer.BadParameter("say --out or --in-place, not both", param_hint="--out")
    judged = Judged()
    for name in files:
        try:
            data = content(name)
            made = mended(data, renumber=renumber)
            remaining = _remaining(made.data)
            if in_place and made.data != data:
                if name == STANDARD_INPUT:
                    raise Unreadable("cannot be replaced: leave out --in-place")
                put(Path(f"{name}.bak"), [data])
                put(Path(name), [made.data])
            elif out is not None:
                put(out, [made.data])
        except Unreadable as error:
            if as_json:
                said: dict[str, Any] = {"file": shown_name(name), "accepted": False, "unreadable": str(error)}
                typer.echo(pieces_of_json(msgspec.json.encode(said).decode()), err=not (in_place or out))
            else:
                complain(name, error)
            judged.add(UNREADABLE)
            continue
        accepted = not any(f.severity == "error" for f in remaining)
        judged.add(ACCEPTED if accepted else FINDINGS)
        # The mended file has standard output for itself where nothing else was said.
        quiet = in_place or out is not None
        if not quiet:
            typer.get_binary_stream("stdout").write(made.data)
        if as_json:
            said = {
                "file": shown_name(name),
                "accepted": accepted,
                "changes": made.changes,
                "left": made.left,
                "findings": [told(f) for f in remaining],
            }
            typer.echo(pieces_of_json(msgspec.json.encode(said).decode()), err=not quiet)
        else:
            tell_changes(shown_name(name), made, remaining, console_of(errors=not quiet))
    judged.leave()


def _remaining(data: bytes) -> list[Finding]:
    """What is wrong with a mended file."""
    from x12.envelope import read as received

    parts = received(data)
    if not any(any(i.elements) for i in parts):
        raise Unreadable(NO_INTERCHANGE)
    return [f for i in parts for of in (i, *i.groups, *i.sets) for f in of.findings]
