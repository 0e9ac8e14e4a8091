"""WorkOS's own SDKs, for Python and for Node, cannot tell us from WorkOS: they are told the same, word by word."""

import asyncio
import hashlib
import json
import os
import shutil
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from user_management.db.session import Pool
from user_management.listener.worker import Listener, Pace
from user_management.mirror.engine import catalog
from user_management.sandbox.application import Sandbox, create_app
from user_management.sandbox.config import Config
from user_management.services.workos.client import WorkOS
from user_management.tests.support import copies, local_workos
from user_management.tests.support.local_workos import HEADERS, KEY
from user_management.tests.support.waiting import PATIENCE
from user_management.tests.web.workos import script
from user_management.web import application
from user_management.web.lifespan import Options

FOLDER = Path(__file__).parent / "node"
REQUIRED = "NODE_REQUIRED"
"""The variable by which CI says that Node must be there."""

Step = Callable[[str], Awaitable[None]]


@dataclass
class Clock:
    """A clock that a write moves, and nothing else: two WorkOS that are told the same live at the same times."""

    moment: datetime

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.moment


@dataclass
class Ticking:
    """The app of a sandbox, whose clock each write moves on."""

    app: ASGIApp
    clock: Clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] != "GET":
            self.clock.moment += timedelta(milliseconds=50)
        await self.app(scope, receive, send)


@dataclass
class Watched:
    """Our app, and where each of its answers came from."""

    app: ASGIApp
    sources: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                self.sources.append((f"{scope['method']} {scope['path']}", headers[b"replica-source"].decode()))
            await send(message)

        await self.app(scope, receive, noted if scope["type"] == "http" else send)


@asynccontextmanager
async def at_a_port(app: ASGIApp) -> AsyncIterator[str]:
    """An app behind a real socket of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@dataclass
class Twins:
    """Two WorkOS that are alike: one that is asked directly, and one that we stand before."""

    directly: str
    through_us: str
    since: str
    watched: Watched
    follow: Callable[[], Awaitable[None]]


def sandbox(moment: datetime) -> tuple[Sandbox, Clock]:
    """One WorkOS as every other of the same moment is."""
    clock = Clock(moment)
    return create_app(Config(users=40, organizations=4, seed=7, hold_back=0.0, rate_limits=False), time=clock), clock


async def prepared(url: str) -> None:
    """Something to find by an odd id, and a history that the feed tells."""
    async with httpx.AsyncClient(base_url=url, headers=HEADERS) as http:
        for number in range(5):
            body = {"email": f"young{number}@example.com", "external_id": "a/b c" if number == 2 else None}
            (await http.post("/user_management/users", json=body)).raise_for_status()


@pytest.fixture
async def twins(database_url: str, pool: Pool) -> AsyncIterator[Twins]:
    """Two WorkOS that are alike, and us before the second, all behind real sockets."""
    moment = datetime.now(UTC).replace(microsecond=0)
    async with AsyncExitStack() as stack:
        urls = []
        for app, clock in (sandbox(moment), sandbox(moment)):
            urls.append(await stack.enter_async_context(at_a_port(Ticking(app, clock))))
            await prepared(urls[-1])
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=PATIENCE))
        follow = await following(pool, local_workos.connection(http, urls[1]))
        options = Options(
            database_url=database_url, workos_api_key=KEY, workos_base_url=urls[1], max_staleness=PATIENCE
        )
        ours = Watched(application.create_app(options))
        url = await stack.enter_async_context(at_a_port(ours))
        since = (moment - timedelta(seconds=5)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        yield Twins(urls[0], url, since, ours, follow)


async def following(pool: Pool, workos: WorkOS) -> Callable[[], Awaitable[None]]:
    """A complete copy of a WorkOS, and the way to let it go on."""
    resources = catalog.resources()
    listener = Listener(pool, workos, resources, catalog.event_types(resources), Pace(poll_interval=0.02))
    await copies.begin(listener)
    await copies.fill(listener)

    async def drained() -> None:
        await copies.drain(listener)

    return drained


THROUGH = {"lists": 8, "writes": 0, "events": 5}
"""The most reads of each step that WorkOS answers: those that it refuses, and those whose meaning we do not know."""


async def compared(twins: Twins, run: Callable[[str, str, str], Awaitable[list[str]]]) -> None:
    """Take every step at both, and find no difference; and that it was the copy that answered."""
    for step in script.STEPS:
        await twins.follow()
        twins.watched.sources.clear()
        theirs, ours = await run(step, twins.directly, twins.since), await run(step, twins.through_us, twins.since)
        assert ours == theirs
        through = [what for what, source in twins.watched.sources if source != "copy" and what.startswith("GET")]
        assert len(through) <= THROUGH[step], through


async def test_the_sdk_for_python_cannot_tell_us_from_workos(twins: Twins) -> None:
    """Typed objects, pages that follow each other by themselves, errors: all the same."""
    await compared(twins, script.run)


def lacking() -> str | None:
    """Why the SDK for Node cannot be run; CI says by a variable that this must not be."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if not missing:
        return None
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, and there is no {missing[0]}")
    return f"there is no {missing[0]} here"


async def executed(*command: str, **options: Any) -> str:
    """What a command says; one that fails is the test's failure."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, **options)
    async with asyncio.timeout(PATIENCE):
        said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return said.decode()


def installed(folder: Path) -> bool:
    """Whether the SDK is in its folder; else all is there that npm needs to put it there."""
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, folder)
    return (folder / "node_modules" / ".package-lock.json").exists()


@pytest.fixture(scope="session")
async def node_sdk(pytestconfig: pytest.Config) -> Path:
    """The folder of the SDK for Node, exactly as the lock file has it, kept from run to run."""
    if reason := lacking():
        pytest.skip(reason)
    lock = (FOLDER / "package-lock.json").read_bytes()
    cache: Any = pytestconfig.cache
    folder = Path(cache.mkdir("workos-node"), hashlib.sha256(lock).hexdigest()[:16])
    if not installed(folder):
        await executed("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return folder


async def test_the_sdk_for_node_cannot_tell_us_from_workos(twins: Twins, node_sdk: Path) -> None:
    """The other official SDK words its requests differently, and is told the same."""

    async def run(step: str, url: str, since: str) -> list[str]:
        said = await executed("node", str(FOLDER / "script.mjs"), str(node_sdk), url, step, since)
        return said.splitlines()

    await compared(twins, run)


def test_the_lock_file_names_no_registry() -> None:
    """`npm ci` asks whichever registry its user has."""
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
