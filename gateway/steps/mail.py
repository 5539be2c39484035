"""Writes to people about alarms: those that are open and that nobody was written about, in one mail.

A mail is marked once the server has taken it; a crash in between writes twice rather than not at all, under one Message-ID. Mail that
cannot be delivered waits and holds up nothing else. Whom the server does not take for now, as where it lists greylists, is written to later and alone.

Source: RFC 5321 (4.2.1: a reply of 4yz may be another later), RFC 5322 (3.6: Date and From are required; Auto-Submitted: RFC 3834).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from gateway.alarms import words
from gateway.config import Mail
from gateway.ledger import alarms
from gateway.ledger.alarms import Alarm
from gateway.runtime import Runtime
from gateway.steps.waiting import LONGEST_SECONDS, later
from gateway.views import moment
from observability import log
from queues import work
from queues.database import Transaction
from queues.work import SECOND, Work

__all__ = ["letter", "run"]

_LOG = log.get("gateway.mail")
_AT_ONCE_MAX = 200
_TIMEOUT_SECONDS = 30.0
# The work that writes to those whom the server did not take for now.
_AGAIN, _AGAIN_SECONDS = "refused for now", 60.0


async def run(runtime: Runtime, item: Work) -> None:
    """Write about what is open, or try again later."""
    mail = runtime.config.mail
    found = await runtime.database.read(lambda tx: _open(tx, item))
    if mail is None or not found:
        await runtime.database.write(lambda tx: work.finish(tx, item))
        return
    to = [address for address in item.data.get("to", mail.to) if address in mail.to]
    try:
        refused = await _sent(mail, letter(mail, found, runtime.world.now()), to) if to else {}
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        reason = f"the mail was not taken: {_said(error)}"
        _LOG.warning("mail failed", reason=reason, count=len(found))
        await runtime.database.write(lambda tx: work.postpone(tx, item, later(runtime, item), reason))
        return
    _LOG.info("mail sent", count=len(found))
    for code in sorted(set(refused.values())):
        reason = f"not to all: {code} of one that it was for"
        _LOG.warning("mail failed", reason=reason, count=list(refused.values()).count(code))
    await runtime.database.write(lambda tx: _told(tx, runtime, item, found, refused))


async def _open(tx: Transaction, item: Work) -> list[Alarm]:
    """What is to be written about: what nobody was, or what the work names, as long as it is open and nobody has seen it."""
    if "alarms" not in item.data:
        return await alarms.to_mail(tx, item.tenant_id, _AT_ONCE_MAX)
    found = [await alarms.get(tx, item.tenant_id, alarm_id) for alarm_id in item.data["alarms"]]
    return [one for one in found if one is not None and one.closed_at is None and one.acknowledged_at is None]


async def _sent(mail: Mail, made: EmailMessage, to: Sequence[str]) -> dict[str, int]:
    """Hand a mail to the server; whom it did not take, with its reply. An error where it took nobody."""
    refused, _ = await aiosmtplib.send(
        made,
        recipients=to,
        hostname=mail.host,
        port=mail.port,
        username=mail.user or None,
        password=mail.password or None,
        use_tls=mail.security == "tls",
        start_tls=mail.security == "starttls",
        timeout=_TIMEOUT_SECONDS,
    )
    return {address: reply.code for address, reply in refused.items()}


def _said(error: BaseException) -> str:
    """An error by its name and the server's reply code: its words may be anything."""
    found: list[BaseException] = (
        list(error.recipients) if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else [error]
    )
    codes = sorted({one.code for one in found if isinstance(one, aiosmtplib.SMTPResponseException)})
    return " ".join([type(error).__name__, *map(str, codes)])


async def _told(
    tx: Transaction, runtime: Runtime, item: Work, found: Sequence[Alarm], refused: Mapping[str, int]
) -> None:
    now, made_id = runtime.world.micros(), runtime.world.new_id()
    waiting = [address for address, code in refused.items() if 400 <= code < 500]
    await alarms.mailed(tx, found, now)
    await work.finish(tx, item)
    if waiting:
        times = item.data.get("times", 0) + 1
        run_at = now + round(min(_AGAIN_SECONDS * 2 ** min(times - 1, 20), LONGEST_SECONDS) * SECOND)
        data = {"alarms": [one.alarm_id for one in found], "to": waiting, "times": times}
        await work.enqueue(tx, item.tenant_id, made_id, "mail", f"{_AGAIN} {made_id}", now, run_at, data)


def letter(mail: Mail, found: Sequence[Alarm], now: datetime) -> EmailMessage:
    """The mail about alarms: a line each that says what is so, since when, and what to do next."""
    made = EmailMessage()
    # What it was told of goes into a header, which has one line.
    told = [(" ".join(said.split()), advice) for said, advice in map(words, found)]
    made["Subject"] = f"Claimwire: {told[0][0]}" if len(found) == 1 else f"Claimwire: {len(found)} alarms"
    made["From"] = mail.sender
    made["To"] = ", ".join(mail.to)
    made["Date"] = format_datetime(now)
    about = hashlib.sha256(" ".join(one.alarm_id for one in found).encode()).hexdigest()[:32]
    made["Message-ID"] = f"<{about}@{mail.sender.rpartition('@')[2].rstrip('>') or 'claimwire'}>"
    made["Auto-Submitted"] = "auto-generated"
    lines: list[str] = []
    for one, (said, advice) in zip(found, told, strict=True):
        lines += [f"* {said}", f"  since {moment(one.raised_at)}", f"  {advice}", ""]
    lines.append(
        "Seen: claimwire alarms list, claimwire alarms acknowledge ID. An alarm closes by itself when its cause is gone."
    )
    made.set_content("\n".join(lines))
    return made
