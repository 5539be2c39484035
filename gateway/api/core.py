"""The gateway as CORE sees it: questions answered in real time, claims taken by the batch, their acknowledgements retrieved.

`POST /2025-06-01/protocols/caqh-core`, SOAP 1.2 or 1.1, or a multipart form. The user of the UsernameToken is the account, its
password a key of the API. A batch is receipted after its commit, and the same PayloadID with the same payload is one submission.

Sources: CAQH CORE Connectivity Rule vC2.2.0; `adapters.transports.core` for how messages are written and read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from adapters.transports.core import server
from adapters.transports.core.envelope import NO_ACKNOWLEDGEMENT, NO_RESULTS, RECEIPT, answer
from adapters.transports.core.server import Request, Response
from adapters.transports.guide import guide_of
from gateway.api.core_door import Door, Entered
from gateway.api.core_files import REPORTS, CoreFiles, acknowledged_as
from gateway.claim_kinds import CLAIM_KINDS
from gateway.inquiries import Kind
from gateway.ledger import idempotency, payloads
from gateway.ledger.api_keys import ApiKey
from gateway.messages import ClaimResponse
from gateway.replies import Reply
from gateway.runtime import TENANT, Runtime
from gateway.service import Service
from gateway.views import Views
from observability import log
from queues.database import DatabaseError, Transaction
from x12.syntax import runs

__all__ = ["PATH", "CoreServer"]

PATH = "/2025-06-01/protocols/caqh-core"
_LOG = log.get("gateway.api.core")
# GS08 begins -> what is asked, and the PayloadType of its answer.
_QUESTIONS: dict[str, tuple[Kind, str]] = {
    "005010X279": ("eligibility", "X12_271_Response_005010X279A1"),
    "005010X212": ("claim_status", "X12_277_Response_005010X212"),
}
_CLAIMS = {"005010X222": "837P", "005010X223": "837I", "005010X224": "837D"}
_SCOPES = {
    "eligibility": "eligibility:write",
    "claim_status": "claims:read",
    "claims": "claims:write",
    "files": "claims:read",
}
_OPERATION = "core submission"
_FULL = "Nothing can be stored now: nothing was taken."
# What leaves something new to be done.
_WORK = ("question", "submission")


class CoreServer:
    """Answers CORE to those whom `door` lets in."""

    def __init__(self, runtime: Runtime, service: Service, views: Views, door: Door) -> None:
        self._runtime, self._service, self._views, self._door = runtime, service, views, door
        self._files = CoreFiles(runtime)

    async def handle(self, request: web.Request) -> web.Response:
        """One message; whatever is wrong with it is said in CORE's own way, in the order of the rule."""
        runtime, is_whole = self._runtime, False
        try:
            async with self._door.entered(request, runtime.world, runtime.config.body_bytes_max) as (came, is_whole):
                said = await self._respond(came.request, came.caller) if isinstance(came, Entered) else came
        except DatabaseError as error:
            _LOG.error("database failed", operation=_OPERATION, exc_info=error)
            said = server.unread(request.headers.get("Content-Type", ""), b"", 503, _FULL)
        response = web.Response(status=said.status, headers=dict(said.headers), body=said.body)
        if not is_whole:
            # What is left of the body would have to be read before the next request.
            response.force_close()
        return response

    async def _respond(self, request: Request, caller: ApiKey) -> Response:
        disk = self._runtime.disk
        try:
            if request.envelope.kind in _WORK and disk is not None and disk.short:
                return self._full(request)
            return await self._allowed(request, caller)
        except DatabaseError as error:
            _LOG.error("database failed", operation=request.envelope.message.action, exc_info=error)
            return self._full(request)

    def _full(self, request: Request) -> Response:
        said = server.failed(request, _FULL, self._runtime.world.now(), 503)
        return msgspec.structs.replace(said, headers={**said.headers, "Retry-After": "30"})

    async def _allowed(self, request: Request, caller: ApiKey) -> Response:
        """The answer to a caller who is known, for what the key may do."""
        guide = guide_of(request.envelope.payload or b"")[:10]
        match request.envelope.kind:
            case "question":
                if guide not in _QUESTIONS:
                    return self._refused(request, "PayloadTypeIllegal", "Ask with a 270 of X279A1 or a 276 of X212.")
                asked = _QUESTIONS[guide]
                needed, answered = asked[0], self._ask(request, *asked)
            case "submission":
                if guide not in _CLAIMS:
                    return self._refused(request, "PayloadTypeIllegal", "Submit 837 claims of X222, X223 or X224.")
                needed, answered = "claims", self._submit(request, _CLAIMS[guide])
            case "acknowledgement retrieval":
                needed, answered = "files", self._acknowledgement(request, caller)
            case "results retrieval":
                needed, answered = "files", self._results(request, caller)
            case "results acknowledgement":
                needed, answered = "files", self._noted(request, caller)
        if _SCOPES[needed] not in caller.scopes:
            answered.close()
            return self._refused(request, "UnAuthorized", f"This key lacks the scope {_SCOPES[needed]}.")
        return await answered

    # --- real time ---

    async def _ask(self, request: Request, kind: Kind, payload_type: str) -> Response:
        """A question, answered by the payer's own 271 or 277; by a 999 or TA1 where it cannot be asked."""
        asked = request.envelope.payload or b""
        reply = await self._service.inquire_x12(kind, asked, is_json=False)
        if reply.status == 202:
            return server.failed(request, "The payer did not answer in time; ask again later.", self._now(), 504)
        said = _x12_of(reply)
        if reply.status == 200 and said:
            return self._said(request, payload_type, b"".join(_readdressed(one, asked, turned=True) for one in said))
        return self._not_taken(request, reply, said)

    def _not_taken(self, request: Request, reply: Reply, said: list[bytes]) -> Response:
        """What was wrong: in X12 where there is such a word for it, else the envelope's."""
        if said:
            return self._said(request, acknowledged_as(said[0]), b"".join(said))
        if reply.status >= 500:
            return server.failed(request, "The payer could not be asked.", self._now(), reply.status)
        return self._refused(request, "PayloadIllegal", _reasons(reply))

    # --- batches ---

    async def _submit(self, request: Request, name: str) -> Response:
        """Claims: durable before the receipt. A file that is refused has its 999 kept for retrieval, as the rule has it."""
        payload, key = request.envelope.payload or b"", request.envelope.payload_id
        kind = CLAIM_KINDS[name]
        before = await self._service.remembered(_OPERATION, key, payload)
        if before is None:
            reply = await self._service.submit_claims_x12(kind, payload, is_json=False, key=f"core {key}")
            if reply.status == 200 or _x12_of(reply):
                before = await self._service.taking(_OPERATION, key, payload, lambda tx: self._given(tx, key, reply))
            else:
                before = reply
        if before.status in (409, 422):
            return self._refused(request, "PayloadIDIllegal", "The PayloadID came before, with another payload.")
        if before.status == 200 or _x12_of(before):
            return self._said(request, RECEIPT)
        return self._not_taken(request, before, [])

    async def _given(self, tx: Transaction, key: str, reply: Reply) -> Reply:
        """The answer to a submission, its 999 kept with it for who asks for whatever is new."""
        said = _x12_of(reply)
        if said:
            await self._files.acknowledge(tx, key, b"".join(said).decode("latin-1"))
        return reply

    async def _acknowledgement(self, request: Request, caller: ApiKey) -> Response:
        """The 999 of the submission that the PayloadID names, its 277CA where that is asked for; of none, what is new."""
        response = await self._submission(request.envelope.payload_id)
        if response is None:
            return await self._new(request, caller, NO_ACKNOWLEDGEMENT)
        if "277" in request.envelope.payload_type:
            return await self._report(request, caller, response, "claim_report", NO_ACKNOWLEDGEMENT)
        said = (response.x12 or "").encode("latin-1", "replace")
        if not said:
            return self._said(request, NO_ACKNOWLEDGEMENT)
        await self._files.handed_acknowledgement(caller, request.envelope.payload_id, said)
        return self._said(request, acknowledged_as(said), said)

    async def _results(self, request: Request, caller: ApiKey) -> Response:
        """The 277CA of the submission that the PayloadID names, its remittances where those are asked for; of none, what is new."""
        response = await self._submission(request.envelope.payload_id)
        if response is None:
            return await self._new(request, caller, NO_RESULTS)
        wanted = "remittance" if "835" in request.envelope.payload_type else "claim_report"
        return await self._report(request, caller, response, wanted, NO_RESULTS)

    async def _new(self, request: Request, caller: ApiKey, none: str) -> Response:
        """The oldest file that the caller's key has not confirmed."""
        picked = await self._files.retrieved(request.envelope, caller)
        if picked is None:
            return self._said(request, none)
        return self._said(request, picked.payload_type, picked.content, picked.payload_id)

    async def _report(
        self, request: Request, caller: ApiKey, response: ClaimResponse, wanted: str, none: str
    ) -> Response:
        names = [r.correlation_id for r in response.claim_references or () if r.correlation_id]
        files: dict[str, bytes] = {}
        for name in names:
            found = await self._views.raw_report_about(name, wanted)
            if found is not None:
                files.setdefault(*found)
        if not files:
            return self._said(request, none)
        handed = [(file_id, REPORTS[wanted], content) for file_id, content in files.items()]
        await self._files.handed(caller, request.envelope.payload_id, handed)
        like = (response.x12 or "").encode("latin-1", "replace")
        said = b"".join(_readdressed(content, like, turned=False) for content in files.values())
        return self._said(request, REPORTS[wanted], said)

    async def _noted(self, request: Request, caller: ApiKey) -> Response:
        """An acknowledgement of results: what it names is not new to the key any more. Files stay to be had again by name."""
        if await self._files.confirmed(request.envelope, caller):
            return self._said(request, RECEIPT)
        return self._refused(
            request, "PayloadIDIllegal", "The PayloadID names no file that was handed out to this key."
        )

    async def _submission(self, payload_id: str) -> ClaimResponse | None:
        """What was answered to the submission with this PayloadID."""
        runtime = self._runtime

        async def body(tx: Transaction) -> bytes | None:
            found = await idempotency.recall(tx, TENANT, _OPERATION, payload_id, b"")
            if found is None or found.payload_id is None:
                return None
            return await payloads.load(tx, runtime.vault, TENANT, found.payload_id)

        told = await runtime.database.read(body)
        return None if told is None else msgspec.json.decode(told, type=ClaimResponse)

    # --- answers ---

    def _now(self) -> Any:
        return self._runtime.world.now()

    def _said(
        self, request: Request, payload_type: str, payload: bytes | None = None, payload_id: str = ""
    ) -> Response:
        made = answer(request.envelope, payload_type, self._now(), payload, payload_id=payload_id)
        return server.write_response(request, made)

    def _refused(self, request: Request, code: str, said: str) -> Response:
        return server.refused(request, (code, said), self._now())


