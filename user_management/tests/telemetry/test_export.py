"""Export: what a process sends to an OTLP endpoint, and that without one it sends nothing and makes no span."""

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from user_management.tests.support.waiting import PATIENCE
from user_management.tests.telemetry.test_lines import logged

STORY = """
from opentelemetry import trace
from user_management.telemetry import metrics, spans
metrics.requests.record(0.003, 'GET', '/api/users', 200)
with spans.story('poll'):
    with spans.step('journal'): log.info('told', provider=type(trace.get_tracer_provider()).__name__)
"""


PATIENT = f"from user_management.telemetry import readers, traces; readers.SECONDS = traces.SECONDS = {PATIENCE}; "
"""A busy machine is no collector that is away."""


class Collector(HTTPServer):
    """Keeps what it is sent, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: dict[str, list[bytes]] = {}


class Handler(BaseHTTPRequestHandler):
    """Takes what it is sent."""

    def do_POST(self) -> None:
        """Keep it."""
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.setdefault(self.path, []).append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """An OTLP endpoint."""
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_an_endpoint_is_sent_both_signals(collector: Collector) -> None:
    """Each at its own path, under the service's name; what was not sent yet goes out when the process ends."""
    (fact,) = await logged(STORY, before=PATIENT, endpoint=f"http://127.0.0.1:{collector.server_port}")
    assert fact["provider"] == "TracerProvider"
    assert set(collector.received) == {"/v1/traces", "/v1/metrics"}
    sent = [ExportTraceServiceRequest.FromString(each) for each in collector.received["/v1/traces"]]
    resources = [resource for each in sent for resource in each.resource_spans]
    spans = [span.name for resource in resources for scope in resource.scope_spans for span in scope.spans]
    assert spans == ["journal", "poll"]
    attributes = {one.key: one.value.string_value for one in resources[0].resource.attributes}
    assert attributes["service.name"] == "test"
    counted = ExportMetricsServiceRequest.FromString(collector.received["/v1/metrics"][-1])
    names = {one.name for scope in counted.resource_metrics[0].scope_metrics for one in scope.metrics}
    assert {"http.server.request.duration", "user_management.workos.budget.used"} <= names


async def test_without_an_endpoint_nothing_is_made() -> None:
    """No tracer is there, no span is begun, and no line names one."""
    (fact,) = await logged(STORY)
    assert fact["provider"] == "ProxyTracerProvider"
    assert "trace_id" not in fact


@pytest.mark.parametrize("signal", ["traces", "metrics"])
async def test_only_what_is_wanted_is_sent(collector: Collector, signal: str) -> None:
    """Jaeger, for one, takes no metrics."""
    await logged(STORY, before=PATIENT, endpoint=f"http://127.0.0.1:{collector.server_port}", signals=signal)
    assert set(collector.received) == {f"/v1/{signal}"}


async def test_an_endpoint_that_is_away_hurts_nobody() -> None:
    """The process does its work, says that it could not send, and ends."""
    async with asyncio.timeout(PATIENCE):
        facts = await logged(STORY, endpoint="http://127.0.0.1:1")
    assert facts[0]["event"] == "told"
