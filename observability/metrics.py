"""Prometheus metrics. Labels are ids and codes of ours, never values of a claim; their number is bounded by configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)


class Metrics:
    """The service's own counters and gauges, in a registry of their own.

    What is counted at every request is called with its label values: their child is looked up once.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()

        def counter(name: str, what: str, *labels: str) -> Callable[..., Counter]:
            return cache(Counter(f"claimwire_{name}", what, labels, registry=registry).labels)

        def seconds(name: str, what: str, *labels: str) -> Callable[..., Histogram]:
            return cache(Histogram(f"claimwire_{name}", what, labels, buckets=_SECONDS, registry=registry).labels)

        self.requests = counter("requests", "Requests answered", "operation", "status")
        self.request_seconds = seconds("request_seconds", "Time to answer", "operation")
        self.outcomes = counter("deliveries", "Delivery attempts by outcome", "route_id", "set_id", "outcome")
        self.delivery_seconds = seconds("delivery_seconds", "Time of a delivery", "route_id", "set_id")
        self.inbound = counter("inbound_files", "Files collected, by what became of them", "route_id", "state")
        self.facts = counter("facts", "Facts applied to transactions", "kind", "fact")
        self.work_done = counter("work", "Work finished, by kind and result", "work_kind", "outcome")
        self.webhooks = counter("webhooks", "Tries to tell a destination of a change, by what became of them", "state")
        self.transactions = Gauge(
            "claimwire_transactions", "Transactions by kind and state", ("kind", "state"), registry=registry
        )
        self.work_waiting = Gauge(
            "claimwire_work_waiting", "Work by kind, waiting or buried", ("work_kind", "state"), registry=registry
        )
        self.work_oldest_seconds = Gauge(
            "claimwire_work_oldest_seconds", "How long the most overdue work has been due", registry=registry
        )
        self.lanes_shut = Gauge(
            "claimwire_lanes_shut",
            "Routes that nothing leaves on: open, half-open or paused",
            ("route_id", "state"),
            registry=registry,
        )
        self.loop_stalls = Counter(
            "claimwire_loop_stalls", "Times that the event loop stood still for seconds", registry=registry
        )
        self.disk_free_bytes = Gauge(
            "claimwire_disk_free_bytes", "Room on the disk of the data folder", registry=registry
        )
        self.judges = Gauge("claimwire_judges", "Judges that can be asked now", registry=registry)

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self.registry)
