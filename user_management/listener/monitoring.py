"""The listener's own small server: its metrics, whether it is alive, and whether the copy is complete and fresh."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

import uvicorn

from user_management.db import jsontext
from user_management.db.session import Aside
from user_management.errors import Misconfigured
from user_management.journal import watch
from user_management.journal.watch import Watcher
from user_management.listener import backfills
from user_management.services.workos import budget
from user_management.services.workos.bucket import Plan
from user_management.telemetry import exposition

Message = MutableMapping[str, Any]
Answer = tuple[int, str, bytes]

JSON = "application/json"


class Server(uvicorn.Server):
    """A server beside the work: signals are the listener's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@asynccontextmanager
async def serving(
    url: str, *, host: str, port: int, stale_after: float, source: str, requests_per_minute: int = 6000
) -> AsyncIterator[None]:
    """Keep the gauges of a database, and answer on a port for the length of the block; on none when it is 0."""
    aside, plan = Aside(url, "user-management-watch"), Plan(requests_per_minute)

    async def look() -> None:
        async with aside.one() as connection:
            await watch.look(connection, stale_after)
            backfills.newest.run = await backfills.latest(connection)
            await budget.look(connection, plan)

    watcher = Watcher(look)
    async with aside.kept(), watcher.kept():
        if not port:
            yield
            return
        server = Server(
            uvicorn.Config(
                app(watcher, source),
                log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2,
            )
        )  # fmt: skip
        answering = asyncio.create_task(server.serve([bound(host, port)]))
        try:
            yield
        finally:
            server.should_exit = True
            await answering


def bound(host: str, port: int) -> socket.socket:
    """A socket to answer on; `Misconfigured` when somebody else has the port."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Misconfigured(f"USER_MANAGEMENT_MONITORING_PORT {port} cannot be had: {error.strerror}.") from error


def app(watcher: Watcher, source: str) -> Callable[..., Awaitable[None]]:
    """The ASGI application."""

    async def application(
        scope: Message, _receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        status, kind, body = await answer(scope["path"], watcher, source)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


async def answer(path: str, watcher: Watcher, source: str) -> Answer:
    """What is answered on a path."""
    if path == "/metrics":
        await watcher.look()
        return HTTPStatus.OK, exposition.CONTENT_TYPE, exposition.own().encode()
    if path == "/api/health":
        return HTTPStatus.OK, JSON, b'{"status":"alive"}'
    if path == "/api/ready":
        return ready(source, up=await watcher.look())
    return HTTPStatus.NOT_FOUND, JSON, b'{"detail":"There is /metrics, /api/health and /api/ready."}'


def ready(source: str, *, up: bool) -> Answer:
    """Whether the copy is complete and fresh, by the same judgement as everywhere."""
    if not up:
        return unready("The database does not answer.", source=source)
    found = watch.judged()
    told = {"state": found.state.value, "age": found.age, "position": watch.seen.position, "source": source}
    if found.reason is not None:
        return unready(f"Not ready: {found.reason}.", **told)
    return HTTPStatus.OK, JSON, jsontext.dumps({"status": "ready", **told}).encode()


def unready(detail: str, **told: str | int | None) -> Answer:
    """Not ready, and why."""
    return HTTPStatus.SERVICE_UNAVAILABLE, JSON, jsontext.dumps({"detail": detail, **told}).encode()