class _Told(msgspec.Struct):
    x12: str | None = None


def _x12_of(reply: Reply) -> list[bytes]:
    """The interchanges in an answer of the service: of one question or submission, or of each of several."""
    if reply.body.startswith(b"["):
        told = msgspec.json.decode(reply.body, type=list[_Told])
    else:
        told = [msgspec.json.decode(reply.body, type=_Told)]
    return [one.x12.encode("latin-1", "replace") for one in told if one.x12 and one.x12.startswith("ISA")]


def _reasons(reply: Reply) -> str:
    """What the service found wrong, in its own words, which never tell a patient's data."""
    told: dict[str, Any] = msgspec.json.decode(reply.body)
    said = [str(e.get("description") or "") for e in told.get("errors") or ()]
    return " ".join(s for s in said if s)[:1_000] or "The payload cannot be taken."


def _readdressed(payload: bytes, like: bytes, *, turned: bool) -> bytes:
    """A payer's interchange, addressed to the caller: the payer answered us, by the names that we have there.

    The names are those of `like`'s envelope; `turned` when that one went the other way. Left as it is where a name holds one of
    its separators.
    """
    names = [run.segments[0].split(run.delimiters.element) for run in runs(like) if run.isa][:1]
    if not names or len(names[0]) < 9:
        return payload
    first = names[0][5:9]
    told = [*first[2:], *first[:2]] if turned else first
    made: list[str] = []
    for run in runs(payload):
        marks = run.delimiters
        if any(c in "".join(told) for c in (marks.element, marks.segment)):
            return payload
        for segment in run.segments:
            parts = segment.split(marks.element)
            if parts[0].strip() == "ISA" and len(parts) > 8:
                parts[5:9] = told
            elif parts[0].strip() == "GS" and len(parts) > 3:
                parts[2:4] = told[1].strip(), told[3].strip()
            made.append(marks.element.join(parts) + marks.segment)
    return "".join(made).encode("latin-1", "replace")
