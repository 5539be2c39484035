"""The sandbox payer without its sockets: takes what is posted, keeps its outbox, answers questions, moves its clock.

One lock guards the state; reading what arrives and writing a 271 happen outside it. What is kept is committed before
the call returns. A question about eligibility leaves nothing behind, and so costs no commit.

Sources: X12.5 (ISA, TA1), 005010X231A1 (999), CAQH CORE 270 to 276 (a 999 in place of an answer that cannot be given).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

import msgspec

from adapters.sandbox import eligibility
from adapters.sandbox.answers import Judged, claim_report, status_response
from adapters.sandbox.claims import Address, Claims
from adapters.sandbox.intake import Batch, can_be_named, read_batch
from adapters.sandbox.scenarios import Pin
from adapters.sandbox.state import Listed, State
from x12.acknowledge import acknowledgement, answer_999, answer_ta1, sealed
from x12.documents.acknowledgements import read_999, read_ta1
from x12.documents.claim_status import ClaimStatusRequest, read_status_requests
from x12.documents.parts import Header
from x12.documents.standing import found
from x12.envelope import Group, Interchange, TransactionSet, read
from x12.finding import Finding
from x12.syntax import CANONICAL, InterchangeHeader, unwritable_character

__all__ = ["Habits", "KeyUsed", "NotX12", "Payer", "Receipt", "Reply"]

_E = CANONICAL.element
# ST01 of a question -> what answers it.
_ANSWERS = {"270": "271", "276": "277"}
# GS01 and GS08 of what is sent.
_GROUPS = {
    "271": ("HB", "005010X279A1"),
    "277": ("HN", "005010X212"),
    "277CA": ("HN", "005010X214"),
    "835": ("HP", "005010X221A1"),
    "999": ("FA", "005010X231A1"),
}
_QUALIFIERS = ("01", "14", "20", "27", "28", "29", "30", "33", "ZZ")
_USAGES = ("T", "P")
_NOBODY = "UNKNOWN"
# Delimiters that an answer may need: an id of the sender that has one of them is not repeated.
_RESERVED = frozenset("|<`~*:^")
_KEYS_MAX = 20_000
_PARTIAL_SECONDS = 2.0
_MOVE_MAX, _OFFSET_MAX = timedelta(days=3_660), timedelta(days=36_600)


Kind = Literal["TA1", "999", "277CA", "835"]
Disorder = Literal["duplicate", "reverse", "garbage", "partial"]
_Delay = Annotated[float, msgspec.Meta(ge=0, le=31_622_400)]
# What lies in an outbox and is no X12, in turn.
_GARBAGE = (b"", b"<html><body>503</body></html>", b"ISA*00*", bytes(range(256)), b"%PDF-1.7 remittance advice")


class Habits(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
    """How the payer keeps its outbox: seconds by its clock until a file is there, what is wrong with the files, and their delimiters.

    `delimiters` are those of elements, repetitions, components and segments; a file whose data has one of them keeps its own. A `lenient`
    payer accepts claims by its 999 that break the guide, and refuses them by the 277CA.
    """

    delays: dict[Kind, _Delay] = {}
    outbox: list[Disorder] = []
    delimiters: Annotated[str, msgspec.Meta(pattern=r"^([!-/:-@\[-`{-~]{4})?$")] = ""
    lenient: bool = False

    def __post_init__(self) -> None:
        if len(set(self.delimiters)) != len(self.delimiters):
            raise ValueError("four delimiters must differ")


class NotX12(Exception):
    """What was posted does not begin with an ISA."""


class KeyUsed(Exception):
    """The idempotency key came before, with other bytes."""


class Receipt(msgspec.Struct, frozen=True):
    """A batch was stored; answers come to the outbox."""

    reference: str


class Reply(msgspec.Struct, frozen=True):
    """Questions were answered at once: interchanges, and what they are: 271, 277, or 999 or TA1 for what is refused."""

    content: bytes
    kind: str


class Payer:
    """A payer that keeps its state in one file. Calls block for a commit; any thread may make them."""

    def __init__(self, path: Path | str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = Lock()
        self._state = State(path, clock())
        self._claims = Claims(self._state)
        # Keys of questions: they are forgotten when the process ends, as their answers are.
        self._asked: dict[str, str] = {}
        kept = self._state.habits()
        self._habits = msgspec.json.decode(kept, type=Habits) if kept is not None else Habits()
        # When files were first looked at that are not whole at first, in seconds of the machine.
        self._looked: dict[str, float] = {}

    def close(self) -> None:
        with self._lock:
            self._state.close()

    # --- clock ---

    @property
    def offset(self) -> timedelta:
        """How far the clock runs ahead of the machine's."""
        return self._state.offset

    def now(self) -> datetime:
        return self._clock() + self._state.offset

    def forward(self, by: timedelta) -> None:
        """Move the clock ahead, and make the payments whose day has come. ValueError for a move back or too far."""
        if not timedelta(0) <= by <= _MOVE_MAX or self.offset + by > _OFFSET_MAX:
            raise ValueError("the clock moves ahead only, by ten years at most")
        with self._lock, self._state.transaction():
            before = self._state.offset
            try:
                self._state.forward(by.total_seconds())
                self._pay()
            except BaseException:
                self._state.offset = before
                raise

    # --- how it is to be ---

    @property
    def habits(self) -> Habits:
        return self._habits

    def behave(self, habits: Habits) -> None:
        """Have other habits from now on; they outlive the process."""
        with self._lock, self._state.transaction():
            self._state.set_habits(msgspec.json.encode(habits))
        self._habits = habits

    def pin(self, pins: Sequence[Pin]) -> list[Pin]:
        """Pin scripts to members and claims, over those pinned before; none takes all away. All that are pinned then."""
        with self._lock, self._state.transaction():
            if not pins:
                self._state.unpin()
            for one in pins:
                self._state.pin(one.identity, one.script, msgspec.json.encode(one))
            return [msgspec.json.decode(kept, type=Pin) for kept in self._state.pinned()]

    def pins(self) -> list[Pin]:
        """What is pinned."""
        with self._lock:
            return [msgspec.json.decode(kept, type=Pin) for kept in self._state.pinned()]

    def host_key(self, fresh: str) -> str:
        """The private key that it is known by over SSH, kept from the first time on."""
        with self._lock, self._state.transaction():
            return self._state.host_key(fresh)

    # --- what is posted ---

    def take(self, key: str, content: bytes) -> Receipt | Reply:
        """Take one post: claims and anything else are stored, questions are answered. `key` "" counts each post anew.

        Raises NotX12 and KeyUsed; then nothing was taken.
        """
        if content.lstrip()[:3] != b"ISA":
            raise NotX12
        sha256 = hashlib.sha256(content).hexdigest()
        received = [i for i in read(content, levels=(1, 2)) if any(i.elements)]
        if not received:
            raise NotX12
        if all(_is_question(i) for i in received):
            return self._answer(key, sha256, received)
        with self._lock:
            before = self._before(key, sha256)
            if before is not None:
                return Receipt(before)
            now = self.now()
            with self._state.transaction():
                reference = f"SBX-{self._state.tag}-{self._state.number():09d}"
                for one in received:
                    self._store(one, now)
                if key:
                    self._state.add_post(key, sha256, reference, now)
            return Receipt(reference)

    def take_file(self, name: str, content: bytes) -> None:
        """Take a file; what answers its questions comes to the outbox, too, and what is no X12 is put aside.

        KeyUsed where the name came before, with other bytes.
        """
        put_aside = ""
        try:
            taken = self.take(f"file {name}", content)
        except NotX12:
            taken, put_aside = None, ".error"
        with self._lock, self._state.transaction():
            now = self.now()
            if isinstance(taken, Reply) and self._state.taken_file(name) is None:
                self._lay_out(self._numbers(1), taken.kind, now, taken.content)
            self._state.add_taken_file(name + put_aside, len(content), now)

    def taken_file(self, name: str) -> tuple[int, datetime] | None:
        """Size and time of a file that was taken under this name, one put aside with `.error` behind it; None where there is none."""
        with self._lock:
            return self._state.taken_file(name)

    def has(self, key: str) -> bool:
        """Whether a post with this key was taken."""
        with self._lock:
            return key in self._asked or self._state.post(key) is not None

    def _before(self, key: str, sha256: str) -> str | None:
        """The reference of the same post, if it came before; KeyUsed where other bytes came with the key."""
        if not key:
            return None
        hashed, reference = self._state.post(key) or (self._asked.get(key), None)
        if hashed not in (None, sha256):
            raise KeyUsed
        return reference

    # --- batches ---

    def _store(self, interchange: Interchange, now: datetime) -> None:
        """Answer one interchange into the outbox: TA1 and 999, then a 277CA for what the 999 accepts."""
        if interchange.accepted and not self._state.first_copy(interchange.sender, interchange.control_number):
            message = "An interchange with this control number came before."
            interchange.findings.append(Finding(1, "interchange", "025", message, segment="ISA", element=13))
        wrong = _passed(interchange) if self._habits.lenient else {}
        address = _address(interchange, None)
        numbers = self._numbers(max(1, len(interchange.groups)))
        text = acknowledgement(interchange, _header(address, now, numbers), numbers)
        if text:
            kind: Kind = "999" if interchange.accepted and interchange.groups else "TA1"
            self._send(text, kind, now)
        if interchange.accepted:
            for group in interchange.groups:
                self._take_group(group, now, wrong)

    def _take_group(self, group: Group, now: datetime, wrong: Mapping[int, frozenset[int]]) -> None:
        address = _address(group.interchange, group)
        for received in _taken(group):
            if received.set_id != "837":
                continue
            batch = read_batch(received, wrong.get(id(received), frozenset()))
            judged = self._claims.take(batch, address, now)
            if judged:
                self._report(batch, judged, address, now)

    def _report(self, batch: Batch, judged: Sequence[Judged], address: Address, now: datetime) -> None:
        """One 277CA for each payer that the claims of a set are for."""
        by_payer: dict[tuple[str, str], list[Judged]] = {}
        for one in judged:
            by_payer.setdefault((one.claim.payer.number, one.claim.payer.last_name), []).append(one)
        number, sets = self._numbers(1), list[list[str]]()
        for index, some in enumerate(by_payer.values(), 1):
            reference = f"{self._state.tag}{number:09d}{index:04d}"
            header = Header(f"{index:04d}", reference, f"{now:%Y%m%d}", f"{now:%H%M}")
            sets.append(claim_report(batch, some, header, header.date))
        self._send(_enveloped("277CA", sets, address, now, number), "277CA", now)

    def _send(self, text: str, kind: Kind, release_at: datetime) -> None:
        habits = self._habits
        there_at = release_at + timedelta(seconds=habits.delays.get(kind, 0))
        content = _delimited(text, habits.delimiters).encode("ascii")
        if "garbage" in habits.outbox:
            number = self._numbers(1)
            self._lay_out(number, kind, there_at, _GARBAGE[number % len(_GARBAGE)])
        for _ in range(1 + ("duplicate" in habits.outbox)):
            self._lay_out(self._numbers(1), kind, there_at, content)

    def _lay_out(self, number: int, kind: str, there_at: datetime, content: bytes) -> None:
        name = f"SBX-{self._state.tag}-{number:09d}"
        self._state.add_file(name, f"{name}.{kind}", there_at, content)

    def _numbers(self, count: int) -> int:
        """The first of so many numbers, each one more than the one before."""
        first = self._state.number()
        for _ in range(count - 1):
            self._state.number()
        return first

    def _pay(self) -> None:
        """Make the payments whose day has come."""
        for payment in self._claims.payments(self.now()):
            number = self._numbers(1)
            text = _enveloped("835", [payment.segments], payment.address, payment.made_at, number)
            self._send(text, "835", payment.made_at)

    def _pay_if_due(self) -> None:
        if self._state.payments_due(self.now()):
            with self._state.transaction():
                self._pay()

    # --- questions ---

    def _answer(self, key: str, sha256: str, received: Sequence[Interchange]) -> Reply:
        # Each interchange has a number, and each group up to two: one for its 999, one for its answers.
        wanted = sum(1 + 2 * len(i.groups) for i in received)
        with self._lock:
            self._before(key, sha256)
            first, now, tag = self._fresh_numbers(wanted), self.now(), self._state.tag
        numbers = iter(range(first, first + wanted))
        delimiters = self._habits.delimiters
        made = [self._answered(one, numbers, now, tag) for one in received]
        text = "".join([_delimited(one, delimiters) for one, _ in made])
        if key:
            with self._lock:
                self._asked[key] = sha256
                if len(self._asked) > _KEYS_MAX:
                    del self._asked[next(iter(self._asked))]
        return Reply(text.encode("ascii"), made[0][1])

    def _fresh_numbers(self, count: int) -> int:
        """Numbers for answers: a commit only where the block is used up."""
        if self._state.numbers_left >= count:
            return self._numbers(count)
        with self._state.transaction():
            return self._numbers(count)

    def _answered(self, interchange: Interchange, numbers: Iterator[int], now: datetime, tag: str) -> tuple[str, str]:
        """The interchange that answers one of questions, and its kind: TA1 where asked for or refused, 999 or answers for each group."""
        address, number = _address(interchange, None), next(numbers)
        header = _header(address, now, number)
        if not interchange.accepted:
            return acknowledgement(interchange, header, number), "TA1"
        kind = "999"
        body = [answer_ta1(interchange)] if interchange.elements[13] == "1" else []
        groups = 0
        for group in interchange.groups:
            own, said = _address(interchange, group), answer_999(group)
            taken = _taken(group, said)
            if len(taken) < len(group.sets) or not taken:
                body += _grouped(_GROUPS["999"], [said], own, now, next(numbers))
                groups += 1
            if taken:
                kind, control_number = _ANSWERS[taken[0].set_id], next(numbers)
                sets = self._sets(taken, f"{tag}{control_number:09d}", now)
                body += _grouped(_GROUPS[kind], sets, own, now, control_number)
                groups += 1
        body.append(_E.join(("IEA", str(groups), f"{number:09d}")))
        return sealed(body, header), kind

    def _sets(self, taken: Sequence[TransactionSet], reference: str, now: datetime) -> list[list[str]]:
        made: list[list[str]] = []
        for received in taken:
            root = received.tree()
            header = Header(f"{len(made) + 1:04d}", reference, f"{now:%Y%m%d}", f"{now:%H%M}")
            if received.set_id == "270":
                made += eligibility.answers(root, now.date(), header, self._state.pins)
            else:
                asked = found(root, "BHT", 3)
                made += self._statuses(read_status_requests(root), header, asked, now)
        return made

    def _statuses(
        self, requests: Sequence[ClaimStatusRequest], header: Header, asked: str, now: datetime
    ) -> list[list[str]]:
        with self._lock:
            self._pay_if_due()
            if any(self._claims.is_silent(request) for request in requests):
                with self._state.transaction():
                    standings = [self._claims.standing(request, now) for request in requests]
            else:
                standings = [self._claims.standing(request, now) for request in requests]
        first = int(header.control_number)
        return [
            status_response(request, standing, msgspec.structs.replace(header, control_number=f"{n:04d}"), asked)
            for n, (request, standing) in enumerate(zip(requests, standings, strict=True), first)
        ]

    # --- outbox ---

    def files(self) -> list[Listed]:
        """What is there to collect, oldest first."""
        with self._lock:
            self._pay_if_due()
            listed = self._state.files(self.now())
        return listed[::-1] if "reverse" in self._habits.outbox else listed

    def laid_out(self) -> list[Listed]:
        """The same with what is to be there later only."""
        with self._lock:
            return self._state.files(datetime.max.replace(tzinfo=UTC))

    def file(self, reference: str) -> bytes | None:
        """A file of the outbox; None where there is none. One that is partial at first is whole some seconds after the first look."""
        with self._lock:
            content = self._state.file(reference, self.now())
            if content is None or "partial" not in self._habits.outbox:
                return content
            now = time.monotonic()
            whole = now - self._looked.setdefault(reference, now) >= _PARTIAL_SECONDS
        return content if whole else content[: len(content) // 2]

    def offer(self, name: str, content: bytes) -> None:
        """Lay a file out that no claim is behind: what a test wants collected."""
        with self._lock, self._state.transaction():
            self._state.add_file(f"SBX-{self._state.tag}-{self._numbers(1):09d}", name, self.now(), content)

    def remove(self, reference: str) -> None:
        """A file was collected. Again is the same as once."""
        with self._lock, self._state.transaction():
            self._state.remove_file(reference, self.now())
            self._looked.pop(reference, None)

    def acknowledged(self, content: bytes) -> None:
        """Take what is said of a file that was collected, TA1 and 999; NotX12 for anything else, and for a 999 that its guide does not allow."""
        verdicts: list[str] = []
        for interchange in read(content):
            verdicts += [f"TA1 {read_ta1(told).code}" for told in interchange.acknowledgements]
            for one in interchange.sets:
                if one.set_id != "999" or not (one.accepted and interchange.accepted):
                    raise NotX12
                verdicts.append(f"999 {read_999(one.tree()).code}")
        if not verdicts:
            raise NotX12
        with self._lock, self._state.transaction():
            for verdict in verdicts:
                self._state.acknowledged(verdict)

    def seen(self) -> dict[str, Any]:
        """What came: claims by key (the clearinghouse's number, else CLM01), interchanges, what came twice, and what was said of our files."""
        with self._lock:
            return self._state.seen()


def _delimited(text: str, delimiters: str) -> str:
    """An interchange with these delimiters, where its data has none of them; else as it is."""
    own = text[3:4] + text[82:83] + text[104:106]
    if not delimiters or set(delimiters) & (set(text) - set(own)):
        return text
    return text.translate(str.maketrans(own, delimiters))


def _is_question(interchange: Interchange) -> bool:
    """Whether it holds questions only: those are answered at once."""
    sets = interchange.sets
    return bool(sets) and all(s.set_id in _ANSWERS for s in sets)


def _passed(interchange: Interchange) -> dict[int, frozenset[int]]:
    """Let the 999 accept claims that it would reject, wherever a 277CA can name them: by the set, the segments that are wrong."""
    wrong: dict[int, frozenset[int]] = {}
    for received in (s for group in interchange.groups for s in group.sets):
        if received.accepted or received.refused or received.set_id != "837" or received.guide is None:
            continue
        errors = frozenset(f.position or 0 for f in received.findings if f.severity == "error")
        if can_be_named(received):
            wrong[id(received)] = errors
            received.findings = [f for f in received.findings if f.severity != "error"]
    return wrong


def _taken(group: Group, said: Sequence[str] = ()) -> list[TransactionSet]:
    """The sets that the group's 999 accepts, so that it is never said otherwise here."""
    decided = [line.split(_E)[1] in ("A", "E") for line in said or answer_999(group) if line.startswith(f"IK5{_E}")]
    return [received for received, accepted in zip(group.sets, decided, strict=True) if accepted]


# --- envelopes of what is sent ---------------------------------------------------------------------------------------


def _name(text: str, shortest: int, otherwise: str) -> str:
    """An id of the sender's where it can be written back."""
    text = text.strip()
    fits = shortest <= len(text) <= 15 and unwritable_character(text) is None and not _RESERVED & set(text)
    return text if fits else otherwise


def _qualifier(text: str) -> str:
    return text if text in _QUALIFIERS else "ZZ"


def _address(interchange: Interchange, group: Group | None) -> Address:
    """Who sent it, in a form that can be written."""
    elements = interchange.elements
    sender, receiver = _name(elements[5], 1, _NOBODY), _name(elements[7], 1, _NOBODY)
    by, to = (group.elements[1], group.elements[2]) if group is not None else (sender, receiver)
    return Address(
        _qualifier(elements[4]),
        sender,
        _qualifier(elements[6]),
        receiver,
        _name(by, 2, _NOBODY),
        _name(to, 2, _NOBODY),
        interchange.usage if interchange.usage in _USAGES else "T",
    )


def _header(address: Address, now: datetime, number: int) -> InterchangeHeader:
    return InterchangeHeader(
        address.receiver_qualifier,
        address.receiver,
        address.sender_qualifier,
        address.sender,
        f"{now:%y%m%d}",
        f"{now:%H%M}",
        number,
        address.usage,
    )


def _grouped(
    kind: tuple[str, str], sets: Sequence[Sequence[str]], address: Address, now: datetime, number: int
) -> list[str]:
    """GS to GE around transaction sets, addressed to who asked."""
    head = ("GS", kind[0], address.group_receiver, address.group_sender, f"{now:%Y%m%d}", f"{now:%H%M}")
    body = [_E.join((*head, str(number), "X", kind[1]))]
    for segments in sets:
        body += segments
    body.append(_E.join(("GE", str(len(sets)), str(number))))
    return body


def _enveloped(kind: str, sets: Sequence[Sequence[str]], address: Address, now: datetime, number: int) -> str:
    """One interchange with one group."""
    body = _grouped(_GROUPS[kind], sets, address, now, number)
    body.append(_E.join(("IEA", "1", f"{number:09d}")))
    return sealed(body, _header(address, now, number))
