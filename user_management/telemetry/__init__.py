"""Logs as facts and steps as traces, for every process alike."""

import sys

from user_management.telemetry import logs


def configure(service: str, *, log_level: str, production: bool, endpoint: str, personal_data: bool = False) -> None:
    """Set up this process: logs always, traces when there is an OTLP endpoint to send them to."""
    logs.configure(log_level, json=production or not sys.stderr.isatty(), personal_data=personal_data)
    if endpoint:
        from user_management.telemetry import traces  # noqa: PLC0415  15 MB that only those who trace should pay

        traces.configure(service, endpoint)
