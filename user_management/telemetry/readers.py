"""Readers: how metrics leave the process, as Prometheus text for whoever asks, and to an OTLP endpoint."""

import time
from dataclasses import replace
from typing import Any

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricsData, PeriodicExportingMetricReader, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from user_management.telemetry.histograms import HISTOGRAMS

SECONDS = 3.0
"""What one attempt to send may take, its repetitions included."""
SCOPE = InstrumentationScope("user_management")


def bridged(data: MetricsData) -> MetricsData:
    """What the SDK collected, with our own histograms among it."""
    now = time.time_ns()
    ours = ScopeMetrics(SCOPE, [one.metric(now) for one in HISTOGRAMS if one.rows], "")
    first, *rest = data.resource_metrics
    return MetricsData([replace(first, scope_metrics=[*first.scope_metrics, ours]), *rest])


class Prometheus(PrometheusMetricReader):
    """Collects for Prometheus, our histograms too."""

    def _receive_metrics(self, metrics_data: Any, *args: Any, **kwargs: Any) -> None:
        """Take what was collected."""
        super()._receive_metrics(bridged(metrics_data), *args, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  the SDK's signature
        """Do nothing: the SDK would put everything by, and tell it again, and more of it, with each next scrape."""
        return True


class Periodic(PeriodicExportingMetricReader):
    """Collects for an OTLP endpoint every so often, our histograms too."""

    def _receive_metrics(self, metrics_data: Any, *args: Any, **kwargs: Any) -> None:
        """Take what was collected."""
        super()._receive_metrics(bridged(metrics_data), *args, **kwargs)


registry = CollectorRegistry()
"""What is shown when this process is asked for its metrics."""


def collect(resource: Resource, *, endpoint: str = "") -> None:
    """Collect this process's metrics for whoever asks and, with an endpoint, send them there over HTTP."""
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    readers: list[Any] = [Prometheus(scope_info_enabled=False, registry=registry)]
    if endpoint:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415  for those who send
            OTLPMetricExporter,
        )

        readers.append(Periodic(OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", timeout=SECONDS)))
    metrics.set_meter_provider(MeterProvider(readers, resource))
