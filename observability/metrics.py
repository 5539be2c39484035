"""Prometheus metrics. Labels are ids and codes of ours, never values of a claim; their number is bounded by configuration."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)


class Metrics:
    """The service's own counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter("claimwire_requests", "Requests answered", ("operation", "status"), registry=registry)
        self.request_seconds = Histogram(
            "claimwire_request_seconds", "Time to answer", ("operation",), buckets=_SECONDS, registry=registry
        )
        self.outcomes = Counter(
            "claimwire_deliveries", "Delivery attempts by outcome", ("route_id", "set_id", "outcome"), registry=registry
        )
        self.delivery_seconds = Histogram(
            "claimwire_delivery_seconds",
            "Time of a delivery",
            ("route_id", "set_id"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.inbound = Counter(
            "claimwire_inbound_files",
            "Files collected, by what became of them",
            ("route_id", "state"),
            registry=registry,
        )
        self.facts = Counter("claimwire_facts", "Facts applied to transactions", ("kind", "fact"), registry=registry)
        self.work_done = Counter(
            "claimwire_work", "Work finished, by kind and result", ("work_kind", "outcome"), registry=registry
        )
        self.transactions = Gauge(
            "claimwire_transactions", "Transactions by kind and state", ("kind", "state"), registry=registry
        )
        self.work_waiting = Gauge(
            "claimwire_work_waiting", "Work by kind, waiting or buried", ("work_kind", "state"), registry=registry
        )
        self.work_oldest_seconds = Gauge(
            "claimwire_work_oldest_seconds", "How long the most overdue work has been due", registry=registry
        )
        self.judges = Gauge("claimwire_judges", "Judges that can be asked now", registry=registry)

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self.registry)
