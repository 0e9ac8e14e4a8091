"""Histograms that a read does not feel: a dictionary and a bisection, where the SDK copies attributes and takes locks.

They are counted here and handed to OpenTelemetry's exporters as the SDK's own would be (`metrics.Bridge`).
"""

import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric

Key: TypeAlias = tuple[str | int | None, ...]

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""OpenTelemetry's advice for HTTP, and three steps below it."""
LONG_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


class Histogram:
    """How often a value fell between which bounds, for each combination of attributes."""

    def __init__(
        self, name: str, description: str, *, labels: Sequence[str], unit: str = "s", bounds: Sequence[float] = SECONDS
    ) -> None:
        self.name, self.description, self.labels, self.unit, self.bounds = name, description, labels, unit, bounds
        self.began = time.time_ns()
        self.rows: dict[Key, list[float]] = {}
        HISTOGRAMS.append(self)

    def record(self, value: float, *attributes: str | int | None) -> None:
        """Count a value under attributes, in the order of `labels`; None for one that does not apply."""
        row = self.rows.get(attributes)
        if row is None:
            row = self.rows.setdefault(attributes, [0.0, value, value, *[0] * (len(self.bounds) + 1)])
        row[0] += value
        if value < row[1]:
            row[1] = value
        elif value > row[2]:
            row[2] = value
        row[3 + bisect_left(self.bounds, value)] += 1

    def metric(self, now: int) -> "Metric":
        """All that was counted, as OpenTelemetry's SDK would tell it."""
        from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415  who asks for this has the SDK loaded
            AggregationTemporality,
            HistogramDataPoint,
            Metric,
        )
        from opentelemetry.sdk.metrics.export import Histogram as Data  # noqa: PLC0415  likewise

        points = []
        for key, row in list(self.rows.items()):
            total, least, most, *counts = list(row)
            attributes = {name: value for name, value in zip(self.labels, key, strict=True) if value is not None}
            buckets = [int(count) for count in counts]
            points.append(
                HistogramDataPoint(attributes, self.began, now, sum(buckets), total, buckets, self.bounds, least, most)
            )
        return Metric(self.name, self.description, self.unit, Data(points, AggregationTemporality.CUMULATIVE))


HISTOGRAMS: list[Histogram] = []
"""Every histogram of this process."""
