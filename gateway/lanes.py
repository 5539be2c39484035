"""The lanes as people see them: how each route stands, and pausing one by hand."""

from __future__ import annotations

from gateway.payers import Route
from gateway.runtime import TENANT, Runtime
from gateway.views import moment
from gateway.ways import SHUT
from queues import circuits, work
from queues.circuits import FOREVER, Health
from queues.database import Transaction
from queues.work import SECOND
from x12.documents.binding import Document, Text

__all__ = ["LanePage", "LaneView", "Lanes", "NoRoute", "PauseRequest"]


class NoRoute(LookupError):
    """There is no such route."""


class LaneView(Document):
    """How a route stands: `open` after failures in a row, `half-open` when one may try it, `paused` by its payer or by a person."""

    route_id: str
    payer_ids: list[str]
    state: str
    failures: int
    since: Text = None
    until: Text = None
    reason: Text = None
    paused_by: Text = None


class LanePage(Document):
    """All routes, as they are configured."""

    items: list[LaneView]


class PauseRequest(Document):
    """For how long; until a person resumes it, without a number."""

    minutes: float | None = None


class Lanes:
    """Shows the lanes, and pauses them."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    async def all(self) -> LanePage:
        """How each route stands."""
        found = await self.runtime.database.read(lambda tx: circuits.unwell(tx, TENANT))
        by_id = {standing.lane: standing for standing in found}
        return LanePage(items=[self._view(r, by_id.get(r.id)) for r in self.runtime.directory.routes.values()])

    def _view(self, route: Route, standing: Health | None) -> LaneView:
        now, known = self.runtime.world.micros(), standing or Health(route.id)
        state, until = known.state(now), known.shut_until(now)
        return LaneView(
            route_id=route.id,
            payer_ids=[p.id for p in self.runtime.directory.payers.values() if route.id in p.routes],
            state=state,
            failures=known.failures,
            since=moment(known.since) if standing is not None else None,
            until=moment(until) if until is not None and until < FOREVER else None,
            reason=known.reason or None,
            paused_by=(known.paused_by or None) if state == "paused" else None,
        )

    def _route(self, route_id: str) -> Route:
        route = self.runtime.directory.routes.get(route_id)
        if route is None:
            raise NoRoute("there is no such route")
        return route

    async def pause(self, tx: Transaction, route_id: str, minutes: float | None, by: str) -> LaneView:
        """Send nothing over a route for so many minutes, or until it is resumed. NoRoute."""
        route, now = self._route(route_id), self.runtime.world.micros()
        until = FOREVER if minutes is None else now + round(minutes * 60 * SECOND)
        return self._view(route, await circuits.pause(tx, TENANT, route_id, now, until, "a person paused it", by))

    async def resume(self, tx: Transaction, route_id: str) -> LaneView:
        """End a pause, and close the circuit: what waits goes on at the route's rate. NoRoute."""
        route = self._route(route_id)
        await circuits.resume(tx, TENANT, route_id)
        await work.hasten(tx, SHUT, self.runtime.world.micros())
        return self._view(route, None)
