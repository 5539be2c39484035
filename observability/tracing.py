"""OpenTelemetry spans for each hop, with the context taken from and given back as W3C `traceparent`.

Attributes pass the same allow-list as log keys. Spans go to whatever exporters `configure` was given; without one they
still carry ids, so that logs, events and answers can be tied together.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from observability.log import ALLOWED

__all__ = ["configure", "current", "current_trace_id", "export", "span"]

_OTLP = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_PROPAGATOR = TraceContextTextMapPropagator()
_provider = TracerProvider(resource=Resource.create({"service.name": "claimwire"}))


def export() -> None:
    """Send spans to the collector that the environment names (OTEL_EXPORTER_OTLP_ENDPOINT and its kin), if it names one.

    Raises ModuleNotFoundError when it does and the extra `claimwire[otlp]` is not installed.
    Source: OpenTelemetry, environment variable specification.
    """
    if not any(os.environ.get(name) for name in _OTLP):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def configure(exporters: Sequence[SpanExporter] = ()) -> None:
    """Send spans to these exporters from now on."""
    for exporter in exporters:
        _provider.add_span_processor(SimpleSpanProcessor(exporter))


@contextmanager
def span(
    name: str,
    traceparent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    **attributes: str | float | bool | None,
) -> Generator[Span]:
    """A span around a hop; a child of `traceparent` where given, else of the span that is open here.

    An exception marks the span by its type only.
    """
    context = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
    allowed: Mapping[str, str | float | bool] = {
        f"claimwire.{k}": v for k, v in attributes.items() if v is not None and k in ALLOWED
    }
    tracer = _provider.get_tracer("claimwire")
    with tracer.start_as_current_span(
        name, context=context, kind=kind, attributes=allowed, record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield made
        except BaseException as error:
            made.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def current() -> str:
    """The `traceparent` of the span that is open here, or an empty string."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent", "")


def current_trace_id() -> str:
    """The trace id of the span that is open here, 32 hexadecimal digits, or an empty string."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
