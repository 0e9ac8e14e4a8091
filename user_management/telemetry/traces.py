"""Traces as they leave the process: sent in batches to an OTLP endpoint."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from user_management.telemetry.spans import sampling

SECONDS = 3.0
"""What one attempt to send may take, its repetitions included: a collector that is away must not hold up an end."""


def configure(resource: Resource, *, endpoint: str, share: float) -> None:
    """Send a share of this process's traces to an OTLP endpoint over HTTP."""
    tell(resource, BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=SECONDS)), share=share)


def tell(resource: Resource, listener: SpanProcessor, *, share: float) -> None:
    """Tell a share of the stories to a listener."""
    # The share is drawn in `spans`, before there is a span: most reads then pay nothing.
    provider = TracerProvider(resource=resource, sampler=DEFAULT_ON)
    provider.add_span_processor(listener)
    trace.set_tracer_provider(provider)
    sampling.share, sampling.on = share, True
