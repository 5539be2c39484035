"""The kinds of work. Each step loads, calls, commits; no step calls another: they meet only in a commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from gateway.runtime import Runtime
from gateway.steps import apply, batch, certificates, check, check_feed, collect, follow_up, mail, notify, send, watch
from queues.work import Work

__all__ = ["STEPS", "Step"]

Step = Callable[[Runtime, Work], Awaitable[None]]

STEPS: Mapping[str, Step] = {
    "apply": apply.run,
    "batch": batch.run,
    "certificates": certificates.run,
    "check": check.run,
    "check_feed": check_feed.run,
    "collect": collect.run,
    "follow_up": follow_up.run,
    "mail": mail.run,
    "notify": notify.run,
    "post": apply.post,
    "send": send.run,
    "watch": watch.run,
}
