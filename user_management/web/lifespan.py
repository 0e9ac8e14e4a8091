"""The backend opens before the first request and closes after the last write was heard out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import asyncpg
import httpx
import structlog
from fastapi import FastAPI

from user_management import telemetry
from user_management.db import session
from user_management.db.session import Aside, Pool
from user_management.journal import checkpoints, cursor, watch
from user_management.journal.watch import Watcher
from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import budget, client, passage
from user_management.services.workos.bucket import Plan
from user_management.services.workos.budget import Budget
from user_management.services.workos.client import WorkOS
from user_management.services.workos.passage import Passage
from user_management.telemetry import exposition
from user_management.web.connections import PATIENCE, Connections
from user_management.web.credentials.keys import Key
from user_management.web.dependencies import Backend

log = structlog.get_logger(__name__)

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the API is told when it starts."""

    database_url: str
    pool_size: int = 10
    workos_api_key: str
    workos_client_id: str = ""
    workos_base_url: str = "https://api.workos.com"
    workos_timeout: float = 30.0
    workos_requests_per_minute: int = 6000
    sandbox: bool = False
    stale_after: float = 30.0
    max_staleness: float = 60.0
    cors_origins: tuple[str, ...] = ()
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    api_keys: tuple[Key, ...] = ()
    token_issuers: tuple[str, ...] = ()
    """Who may have issued the tokens of users; with `workos_client_id`, whose keys they are signed with."""
    open: bool = False
    """Whether whoever has no credential may do everything."""
    rate_limit: int = 0
    """Requests in a minute that this process allows each caller; 0: as many as they like."""
    workers: Path | None = None
    """Where the worker processes that share our port meet."""


@asynccontextmanager
async def connected(options: Options, http: httpx.AsyncClient | None, paid: Budget) -> AsyncIterator[WorkOS]:
    """The way to WorkOS, over a given httpx client or one of its own."""
    key, identity, url = options.workos_api_key, options.workos_client_id, options.workos_base_url
    seconds = options.workos_timeout
    if http is not None:
        yield client.over(http, api_key=key, client_id=identity, base_url=url, seconds=seconds, budget=paid)
        return
    async with client.connect(
        api_key=key, client_id=identity, base_url=url, seconds=seconds, budget=paid
    ) as workos:  # fmt: skip
        yield workos


@asynccontextmanager
async def passing(options: Options, http: httpx.AsyncClient | None, paid: Budget) -> AsyncIterator[Passage]:
    """The way to WorkOS for callers' own requests, over a given httpx client or one of its own."""
    key, url, seconds = options.workos_api_key, options.workos_base_url, options.workos_timeout
    if http is not None:
        yield passage.over(http, key=key, base_url=url, seconds=seconds, budget=paid)
        return
    async with passage.opened(key=key, base_url=url, seconds=seconds, budget=paid) as opened:
        yield opened


@asynccontextmanager
async def opened(options: Options, http: httpx.AsyncClient | None) -> AsyncIterator[Backend]:
    """The backend, ready to record what WorkOS replies even before any listener ran."""
    resources = catalog.resources()
    aside = Aside(options.database_url, "user-management-watch")
    async with session.open_pool(
        options.database_url, size=options.pool_size, application="user-management-api"
    ) as pool:
        await prepared(pool, resources)
        connections = Connections(pool)
        try:
            async with (
                budget.shared(connections.one, options.workos_requests_per_minute) as shared,
                connected(options, http, shared) as workos,
                passing(options, http, shared) as passage_,
                aside.kept(),
                exposition.shared(options.workers),
            ):
                backend = Backend(
                    connections, workos, resources, options.stale_after, watcher(aside, options), passage_,
                    max_staleness=options.max_staleness,
                    sandbox=options.sandbox, secret=options.workos_api_key.encode(), workers=options.workers,
                    webhook_secrets=options.webhook_secrets,
                )  # fmt: skip
                async with backend.watcher.kept():
                    yield backend
                await asyncio.gather(*backend.under_way, return_exceptions=True)
        finally:
            await connections.give_back()


def watcher(aside: Aside, options: Options) -> Watcher:
    """Whoever looks at the copy over a connection of its own: a pool that is used up is no database that is away."""
    plan = Plan(options.workos_requests_per_minute)

    async def look() -> None:
        async with aside.one() as connection:
            await watch.look(connection, options.stale_after)
            await budget.look(connection, plan)

    return Watcher(look)


async def prepared(pool: Pool, resources: Sequence[Resource]) -> None:
    """Make sure there are checkpoints to record under; a database that is away has them since the API's first start."""
    try:
        async with asyncio.timeout(PATIENCE), session.transaction(pool) as connection:
            await checkpoints.ensure(connection, [resource.name for resource in resources])
            await cursor.ensure(connection)
    except (*session.Unreachable, asyncpg.PostgresError) as error:
        log.warning("database.away", error=f"{type(error).__name__}: {error}")


def lifespan(options: Options, http: httpx.AsyncClient | None) -> Lifespan:
    """The lifespan of an app with these options."""

    @asynccontextmanager
    async def span(app: FastAPI) -> AsyncIterator[None]:
        async with opened(options, http) as backend:
            app.state.backend = backend
            yield
        await asyncio.to_thread(telemetry.flush)

    return span
