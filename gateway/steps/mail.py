"""Writes to people about alarms: those that are open and that nobody was written about, in one mail.

A mail is marked once the server has taken it; a crash in between writes twice rather than not at all. Mail that cannot be delivered
waits and holds up nothing else.

Source: RFC 5321, RFC 5322 (Auto-Submitted: RFC 3834).
"""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage

import aiosmtplib

from gateway.alarms import words
from gateway.config import Mail
from gateway.ledger import alarms
from gateway.ledger.alarms import Alarm
from gateway.runtime import Runtime
from gateway.steps.waiting import later
from gateway.views import moment
from observability import log
from queues import work
from queues.database import Transaction
from queues.work import Work

__all__ = ["letter", "run"]

_LOG = log.get("gateway.mail")
_AT_ONCE_MAX = 200
_TIMEOUT_SECONDS = 30.0


async def run(runtime: Runtime, item: Work) -> None:
    """Write about what is open, or try again later."""
    mail = runtime.config.mail
    found = await runtime.database.read(lambda tx: alarms.to_mail(tx, item.tenant_id, _AT_ONCE_MAX))
    if mail is None or not found:
        await runtime.database.write(lambda tx: work.finish(tx, item))
        return
    try:
        await aiosmtplib.send(
            letter(mail, found),
            hostname=mail.host,
            port=mail.port,
            username=mail.user or None,
            password=mail.password or None,
            use_tls=mail.security == "tls",
            start_tls=mail.security == "starttls",
            timeout=_TIMEOUT_SECONDS,
        )
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        reason = f"the mail was not taken: {type(error).__name__}"
        _LOG.warning("mail failed", reason=reason, count=len(found))
        await runtime.database.write(lambda tx: work.postpone(tx, item, later(runtime, item), reason))
        return
    _LOG.info("mail sent", count=len(found))

    async def commit(tx: Transaction) -> None:
        await alarms.mailed(tx, found, runtime.world.micros())
        await work.finish(tx, item)

    await runtime.database.write(commit)


def letter(mail: Mail, found: Sequence[Alarm]) -> EmailMessage:
    """The mail about alarms: a line each that says what is so, since when, and what to do next."""
    made = EmailMessage()
    told = [words(one) for one in found]
    made["Subject"] = f"Claimwire: {told[0][0]}" if len(found) == 1 else f"Claimwire: {len(found)} alarms"
    made["From"] = mail.sender
    made["To"] = ", ".join(mail.to)
    made["Auto-Submitted"] = "auto-generated"
    lines: list[str] = []
    for one, (said, advice) in zip(found, told, strict=True):
        lines += [f"* {said}", f"  since {moment(one.raised_at)}", f"  {advice}", ""]
    lines.append(
        "Seen: claimwire alarms list, claimwire alarms acknowledge ID. An alarm closes by itself when its cause is gone."
    )
    made.set_content("\n".join(lines))
    return made
