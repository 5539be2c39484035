"""What is wrong with X12 files, told to people and to programs, transaction by transaction as it is read.

A verdict of a file of any size takes little memory: each transaction set is told and let go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from tempfile import SpooledTemporaryFile
from types import MappingProxyType
from typing import Any, Protocol

import msgspec
from rich.console import Console
from rich.text import Text

from gateway.terminal import made_plain
from x12.envelope import Group, Interchange, TransactionSet
from x12.finding import Finding
from x12.oracle import SecondOpinion

__all__ = [
    "JsonVerdict",
    "TextVerdict",
    "Verdict",
    "finding_lines",
    "group_told",
    "interchange_told",
    "put_line",
    "told",
    "without_findings",
]

# What a finding always says in JSON, absent or not.
_ALWAYS = ("level", "severity", "code", "scope", "loop", "segment", "position", "element", "message")
_WHERE_THERE = ("component", "repeat", "data", "path", "rule", "trigger", "trigger_position")
_IN_MEMORY_BYTES = 4 << 20
_MARKS = {"error": ("error", "bold red"), "warning": ("warning", "bold yellow")}


def told(finding: Finding) -> dict[str, Any]:
    """A finding as JSON tells it."""
    said = {name: getattr(finding, name) for name in _ALWAYS}
    for name in _WHERE_THERE:
        if (value := getattr(finding, name)) is not None:
            first, *rest = name.split("_")
            said[first + "".join(word.capitalize() for word in rest)] = value
    return said


def without_findings(found: Iterable[Finding]) -> bool:
    """Whether none of these is an error."""
    return not any(f.severity == "error" for f in found)


class Verdict(Protocol):
    """Told about one file, part by part."""

    def transaction(self, received: TransactionSet, found: list[Finding]) -> None: ...
    def interchange(self, received: Interchange, chosen: Callable[[list[Finding]], list[Finding]]) -> None: ...
    def end(self, accepted: bool, unreadable: str | None, further: dict[str, Any]) -> None: ...


def interchange_told(received: Interchange) -> dict[str, str]:
    """What an ISA says, as JSON tells it."""
    elements = received.elements
    return {
        "controlNumber": received.control_number,
        "senderQualifier": elements[4],
        "sender": received.sender,
        "receiverQualifier": elements[6],
        "receiver": received.receiver,
        "date": elements[8],
        "time": elements[9],
        "usage": received.usage,
    }


def group_told(group: Group) -> dict[str, str]:
    """What a GS says, as JSON tells it."""
    return {
        "functionalId": group.functional_id,
        "version": group.version,
        "controlNumber": group.control_number,
        "sender": group.elements[1],
        "receiver": group.elements[2],
        "date": group.elements[3],
        "time": group.elements[4],
    }


class JsonVerdict:
    """A file's JSON object, on one line, written as the file is read."""

    def __init__(self, write: Callable[[str], object], name: str) -> None:
        self.write = write
        self._groups = 0
        self._interchanges = 0
        self._open: Interchange | None = None
        self._group: Group | None = None
        self._sets = 0
        # All findings again, flat and each with its place: they may be many, and come after everything else.
        self._flat = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed in end
        self._flat_count = 0
        self._chosen: Callable[[list[Finding]], list[Finding]] = list
        self.write(f'{{"file":{_json(name)},"interchanges":[')

    def transaction(
        self, received: TransactionSet, found: list[Finding], further: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """A set with its findings, and further what it says."""
        group = received.group
        assert group is not None
        self._open_interchange(group.interchange)
        self._open_group(group)
        self._keep(found, received)
        self.write("," if self._sets else "")
        self._sets += 1
        self.write(
            _json(
                {
                    "setId": received.set_id,
                    "controlNumber": received.control_number,
                    "guide": received.guide.id if received.guide else None,
                    "accepted": without_findings(found),
                    "findings": [told(f) for f in found],
                }
                | dict(further)
            )
        )

    def interchange(self, received: Interchange, chosen: Callable[[list[Finding]], list[Finding]]) -> None:
        self._chosen = chosen
        if not any(received.elements):
            # What belongs to no interchange.
            self._keep(chosen(received.findings), None)
            return
        self._open_interchange(received)
        for group in received.groups[self._groups :]:
            self._open_group(group)
        self._close_group()
        found = chosen(received.findings)
        self._keep(found, None)
        self.write(f'],"accepted":{_json(without_findings(found))},"findings":{_json([told(f) for f in found])}')
        if received.acknowledgements:
            from x12.transactions import acknowledgements

            self.write(f',"acknowledgements":{_json(acknowledgements(received))}')
        self.write("}")
        self._open, self._groups = None, 0

    def end(self, accepted: bool, unreadable: str | None, further: dict[str, Any]) -> None:
        if self._open is not None:
            # Reading broke off in the middle: what was told stays well-formed.
            self._close_group()
            self.write('],"accepted":false,"findings":[]}')
        self.write(f'],"accepted":{_json(accepted)}')
        if unreadable is not None:
            self.write(f',"unreadable":{_json(unreadable)}')
        for name, value in further.items():
            self.write(f",{_json(name)}:{_json(value)}")
        self.write(',"findings":[')
        self._flat.seek(0)
        while piece := self._flat.read(_IN_MEMORY_BYTES):
            self.write(piece.decode("utf-8"))
        self._flat.close()
        self.write("]}\n")

    def _open_interchange(self, received: Interchange) -> None:
        if self._open is received:
            return
        self.write("," if self._interchanges else "")
        self._interchanges += 1
        self._open, self._groups = received, 0
        self.write(f'{_json(interchange_told(received))[:-1]},"groups":[')

    def _open_group(self, group: Group) -> None:
        if self._group is group:
            return
        self._close_group()
        # A group without transaction sets is only met when the next one begins.
        groups = group.interchange.groups
        while self._groups < len(groups):
            here = groups[self._groups]
            self.write("," if self._groups else "")
            self._groups += 1
            self._group, self._sets = here, 0
            self.write(f'{_json(group_told(here))[:-1]},"transactions":[')
            if here is group:
                return
            self._close_group()

    def _close_group(self) -> None:
        group = self._group
        if group is None:
            return
        found = self._chosen(group.findings)
        self._keep(found, None, group)
        self.write(f'],"accepted":{_json(without_findings(found))},"findings":{_json([told(f) for f in found])}}}')
        self._group = None

    def _keep(self, found: list[Finding], received: TransactionSet | None, group: Group | None = None) -> None:
        where: dict[str, str] = {}
        group = group or (received.group if received else None)
        interchange = group.interchange if group else self._open
        if interchange is not None:
            where["interchange"] = interchange.control_number
        if group is not None:
            where["group"] = group.control_number
        if received is not None:
            where["transaction"] = received.control_number
        for finding in found:
            self._flat.write((("," if self._flat_count else "") + _json(told(finding) | where)).encode())
            self._flat_count += 1


class TextVerdict:
    """A file's report for people: each set that something is wrong with, each finding with its place and what to do."""

    def __init__(self, console: Console, name: str) -> None:
        self.console = console
        self._kinds: Counter[str] = Counter()
        self._found: Counter[str] = Counter()
        self._interchanges = 0
        self._line(Text(name, style="bold"))

    def transaction(self, received: TransactionSet, found: list[Finding]) -> None:
        self._kinds[set_name(received)] += 1
        if found:
            accepted = without_findings(found)
            head = Text(f"  {set_name(received)} {received.control_number}  ", style="bold")
            head.append("accepted" if accepted else "rejected", style="green" if accepted else "red")
            self._line(head)
            self._tell(found)

    def interchange(self, received: Interchange, chosen: Callable[[list[Finding]], list[Finding]]) -> None:
        self._interchanges += any(received.elements)
        for group in received.groups:
            if found := chosen(group.findings):
                self._line(Text(f"  group {group.control_number} ({group.functional_id})", style="bold"))
                self._tell(found)
        if found := chosen(received.findings):
            name = f"interchange {received.control_number}" if any(received.elements) else "outside any interchange"
            self._line(Text(f"  {name}", style="bold"))
            self._tell(found)

    def end(self, accepted: bool, unreadable: str | None, further: dict[str, Any]) -> None:
        if unreadable is not None:
            self._line(Text("  unreadable", style="bold red").append(f": {unreadable}.", style="not bold default"))
            return
        verdict = Text("  accepted" if accepted else "  rejected", style="bold green" if accepted else "bold red")
        counts = [_counted(self._found[s], s) for s in ("error", "warning") if self._found[s]]
        sets = ", ".join(f"{count} {kind}" for kind, count in sorted(self._kinds.items())) or "no transaction set"
        counts.append(f"{_counted(self._interchanges, 'interchange')}: {sets}")
        self._line(verdict.append(f": {'; '.join(counts)}", style="not bold default"))
        for value in further.values():
            if isinstance(value, SecondOpinion):
                self._opinion(value)

    def _opinion(self, said: SecondOpinion) -> None:
        """What pyx12 says otherwise."""
        line = Text("  pyx12: ", style="bold")
        if said.broke:
            self._line(line.append(said.broke.removeprefix("pyx12 "), style="not bold"))
            return
        verdict = "accepted" if said.accepted else "rejected"
        self._line(
            line.append(f"{verdict}; {said.agreed} errors in common, {len(said.disagreements)} differ", "not bold")
        )
        for one in said.disagreements:
            where = f"segment {one.position}" if one.position else "set"
            text = Text(f"    only {one.by:<10}", style="yellow").append(f"{one.place or 'set'}", style="bold cyan")
            text.append(f"  {where}, transaction {one.transaction}, code {one.code}", style="not bold bright_black")
            self._line(text)
            reason = one.reason or one.message
            if reason:
                self._line(Text(f"        {reason}"))

    def _tell(self, found: list[Finding]) -> None:
        for finding in found:
            self._found[finding.severity] += 1
            for line in finding_lines(finding):
                self._line(line)

    def _line(self, text: Text) -> None:
        put_line(self.console, text)


def put_line(console: Console, text: Text) -> None:
    """A line as it is, however long; without a terminal there is nothing to lay out, and files may have millions of lines."""
    made_plain(text)
    if console.is_terminal:
        console.print(text, soft_wrap=True)
    else:
        console.file.write(f"{text.plain}\n")


def set_name(received: TransactionSet) -> str:
    """`837P`, `277CA`, or the set's own id where there is no guide for it."""
    from x12.transactions import kind_of

    kind = kind_of(received)
    identifier = received.set_id if received.set_id.isalnum() and len(received.set_id) <= 3 else "unknown set"
    return kind.name if kind is not None else identifier


def finding_lines(finding: Finding, indent: str = "    ") -> Iterator[Text]:
    """A finding for people: severity and place, then what is wrong and what to do."""
    mark, style = _MARKS[finding.severity]
    line = Text(f"{indent}{mark:<8}", style=style)
    line.append(finding.path or finding.place or finding.scope, style="bold cyan")
    numbers = [finding.place] if finding.path and finding.place else []
    numbers += [f"segment {finding.position}"] if finding.position else []
    numbers += [f"repeat {finding.repeat}"] if finding.repeat else []
    numbers += [f"level {finding.level}"]
    numbers += [f"code {finding.code}"] if finding.code else []
    numbers += [f"rule {finding.rule}"] if finding.rule else []
    yield line.append(f"  {', '.join(numbers)}", style="not bold bright_black")
    text = finding.message
    if finding.trigger:
        text += f" Because of {finding.trigger}" + (
            f" in segment {finding.trigger_position}." if finding.trigger_position else "."
        )
    yield Text(f"{indent}        {text}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode("utf-8")
