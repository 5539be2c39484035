"""OAuth 2.0 client credentials: a token of limited life for a key.

The client's id is the key's id, its secret the key itself or its secret part, in the body (JSON or a form) or as `Basic`. A token has
the key's scopes or fewer and ends with its key. Errors have the shape of RFC 6749. Wrong secrets are counted for the client and for
the address they come from; a right one is never turned away for them.

Source: RFC 6749, sections 2.3.1, 4.4, 5.1 and 5.2.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from aiohttp import web

from gateway.api.operations import Call, Example, Operation, Outcome
from gateway.api.refusals import Shape
from gateway.ledger import api_keys
from gateway.ledger.api_keys import SCOPES, ApiKey
from gateway.messages import ErrorItem
from gateway.replies import Reply
from x12.documents.binding import Document, Text
from x12.documents.lenient import decode

__all__ = ["OPERATIONS"]

_LIFE = timedelta(hours=1)
_GRANT = "client_credentials"
_FORM = "application/x-www-form-urlencoded"


class TokenRequest(Document):
    """Who asks for a token. `scope` are scopes with spaces between; by default all of the key's."""

    grant_type: Text = msgspec.field(default=None, name="grant_type")
    client_id: Text = msgspec.field(default=None, name="client_id")
    client_secret: Text = msgspec.field(default=None, name="client_secret")
    scope: Text = None


class Token(Document):
    """A token, sent as `Bearer`. `expires_in` are seconds."""

    access_token: str = msgspec.field(name="access_token")
    token_type: str = msgspec.field(name="token_type")
    expires_in: int = msgspec.field(name="expires_in")
    scope: str


class TokenError(Document):
    """Why there is no token (RFC 6749, 5.2)."""

    error: str
    error_description: Text = msgspec.field(default=None, name="error_description")


def _refused(error: str, description: str, status: int = 400, headers: Mapping[str, str] | None = None) -> Reply:
    body = msgspec.json.encode(TokenError(error=error, error_description=description))
    return Reply(status, body, None, headers or {})


def _refuse(
    status: int,
    title: str,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: list[ErrorItem] | None = None,
    limits: Sequence[str] = (),
) -> web.Response:
    kind = "temporarily_unavailable" if status >= 500 else "invalid_request"
    reply = _refused(kind, f"{title} {detail}" if detail else title, status, headers)
    return web.Response(status=status, body=reply.body, content_type="application/json", headers=reply.headers)


def _read(call: Call) -> TokenRequest | Reply:
    """What is asked, out of JSON or a form, the credentials out of the header where they stand there."""
    if call.request.content_type == _FORM:
        try:
            pairs = parse_qsl(call.body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
        except ValueError:
            return _refused("invalid_request", "The form cannot be read: send fields in UTF-8.")
        if len({name for name, _ in pairs}) < len(pairs):
            return _refused("invalid_request", "A parameter is given twice.")
        asked = msgspec.convert(dict(pairs), TokenRequest)
    else:
        found, findings = decode(TokenRequest, call.body)
        if found is None:
            return _refused("invalid_request", " ".join(f.message for f in findings))
        asked = found
    scheme, _, said = call.request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "basic":
        if asked.client_secret is not None:
            return _refused("invalid_request", "Show who you are in one way: in the header or in the body.")
        try:
            name, colon, secret = base64.b64decode(said.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            name = colon = secret = ""
        if not colon:
            return _refused("invalid_request", "The Authorization header cannot be read.")
        asked.client_id, asked.client_secret = unquote_plus(name), unquote_plus(secret)
    return asked


async def _client(call: Call, client_id: str, client_secret: str) -> ApiKey | None:
    """The key that a client shows; None where it is none that is good."""
    runtime, key_id = call.service.runtime, client_id.removeprefix(f"{api_keys.PREFIX}_")
    whole = client_secret.startswith(f"{api_keys.PREFIX}_") and client_secret.count("_") > 1
    token = client_secret if whole else f"{api_keys.PREFIX}_{key_id}_{client_secret}"
    found = await runtime.database.read(lambda tx: api_keys.resolve(tx, runtime.vault, token, runtime.world.micros()))
    return found if found is not None and found.key_id == key_id else None


async def _token(call: Call) -> Reply:
    asked = _read(call)
    if isinstance(asked, Reply):
        return asked
    if asked.grant_type is None or not asked.client_id or not asked.client_secret:
        missing = [n for n in ("grant_type", "client_id", "client_secret") if not getattr(asked, n)]
        return _refused("invalid_request", f"{', '.join(missing)} must be given.")
    if asked.grant_type != _GRANT:
        return _refused("unsupported_grant_type", f"grant_type must be {_GRANT}.")
    runtime, guesses = call.service.runtime, call.service.guesses
    now, names = runtime.world.monotonic(), (f"client {asked.client_id[:64]}", f"from {call.request.remote}")
    key = await _client(call, asked.client_id, asked.client_secret)
    if key is None:
        # Only who is wrong waits: anybody can be wrong in a client's name, or from behind the same proxy, and no secret is guessed.
        wait = guesses.wait_seconds(now, *names)
        if wait:
            return _refused("invalid_client", "Too many wrong secrets.", 429, {"Retry-After": str(wait)})
        guesses.failed(now, *names)
        headers = {"WWW-Authenticate": 'Basic realm="claimwire"'}
        return _refused("invalid_client", "The client is not known, or its secret is wrong.", 401, headers)
    wanted = frozenset((asked.scope or "").split()) or key.scopes
    if not wanted <= key.scopes:
        return _refused("invalid_scope", f"This client has {' '.join(sorted(key.scopes))}.")
    seconds = int(_LIFE.total_seconds())
    if key.expires_at is not None:
        seconds = min(seconds, max(1, (key.expires_at - runtime.world.micros()) // 1_000_000))
    token = api_keys.issue_token(runtime.vault, key, wanted, runtime.world.micros() + seconds * 1_000_000)
    scope = " ".join(s for s in SCOPES if s in wanted)
    made = Token(access_token=token, token_type="Bearer", expires_in=seconds, scope=scope)  # noqa: S106 - what it is called
    return Reply(200, msgspec.json.encode(made))


_EXAMPLE = {"grant_type": _GRANT, "client_id": "0123456789abcdef", "client_secret": "the secret part of the key"}
_WRONG = Outcome("invalid_request, unsupported_grant_type or invalid_scope.", TokenError)

# A client that has one base URL asks under its prefix, too.
_PATHS = tuple(f"{prefix}/apip/auth/v2/token" for prefix in ("", "/change", "/2024-04-01/change"))

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "issueToken", "POST", _PATHS, "A token for a client's id and secret, good for an hour.",
        None, _token,
        {
            200: Outcome("The token.", Token),
            400: _WRONG,
            401: Outcome("invalid_client: the client is not known, or its secret is wrong.", TokenError),
            429: Outcome("invalid_client: too many wrong secrets.", TokenError),
        },
        TokenRequest, takes_also=(_FORM,), gives_tokens=True, shape=Shape(_refuse, TokenError), tag="authorization",
        examples={"wrong": Example("A client that nobody knows.", _EXAMPLE, 401)},
    ),
)  # fmt: skip
