"""Logs as facts, steps as traces, counts as metrics: for every process alike."""

import os
import socket
import sys
from collections.abc import Collection
from importlib.metadata import version

from opentelemetry.metrics import get_meter_provider
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import get_tracer_provider

from user_management.telemetry import logs, readers

FAREWELL = 2
"""Seconds that each signal may take to be sent when a process ends."""


def configure(
    service: str,
    *,
    log_level: str,
    environment: str = "dev",
    personal_data: bool = False,
    endpoint: str = "",
    signals: Collection[str] = ("traces", "metrics"),
    share: float = 1.0,
) -> None:
    """Set up this process: logs, metrics for whoever asks and, with an OTLP endpoint, the signals it is to be sent."""
    logs.configure(log_level, json=as_json(environment), personal_data=personal_data)
    resource = describe(service, environment)
    readers.collect(resource, endpoint=endpoint if "metrics" in signals else "")
    if endpoint and "traces" in signals:
        from user_management.telemetry import traces  # noqa: PLC0415  megabytes that only those who trace should pay

        traces.configure(resource, endpoint=endpoint, share=share)


def flush() -> None:
    """Send what was not sent yet, within some seconds: a worker process ends without the interpreter's farewell."""
    for provider in (get_tracer_provider(), get_meter_provider()):
        force_flush = getattr(provider, "force_flush", None)  # only the SDK's have one
        if force_flush is not None:
            force_flush(FAREWELL * 1000)


def as_json(environment: str) -> bool:
    """Whether logs are for machines: in production, and where no person looks on."""
    return environment == "production" or not sys.stderr.isatty()


def describe(service: str, environment: str) -> Resource:
    """Who speaks, in OpenTelemetry's words; `OTEL_RESOURCE_ATTRIBUTES` may say more."""
    return Resource.create(
        {
            "service.name": service,
            "service.version": version("user-management"),
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            "deployment.environment.name": environment,
        }
    )
