"""The API over a database of the test's own and a local WorkOS, asked over HTTP messages without a port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from user_management.db.session import Pool, transaction
from user_management.journal import cursor, entries, watch
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import record
from user_management.tests.support.local_workos import KEY, URL, LocalWorkOS
from user_management.tests.support.waiting import PATIENCE
from user_management.web import application, connections
from user_management.web.lifespan import Options

CLIENT = "client_sandbox"
NOBODY = {"object": "list", "data": [], "list_metadata": {"before": None, "after": None}}
START = datetime(2026, 1, 1, tzinfo=UTC)

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
"""Serves the API with options of the test's own."""

Tell = Callable[..., Awaitable[list[dict[str, Any]]]]
"""Lets the copy learn of objects: so many of a resource, a second apart."""


@pytest.fixture
def serve(database_url: str, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve the API over the test's database, which is not away because the machine is busy."""
    for each in (connections, watch):
        monkeypatch.setattr(each, "PATIENCE", PATIENCE)

    @asynccontextmanager
    async def served(http: httpx.AsyncClient | None = None, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        whose = {"workos_api_key": KEY, "workos_client_id": CLIENT, "workos_base_url": URL}
        given = {"database_url": database_url, **whose, "open": True, **options}
        app = application.create_app(Options(**given), http=http)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client,
        ):
            yield client

    return served


@pytest.fixture
async def api(serve: Serve, local: LocalWorkOS) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, which stands before a local WorkOS."""
    async with serve(local.http) as client:
        yield client


@pytest.fixture
def remote() -> Iterator[respx.MockRouter]:
    """A WorkOS that answers what the test tells it to; whoever looks for a user there finds none."""
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.get("/user_management/users", name="look").respond(json=NOBODY)
        yield router


@pytest.fixture
async def afar(serve: Serve, remote: respx.MockRouter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API before the WorkOS that answers what the test tells it to."""
    async with httpx.AsyncClient() as http, serve(http) as client:
        yield client


@pytest.fixture
def tell(pool: Pool) -> Tell:
    """Let the copy learn of objects."""

    async def told(name: str, count: int = 1, *, what: str = "created", **fields: Any) -> list[dict[str, Any]]:
        resource = catalog.by_name(name)
        assert resource is not None
        objects = [made(resource.object, number, fields) for number in range(count)]
        found = [entries.of_event(event(f"{resource.object}.{what}", data), received_at=START) for data in objects]
        async with transaction(pool) as connection:
            await record(connection, catalog.resources(), found)
        return objects

    return told


def made(kind: str, number: int, fields: dict[str, Any]) -> dict[str, Any]:
    """An object of a kind, the younger the higher its number; two and two are of one age."""
    at = (START + timedelta(seconds=number // 2)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    kinds: dict[str, dict[str, Any]] = {
        "user": {"email": f"User{number}@example.com", "external_id": f"customer/{number}"},
        "organization": {"name": f'The "{number}"', "external_id": None, "domains": []},
        "organization_membership": {"user_id": "user_0000", "organization_id": "organization_0000", "status": "active"},
    }
    base: dict[str, Any] = {"object": kind, "id": f"{kind}_{number:04}", "created_at": at, "updated_at": at}
    return (
        base
        | kinds.get(kind, {})
        | {key: value.format(number) if isinstance(value, str) else value for key, value in fields.items()}
    )


def event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The event that tells of an object."""
    return {"object": "event", "id": f"event_{kind}_{data['id']}", "event": kind, "created_at": data["created_at"],
            "data": data}  # fmt: skip


async def place(pool: Pool, *, drained: float | None = None, ready: bool = True) -> None:
    """Let the copy have reached the end of the feed so many seconds ago."""
    now = datetime.now(UTC)
    async with transaction(pool) as connection:
        if drained is not None:
            behind = (await cursor.read(connection)).event_id
            await cursor.drained(connection, now - timedelta(seconds=drained), behind=behind)
        if ready:
            await cursor.ready(connection, now)


async def complete(pool: Pool, *left_out: str) -> None:
    """Let a backfill have listed everything but what was left out, and all events be followed."""
    types = sorted({kind for resource in catalog.resources() for kind in resource.events})
    async with transaction(pool) as connection:
        await cursor.ensure(connection)
        await connection.execute("UPDATE cursor SET event_types = $1", types)
        await connection.execute(
            "INSERT INTO backfills (phase, unfinished, start_position, left_out) VALUES ('done', false, 0, $1)",
            list(left_out),
        )


def ids(answer: httpx.Response) -> list[str]:
    """The ids of a list."""
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["data"]]


def fields(answer: httpx.Response) -> list[str]:
    """The fields a problem names."""
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["field"] for error in answer.json()["errors"]]
