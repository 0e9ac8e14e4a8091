"""Logs as facts, steps as traces, counts as metrics: for every process alike."""

import os
import socket
import sys
from collections.abc import Collection
from importlib.metadata import version

from opentelemetry.sdk.resources import Resource

from user_management.telemetry import logs, readers


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
