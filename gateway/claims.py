"""The intake of claims: from JSON or raw X12 to what is kept, and to what the caller is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.claim_files import (
    REPEATED_CLAIM,
    FileClaim,
    JudgedFile,
    Repeated,
    judged_file,
    repetition,
    surveyed,
)
from gateway.claim_judging import Treatment
from gateway.claim_kinds import AnyClaim, ClaimKind
from gateway.ledger import inbound
from gateway.messages import (
    ClaimMeta,
    ClaimPayer,
    ClaimReference,
    ClaimResponse,
    ClaimResult,
    ErrorItem,
    ErrorResponse,
    LineReference,
    edit_responses,
    error_items,
)
from gateway.payers import Payer, UnknownPayer
from gateway.replies import Reply
from gateway.runtime import TENANT, Runtime
from gateway.submissions import (
    Submission,
    allowance,
    commit_claims,
    further_findings,
    marked,
    prepare_claim,
    repeated_before,
    treatment_of,
    usage_of,
)
from gateway.world import dated
from gateway.x12_answers import Answering
from observability import tracing
from queues.database import Transaction
from x12.discreet import Discreet
from x12.documents.lenient import decode
from x12.finding import Finding
from x12.syntax import CANONICAL, choose_delimiters, translate

__all__ = ["CameBefore", "Claims", "Intake"]

_SUCCESS, _ERROR = "SUCCESS", "ERROR"
# Longer files are looked over beside the loop.
_LOOKED_OVER_BYTES = 256 << 10
_USAGES = ("T", "P")


@dataclass
class Intake:
    """Claims that came in together: those that are good, and the reply, true once they are kept.

    `contents` tell the interchanges of good claims from any other, by their places in the file: the very same again is a duplicate, not
    new claims. `repeats` are the claims that are known to be the same as one before. `again` judges them once more, knowing which
    claims and which interchanges came before.
    """

    submissions: list[Submission]
    reply: Reply
    contents: dict[int, str] = field(default_factory=dict[int, str])
    repeats: dict[str, Repeated] = field(default_factory=dict[str, Repeated])
    allowed: bool = False
    again: Callable[[dict[str, Repeated], list[int]], Awaitable[Intake]] | None = None

    @property
    def accepted(self) -> bool:
        return bool(self.submissions)


class CameBefore(Exception):
    """Claims or interchanges that came before, which was not known when they were judged; nothing may be kept yet."""

    def __init__(self, claims: dict[str, str], interchanges: list[int]) -> None:
        super().__init__("claims or interchanges came before")
        self.claims = claims
        self.interchanges = interchanges


class _File(Discreet):
    """A file on its way in: new ids for its claims, and for each payer that it names who that is, or why nobody."""

    kind: ClaimKind
    content: bytes
    allowed: bool
    kept: bool
    ids: list[str]
    payers: Mapping[str, Payer | str]


class Claims:
    """Judges claims and takes them in.

    `allowed` says that a caller wants claims taken which repeat others, `kept` that they are to be kept at all: where they are only
    judged, the reply names nothing that they could be found by.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    # --- one claim in JSON ---

    async def prepare(self, kind: ClaimKind, body: bytes, *, allowed: bool = False, kept: bool = True) -> Intake:
        """One claim out of the dialect's JSON, judged at all levels, every finding at once with its field path."""
        claim, findings = decode(kind.type, body)
        if claim is None:
            return Intake([], self._refused(findings, None, None))
        asked = (claim.usage_indicator or "").strip().upper() or None
        if asked is not None and asked not in _USAGES:
            path = "usageIndicator"
            findings.append(Finding(1, "element", "7", f"{path} must be T for a test or P for production.", path=path))
        payer: Payer | None = None
        try:
            payer = self.runtime.directory.find(claim.trading_partner_service_id or "", f"{kind.name}_claim")
        except UnknownPayer as error:
            path = "tradingPartnerServiceId"
            findings.append(Finding(1, "element", "79", f"{path}: {error}.", path=path))
        if payer is None or findings:
            # Nothing of it is sent: what else is wrong is told with it.
            findings += await further_findings(self.runtime, kind, claim)
            return Intake([], self._refused(findings, claim, None))
        made = await prepare_claim(self.runtime, payer, kind, claim, asked)
        if not made.claim.accepted:
            return Intake([], self._refused(made.claim.findings, claim, made))
        return self._told(claim, made, allowed, kept)

    def _told(self, claim: AnyClaim, made: Submission, allowed: bool, kept: bool) -> Intake:
        async def again(repeats: dict[str, Repeated], _: list[int]) -> Intake:
            repeated = repeats[made.transaction_id]
            finding = repetition(repeated)
            if repeated.refused:
                return Intake([], self._refused([*made.claim.findings, finding], claim, made))
            made.claim.findings = [f for f in made.claim.findings if f.rule != finding.rule]
            made.claim.findings.append(finding)
            made.repeats, made.allowed_by = repeated, allowance(made.payer, allowed)[1]
            told = self._told(claim, made, allowed, kept)
            told.repeats = repeats
            return told

        response = self._response(made, claim.control_number, kept)
        response.x12 = self._preview(made)
        reply = Reply(200, msgspec.json.encode(response), made.transaction_id if kept else None)
        return Intake([made], reply, allowed=allowed, again=again)

    # --- claims in X12 ---

    async def prepare_x12(self, kind: ClaimKind, content: bytes, *, allowed: bool = False, kept: bool = True) -> Intake:
        """Every claim of this kind in a file, judged one by one: a file is taken in parts, and its answer tells of each claim.

        A file of more than `file_claims_max` claims is refused before it is read.
        """
        if len(content) > _LOOKED_OVER_BYTES:
            survey = await self.runtime.world.offload(lambda: surveyed(content))
        else:
            survey = surveyed(content)
        if survey.claims > self.runtime.config.file_claims_max:
            return Intake([], _too_many(self.runtime.config.file_claims_max))
        ids = [self.runtime.world.new_id() for _ in range(survey.claims)]
        named = {name: self._payer(name, kind) for name in survey.payers}
        return await self._judged(_File(kind, content, allowed, kept, ids, named), {}, [])

    def _payer(self, named: str, kind: ClaimKind) -> Payer | str:
        """The payer that a file names, or why there is none."""
        try:
            return self.runtime.directory.for_x12(named, f"{kind.name}_claim")
        except UnknownPayer as error:
            return str(error)

    async def _judged(self, file: _File, repeats: dict[str, Repeated], already: list[int]) -> Intake:
        runtime = self.runtime
        treatments: dict[str, Treatment | str] = {
            name: p if isinstance(p, str) else treatment_of(runtime, p, runtime.directory.route(p), None, name)
            for name, p in file.payers.items()
        }
        answering, today = Answering(*dated(runtime.world.micros())), runtime.world.now().date()
        judged = await runtime.judges.call(
            judged_file, file.kind.x12.name, file.content, treatments, answering, today, file.ids, repeats, already
        )
        good = [one for one in judged.claims if one.accepted]
        submissions = [self._submission(file, judged.usages[one.interchange], one) for one in good]

        async def again(more: dict[str, Repeated], places: list[int]) -> Intake:
            return await self._judged(file, repeats | more, [*already, *places])

        contents = {one.interchange: judged.contents[one.interchange] for one in good}
        reply = self._file_reply(judged, submissions, file.kept)
        return Intake(submissions, reply, contents, repeats, file.allowed, again)

    def _submission(self, file: _File, usage: str, one: FileClaim) -> Submission:
        payer = file.payers[one.claim.payer]
        assert isinstance(payer, Payer)
        route = self.runtime.directory.route(payer, usage)
        by = allowance(payer, file.allowed)[1]
        return Submission(
            file.kind, one.transaction_id, payer, route, usage_of(route, usage), one.claim, one.repeats, by
        )

    # --- keeping them ---

    async def take(self, tx: Transaction, intake: Intake) -> Reply:
        """Keep the claims; the reply is true once this transaction is. CameBefore when not all of what came before is known."""
        now = self.runtime.world.micros()
        seen: list[int] = []
        for place, content in intake.contents.items():
            key, digest = self._submitted(content), content.rpartition("|")[2]
            if await inbound.claim_effect(tx, TENANT, "submitted", key, digest, "", now) is not None:
                seen.append(place)
        found = await repeated_before(tx, self.runtime, intake.submissions)
        if seen or any(intake.repeats.get(i, _NEVER).transaction_id != before for i, before in found.items()):
            raise CameBefore(found, seen)
        await commit_claims(tx, self.runtime, intake.submissions)
        return intake.reply

    async def knowing(self, intake: Intake, before: CameBefore) -> Intake:
        """The same claims once more, now that it is known which of them came before."""
        assert intake.again is not None
        return await intake.again(marked(before.claims, intake.submissions, intake.allowed), before.interchanges)

    async def weighed(self, intake: Intake) -> Intake:
        """The claims as `take` would find them now, and nothing kept."""
        if not intake.accepted:
            return intake

        async def body(tx: Transaction) -> CameBefore:
            seen = [
                place
                for place, content in intake.contents.items()
                if await inbound.has_happened(tx, TENANT, "submitted", self._submitted(content))
            ]
            return CameBefore(await repeated_before(tx, self.runtime, intake.submissions), seen)

        before = await self.runtime.database.read(body)
        return await self.knowing(intake, before) if before.claims or before.interchanges else intake

    def _submitted(self, content: str) -> bytes:
        """What an interchange that was submitted is known again by."""
        return self.runtime.vault.index(TENANT, "submitted", content)

    # --- what is told ---

    def _refused(self, findings: Sequence[Finding], claim: AnyClaim | None, made: Submission | None) -> Reply:
        response = ClaimResponse(
            status=_ERROR,
            control_number=claim.control_number if claim else None,
            trading_partner_service_id=claim.trading_partner_service_id if claim and made else None,
            meta=ClaimMeta(trace_id=tracing.current_trace_id() or None),
            edit_status=_ERROR,
            edit_responses=edit_responses(findings),
            errors=error_items(findings),
            warnings=error_items(findings, "warning"),
        )
        return _refusing(response, findings)

    def _file_reply(self, judged: JudgedFile, good: Sequence[Submission], kept: bool) -> Reply:
        findings = list(dict.fromkeys((*judged.findings, *(f for c in judged.claims for f in c.claim.findings))))
        if good:
            response = self._response(good[0], None, kept)
            response.claim_references = [self._reference(made, kept) for made in good]
        else:
            response = ClaimResponse(
                status=_ERROR, edit_status=_ERROR, meta=ClaimMeta(trace_id=tracing.current_trace_id() or None)
            )
        response.errors, response.warnings = error_items(findings), error_items(findings, "warning")
        response.edit_responses = edit_responses(findings)
        response.claim_results = [_result(one, kept) for one in judged.claims] or None
        response.x12 = judged.acknowledgement or None
        response.x12_claim_acknowledgement = judged.report or None
        if not good:
            return _refusing(response, findings)
        return Reply(200, msgspec.json.encode(response), good[0].transaction_id if kept else None)

    def _response(self, first: Submission, control_number: str | None, kept: bool) -> ClaimResponse:
        """What is said of claims that were taken, this one the first of them."""
        return ClaimResponse(
            status=_SUCCESS,
            control_number=control_number or (first.claim_number if kept else None),
            trading_partner_service_id=first.payer.id,
            claim_reference=self._reference(first, kept),
            meta=ClaimMeta(
                trace_id=first.transaction_id if kept else tracing.current_trace_id() or None,
                application_mode="production" if first.usage == "P" else "test",
                submitter_id=first.route.sender_id,
            ),
            edit_status=_SUCCESS,
            payer=ClaimPayer(payer_name=first.payer.name, payer_id=first.payer.id, payer_id_too=first.payer.id),
            errors=error_items(first.claim.findings),
            warnings=error_items(first.claim.findings, "warning"),
            http_status_code="200 OK",
        )

    def _preview(self, made: Submission) -> str:
        """The transaction set that the claim is kept as, readable; its envelope is built when it is sent."""
        text = CANONICAL.segment.join(made.claim.segments) + CANONICAL.segment
        return translate(text, CANONICAL, choose_delimiters(text))

    def _reference(self, made: Submission, kept: bool) -> ClaimReference:
        return ClaimReference(
            correlation_id=made.transaction_id if kept else None,
            submitter_id=made.route.sender_id,
            customer_claim_number=made.transaction_id if kept else None,
            patient_control_number=made.claim.number,
            time_of_response=self.runtime.world.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            claim_type=made.kind.claim_type,
            format_version="5010",
            rhclaim_number=made.claim_number if kept else None,
            payer_id=made.payer.id,
            payer_id_too=made.payer.id,
            service_lines=[LineReference(line_item_control_number=n or None) for n in made.claim.line_numbers] or None,
        )


_NEVER = Repeated("")


def _too_many(at_most: int) -> Reply:
    text = f"The file has too many claims. It may have {at_most} at most: send them in several files."
    told = ErrorResponse(status=_ERROR, message=text, errors=[ErrorItem(code="413", description=text)])
    return Reply(413, msgspec.json.encode(told))


def _result(one: FileClaim, kept: bool) -> ClaimResult:
    """What became of one claim of a file."""
    findings = one.claim.findings
    return ClaimResult(
        status="ACCEPTED" if one.accepted else "REJECTED",
        patient_control_number=one.claim.number or None,
        correlation_id=one.transaction_id if one.accepted and kept else None,
        duplicate_of=one.repeats.transaction_id if one.repeats is not None else None,
        errors=error_items(findings),
        warnings=error_items(findings, "warning"),
    )


def _refusing(response: ClaimResponse, findings: Iterable[Finding]) -> Reply:
    """400 with everything that is wrong; 409 where nothing is but that the claims came before."""
    only = {f.rule for f in findings if f.severity == "error"} == {REPEATED_CLAIM}
    status, response.http_status_code = (409, "409 CONFLICT") if only else (400, "400 BAD_REQUEST")
    return Reply(status, msgspec.json.encode(response))
