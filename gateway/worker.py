"""Leases work and runs its steps: many at once, each under a lease that is kept alive, none able to stop another."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gateway import clock
from gateway.payer_folder import STANDING
from gateway.runtime import TENANT, Runtime
from gateway.steps import STEPS
from gateway.steps.waiting import ATTEMPTS_MAX, later, written
from observability import log
from queues import work
from queues.database import DatabaseError, DatabaseFull, OutcomeUnknown, Transaction, Unreachable
from queues.work import SECOND, LeaseLost, Work

__all__ = ["DRAIN_SECONDS", "LEASE_SECONDS", "Worker"]

_LOG = log.get("gateway.worker")
LEASE_SECONDS = 60.0
# Of the thirty seconds in which a process leaves.
DRAIN_SECONDS = 28.0
_BATCH = 32
# Work that waits for payers only, its number bounded where it is made: it takes no place of other work.
_BESIDE = ("check",)
_PLACED = tuple(kind for kind in STEPS if kind not in _BESIDE)
_PAUSE_SECONDS = 1.0


class Worker:
    """One worker of this process. `run` ends after `Runtime.leaving` is set and what it had begun is done, or after the drain time."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.owner = runtime.world.new_id()
        self._running: set[asyncio.Task[None]] = set()
        # Those of them that take a place of `work_concurrency`.
        self._placed: set[asyncio.Task[None]] = set()

    def under_way(self) -> int:
        """How many pieces of work are running now."""
        return len(self._running)

    async def run(self) -> None:
        runtime = self.runtime
        while not runtime.leaving.is_set():
            try:
                await clock.look(runtime)
                await runtime.database.write(self._standing_work)
                break
            except DatabaseError as error:
                _LOG.error("work cannot be begun", exc_info=error)
                await runtime.world.sleep(_PAUSE_SECONDS)
        keeping = asyncio.create_task(clock.keep(runtime), name="clock")
        try:
            await self._work()
        finally:
            keeping.cancel()
        await self._drain()

    async def _work(self) -> None:
        """Lease and start what is due, until the process leaves."""
        runtime = self.runtime
        while not runtime.leaving.is_set():
            runtime.wake.clear()
            try:
                due, next_at = await self._lease()
            except DatabaseError as error:
                # A full or busy disk: senders stop, what is committed stays, and we look again.
                _LOG.error("work cannot be leased", exc_info=error)
                await runtime.world.sleep(_PAUSE_SECONDS)
                continue
            for item in due:
                task = asyncio.create_task(self._one(item), name=f"{item.kind} {item.work_id}")
                self._running.add(task)
                if item.kind in _PLACED:
                    self._placed.add(task)
                task.add_done_callback(self._done)
            if not due:
                await self._wait(next_at)

    async def _wait(self, next_at: int | None) -> None:
        """Until there is new work, a place for it, something due, or the end."""
        runtime = self.runtime
        leaving = asyncio.ensure_future(runtime.leaving.wait())
        waiting = asyncio.ensure_future(runtime.world.wait(runtime.wake, next_at if self._free() else None))
        try:
            await asyncio.wait((leaving, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            waiting.cancel()

    async def _standing_work(self, tx: Transaction) -> None:
        """Work that always exists: collecting from each route, the follow-up, the watch, certificates, and whatever waits to be batched."""
        runtime, now = self.runtime, self.runtime.world.micros()
        for route_id in runtime.directory.routes:
            for kind in STANDING:
                await work.enqueue(tx, TENANT, runtime.world.new_id(), kind, route_id, now)
        for kind in ("follow_up", "watch", "certificates"):
            await work.enqueue(tx, TENANT, runtime.world.new_id(), kind, TENANT, now)

    def _free(self) -> int:
        return self.runtime.config.work_concurrency - len(self._placed)

    async def _lease(self) -> tuple[list[Work], int | None]:
        free = self._free()
        runtime = self.runtime

        async def body(tx: Transaction) -> tuple[list[Work], int | None]:
            now = runtime.world.micros()
            due = await work.next_run_at(tx)
            if due is None or due > now:
                return [], due
            taken: list[Work] = []
            clock_says = await runtime.lease_clock(tx)
            for room, kinds in ((free, _PLACED), (_BATCH, _BESIDE)):
                if room > 0:
                    taken += await work.lease(
                        tx, runtime.database, self.owner, now, LEASE_SECONDS, min(room, _BATCH), kinds, clock_says
                    )
            if not taken and (due := await work.next_run_at(tx)) is not None and due <= now:
                # Its lease has not passed, whatever a clock that leapt ahead says; or it has no place here.
                due = now + round(_PAUSE_SECONDS * SECOND)
            return taken, due

        due = await runtime.database.read(work.next_run_at)
        if due is None or due > runtime.world.micros():
            return [], due
        return await runtime.database.write(body)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._placed.discard(task)
        self.runtime.wake.set()

    async def _one(self, item: Work) -> None:
        heartbeat = asyncio.create_task(self._keep(item, asyncio.current_task()))
        outcome = "done"
        try:
            await STEPS[item.kind](self.runtime, item)
        except LeaseLost:
            outcome = "lease lost"
            _LOG.warning("lease lost", work_id=item.work_id, work_kind=item.kind)
        except Exception as error:
            outcome = "failed"
            _LOG.error("step failed", work_id=item.work_id, work_kind=item.kind, attempt=item.attempts, exc_info=error)
            reason = f"the step failed: {type(error).__name__}"
            with suppress(LeaseLost, DatabaseError):
                # A disk that is full, or a server that is away, says nothing of the work: it is never given up for that.
                ours = not isinstance(error, (DatabaseFull, Unreachable, OutcomeUnknown))
                await written(self.runtime, lambda tx: self._failed(tx, item, reason, ours=ours))
        finally:
            heartbeat.cancel()
            self.runtime.metrics.work_done(item.kind, outcome).inc()

    async def _failed(self, tx: Transaction, item: Work, reason: str, *, ours: bool) -> None:
        may_end = ours and item.kind not in ("collect", "follow_up", "batch", "watch", "certificates", "mail")
        # How often it was tried says nothing: it may have waited for its payer for days.
        if may_end and item.failures + 1 >= ATTEMPTS_MAX:
            await work.bury(tx, item, self.runtime.world.micros(), reason)
        else:
            await work.postpone(tx, item, later(self.runtime, item), reason, failed=ours)

    async def _keep(self, item: Work, task: asyncio.Task[None] | None) -> None:
        """Renew the lease while the step runs; when it is lost, the step must not go on."""
        while True:
            await self.runtime.world.sleep(LEASE_SECONDS / 3)
            try:
                await self.runtime.database.write(lambda tx: self._renew(tx, item))
            except LeaseLost:
                if task is not None:
                    task.cancel()
                return
            except DatabaseError as error:
                _LOG.error("lease cannot be renewed", work_id=item.work_id, work_kind=item.kind, exc_info=error)

    async def _renew(self, tx: Transaction, item: Work) -> None:
        runtime = self.runtime
        await work.renew(tx, item, runtime.world.micros(), LEASE_SECONDS, await runtime.lease_clock(tx))

    async def _drain(self) -> None:
        """Let what was begun come to its end; what does not in time is in the ledger and goes on at the next start."""
        if self._running:
            _, left = await asyncio.wait(set(self._running), timeout=DRAIN_SECONDS)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
