"""The sandbox payer as CORE sees it: questions in real time, batches, and its outbox by retrieval (README.md).

Pure but for the payer it asks: from a request's bytes to an answer's. Runs where calls may block.
"""

from __future__ import annotations

import hmac

from adapters.sandbox.payer import KeyUsed, NotX12, Payer, Receipt
from adapters.transports.core import server
from adapters.transports.core.envelope import NO_ACKNOWLEDGEMENT, NO_RESULTS, RECEIPT, Envelope, answer
from adapters.transports.core.server import Request, Response

__all__ = ["CoreFace"]

# How a file's name ends -> its PayloadType. Acknowledgements and results are asked for apart.
_ACKNOWLEDGEMENTS = {"TA1": "X12_TA1_Response_00501X231A1", "999": "X12_999_Response_005010X231A1"}
_RESULTS = {"277CA": "X12_277CA_Response_005010X214", "835": "X12_835_Response_005010X221A1"}
_ANSWERS = {"271": "X12_271_Response_005010X279A1", "277": "X12_277_Response_005010X212"}
_ANSWERED = _ANSWERS | _ACKNOWLEDGEMENTS | _RESULTS
_SUBMISSIONS_MAX = 10_000


class CoreFace:
    """One payer, answering CORE. `token` is the password that every message needs; "" asks for none."""

    def __init__(self, payer: Payer, token: str) -> None:
        self._payer = payer
        self._token = token
        # PayloadID of a submission -> the files that answer it, while the process lives.
        self._acknowledged: dict[str, list[str]] = {}

    def respond(self, content_type: str, body: bytes) -> Response:
        """The answer to one message; whatever is wrong with it is said in CORE's own way."""
        now = self._payer.now()
        request = server.read_request(content_type, body, now)
        if isinstance(request, Response):
            return request
        if self._token and not hmac.compare_digest(request.password.encode(), self._token.encode()):
            return server.unauthorized(request, now)
        match request.envelope.kind:
            case "question" | "submission":
                return self._take(request)
            case "acknowledgement retrieval":
                return self._give(request, _ACKNOWLEDGEMENTS, NO_ACKNOWLEDGEMENT)
            case "results retrieval":
                return self._give(request, _RESULTS, NO_RESULTS)
            case "results acknowledgement":
                return self._note(request)

    def _take(self, request: Request) -> Response:
        envelope, now = request.envelope, self._payer.now()
        before = {f.reference for f in self._payer.laid_out()}
        try:
            taken = self._payer.take(envelope.payload_id, envelope.payload or b"")
        except NotX12:
            return server.refused(request, ("PayloadIllegal", "The payload is no X12."), now)
        except KeyUsed:
            return server.refused(
                request, ("PayloadIDIllegal", "The PayloadID came before, with another payload."), now
            )
        if isinstance(taken, Receipt):
            made = [
                f.reference
                for f in self._payer.laid_out()
                if f.reference not in before and _kind(f.name) in _ACKNOWLEDGEMENTS
            ]
            if made:
                self._acknowledged[envelope.payload_id.lower()] = made
            if len(self._acknowledged) > _SUBMISSIONS_MAX:
                del self._acknowledged[next(iter(self._acknowledged))]
            return self._said(request, RECEIPT)
        return self._said(request, _ANSWERED[taken.kind], taken.content)

    def _note(self, request: Request) -> Response:
        """Let go of a file that was collected; what is said of it is noted, where something is."""
        if request.envelope.payload:
            try:
                self._payer.acknowledged(request.envelope.payload)
            except NotX12:
                said = "The payload is neither a TA1 nor a 999 that its guide allows."
                return server.refused(request, ("PayloadIllegal", said), self._payer.now())
        self._payer.remove(request.envelope.payload_id)
        return self._said(request, RECEIPT)

    def _give(self, request: Request, kinds: dict[str, str], none: str) -> Response:
        """The acknowledgement of the submission that the PayloadID names, else the oldest file of these kinds."""
        identity = request.envelope.payload_id
        named = frozenset(self._acknowledged.get(identity.lower(), ()) if none == NO_ACKNOWLEDGEMENT else ())
        listed = self._payer.files()
        found = next((f for f in listed if f.reference in named), None)
        if found is None and not named.isdisjoint(f.reference for f in self._payer.laid_out()):
            # It comes later.
            return self._said(request, none)
        if found is None and self._payer.has(identity):
            # It was taken, and its acknowledgement was collected before.
            return self._said(request, RECEIPT)
        found = found or next((f for f in listed if _kind(f.name) in kinds), None)
        content = self._payer.file(found.reference) if found is not None else None
        if found is None or content is None:
            return self._said(request, none)
        at = identity if found.reference in named else found.reference
        kind = kinds.get(_kind(found.name), _ACKNOWLEDGEMENTS["999"])
        return self._said(request, kind, content, at)

    def _said(
        self, request: Request, payload_type: str, payload: bytes | None = None, payload_id: str = ""
    ) -> Response:
        said: Envelope = answer(request.envelope, payload_type, self._payer.now(), payload, payload_id=payload_id)
        return server.write_response(request, said)


def _kind(name: str) -> str:
    """The end of a file's name; what a test laid out under another one is a result."""
    end = name.rpartition(".")[2]
    return end if end in _ACKNOWLEDGEMENTS or end in _RESULTS else "835"
