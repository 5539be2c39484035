"""OpenTelemetry spans for each hop, with the context taken from and given back as W3C `traceparent`.

Attributes pass the same allow-list as log keys. Spans go to whatever exporters `configure` was given; without one they
still carry ids, so that logs, events and answers can be tied together.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from observability.log import ALLOWED

__all__ = ["configure", "current", "current_trace_id", "export", "link", "span"]

_OTLP = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_PROPAGATOR = TraceContextTextMapPropagator()
_provider = TracerProvider(resource=Resource.create({"service.name": "claimwire"}))
_tracer = _provider.get_tracer("claimwire")
_ids = RandomIdGenerator()
_exporting = False


def export() -> None:
    """Send spans to the collector that the environment names (OTEL_EXPORTER_OTLP_ENDPOINT and its kin), if it names one.

    Raises ModuleNotFoundError when it does and the extra `claimwire[otlp]` is not installed.
    Source: OpenTelemetry, environment variable specification.
    """
    if not any(os.environ.get(name) for name in _OTLP):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    _send_to(BatchSpanProcessor(OTLPSpanExporter()))


def _send_to(processor: SpanProcessor) -> None:
    global _exporting
    _provider.add_span_processor(processor)
    _exporting = True


def configure(exporters: Sequence[SpanExporter] = ()) -> None:
    """Send spans to these exporters from now on."""
    for exporter in exporters:
        _send_to(SimpleSpanProcessor(exporter))


class span:  # noqa: N801 - used like a function, as context managers are
    """A span around a hop; a child of `traceparent` where given, else of the span that is open here.

    An exception marks the span by its type only. While nothing exports, only the ids are carried: recording what nobody
    will see would cost more than the hop.
    """

    __slots__ = ("_attributes", "_kind", "_made", "_name", "_parent", "_token")

    def __init__(
        self,
        name: str,
        traceparent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        **attributes: str | float | bool | None,
    ) -> None:
        self._name = name
        self._parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
        self._kind = kind
        self._attributes = attributes

    def __enter__(self) -> Span:
        self._made = self._recorded() if _exporting else _carried(self._parent)
        self._token = context.attach(trace.set_span_in_context(self._made, self._parent))
        return self._made

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        context.detach(self._token)
        if error is not None:
            self._made.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._made.end()

    def _recorded(self) -> Span:
        allowed = {f"claimwire.{k}": v for k, v in self._attributes.items() if v is not None and k in ALLOWED}
        return _tracer.start_span(self._name, self._parent, self._kind, allowed)


def _carried(parent: context.Context | None) -> Span:
    """A span of ids only: the trace of the one above, or a new one."""
    above = trace.get_current_span(parent).get_span_context()
    trace_id = above.trace_id if above.is_valid else _ids.generate_trace_id()
    flags = above.trace_flags if above.is_valid else TraceFlags(TraceFlags.SAMPLED)
    made = SpanContext(trace_id, _ids.generate_span_id(), False, flags, above.trace_state)
    return NonRecordingSpan(made)


def link(traceparent: str) -> None:
    """Tie the span that is open here to another trace: that of a request whose work is done here among others."""
    if not _exporting or not traceparent:
        return
    other = trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent})).get_span_context()
    here = trace.get_current_span()
    if other.is_valid and other.trace_id != here.get_span_context().trace_id:
        here.add_link(other)


def current() -> str:
    """The `traceparent` of the span that is open here, or an empty string (W3C Trace Context, version 00)."""
    here = trace.get_current_span().get_span_context()
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}" if here.is_valid else ""


def current_trace_id() -> str:
    """The trace id of the span that is open here, 32 hexadecimal digits, or an empty string."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
