"""What is traced, kept in memory instead of sent."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from user_management.listener import start
from user_management.listener.worker import Listener
from user_management.telemetry import describe, readers, traces
from user_management.telemetry.spans import sampling
from user_management.tests.web.conftest import serve  # noqa: F401  a fixture: the API, as its own tests serve it


@cache
def memory() -> InMemorySpanExporter:
    """Where this process's spans go; OpenTelemetry lets a process choose once."""
    exporter = InMemorySpanExporter()
    traces.tell(Resource.create(), SimpleSpanProcessor(exporter), share=0.0)
    return exporter


@cache
def collecting() -> None:
    """Collect this process's metrics; OpenTelemetry lets a process begin once."""
    readers.collect(describe("test", "dev"))


@pytest.fixture
def collected() -> None:
    """Metrics are collected."""
    collecting()


@pytest.fixture
async def following(listener: Listener) -> Listener:
    """A listener that has begun to follow."""
    await start.prepare(listener.pool, listener.resources, listener.types, margin=600.0)
    return listener


class Told:
    """The spans that were told so far."""

    async def spans(self) -> Sequence[ReadableSpan]:
        """All of them, the last queries too, of which asyncpg tells a moment later."""
        await asyncio.sleep(0)
        return memory().get_finished_spans()

    async def named(self, name: str) -> list[ReadableSpan]:
        """Those of one name."""
        return [span for span in await self.spans() if span.name == name]

    async def tree(self) -> list[str]:
        """Every span as the path of names that leads to it, in the order in which they began."""
        spans = await self.spans()
        by_id = {span.context.span_id: span for span in spans if span.context}

        def path(span: ReadableSpan) -> str:
            parent = by_id.get(span.parent.span_id) if span.parent else None
            return f"{path(parent)} > {span.name}" if parent else span.name

        paths = {span: path(span) for span in spans}
        return [paths[span] for span in sorted(spans, key=lambda span: (span.start_time or 0, paths[span].count(">")))]

    def forget(self) -> None:
        """Begin anew."""
        memory().clear()


@pytest.fixture
def told() -> Iterator[Told]:
    """Everything is traced, into memory, for the length of the test."""
    memory().clear()
    sampling.share, sampling.on = 1.0, True
    yield Told()
    sampling.share, sampling.on = 0.0, False
