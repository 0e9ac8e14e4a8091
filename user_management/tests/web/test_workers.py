import asyncio
import signal
import socket
from collections.abc import Iterator

import pytest
import uvicorn

from user_management.tests.support.waiting import PATIENCE
from user_management.web.workers import Worker

ENDLESS = 10 * PATIENCE
"""Seconds nobody would wait for."""


@pytest.fixture
def signals() -> list[int]:
    """The signals that the parent has yet to heed."""
    return []


@pytest.fixture
def worker(signals: list[int]) -> Iterator[Worker]:
    """A worker process that has only just begun, and so does not answer yet."""
    config = uvicorn.Config("user_management.__main__:create_app", factory=True, workers=2, log_config=None)
    with socket.create_server(("127.0.0.1", 0)) as shared:
        begun = Worker(config, [shared], signals)
        begun.start()
        yield begun
        begun.kill()
        begun.join()


async def well(worker: Worker) -> bool:
    """Whether a worker is well, in the opinion of a parent that would wait for its answer endlessly."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.to_thread(worker.ping, ENDLESS)


async def test_a_worker_that_dies_before_it_answers_is_noticed_at_once(worker: Worker) -> None:
    """Its parent does not wait as long as a silent worker may take."""
    asking = asyncio.create_task(well(worker))
    worker.process.kill()
    assert not await asking


async def test_a_signal_is_heeded_though_a_worker_does_not_answer(worker: Worker, signals: list[int]) -> None:
    """SIGTERM does not wait for a worker that hangs."""
    asking = asyncio.create_task(well(worker))
    signals.append(signal.SIGTERM)
    assert await asking
