"""WorkOS's own paths, served by us before a local WorkOS that is copied by a listener."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.tests.support import copies
from user_management.tests.support.local_workos import HEADERS, LocalWorkOS
from user_management.tests.web.conftest import Serve

Follow = Callable[[], Awaitable[None]]
"""Lets the copy learn of all that has happened."""


@pytest.fixture
async def follow(listener: Listener) -> Follow:
    """A copy that is complete, and goes on when the test says so."""
    await copies.begin(listener)
    await copies.fill(listener)

    async def drained() -> None:
        await copies.drain(listener)

    return drained


@pytest.fixture
async def root(serve: Serve, local: LocalWorkOS, follow: Follow) -> AsyncIterator[httpx.AsyncClient]:
    """A caller with WorkOS's key."""
    async with served(serve, local) as client:
        yield client


@asynccontextmanager
async def served(serve: Serve, local: LocalWorkOS, **options: object) -> AsyncIterator[httpx.AsyncClient]:
    """A caller with WorkOS's key, and an API of the test's own making."""
    async with serve(local.http, **options) as client:
        client.headers.update(HEADERS)
        yield client


@pytest.fixture
def asked(local: LocalWorkOS) -> list[httpx.Request]:
    """The requests that reached WorkOS since the test began to look; clear it to look again."""
    found: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        found.append(request)

    local.http.event_hooks["request"].append(note)
    return found


async def entries(pool: Pool, object_id: str) -> list[tuple[str, str]]:
    """What the journal holds of an object, in order: by which lane, and of which type."""
    rows = await pool.fetch("SELECT lane, type FROM journal WHERE object_id = $1 ORDER BY position", object_id)
    return [(row["lane"], row["type"]) for row in rows]


def source(answer: httpx.Response) -> str:
    """Where an answer comes from."""
    return answer.headers["Replica-Source"]
