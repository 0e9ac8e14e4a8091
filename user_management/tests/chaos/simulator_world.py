"""The simulated world: a WorkOS, listeners and an API, in one loop and over one real database."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, TypeAlias

import httpx
import orjson
from fastapi import FastAPI
from starlette.requests import Request

from user_management.db import session
from user_management.db.session import Pool
from user_management.journal.watch import Watcher
from user_management.listener import backfills, daemon
from user_management.listener.worker import Listener, Pace
from user_management.mirror.engine import catalog
from user_management.sandbox import errors, events, replies, users
from user_management.sandbox.activity import Activity
from user_management.sandbox.application import create_app as create_sandbox
from user_management.sandbox.config import Config
from user_management.sandbox.feed import Feed
from user_management.sandbox.store import Store
from user_management.services.workos import client, passage
from user_management.services.workos.client import WorkOS
from user_management.services.workos.passage import Passage
from user_management.tests.chaos import virtual
from user_management.tests.chaos.cuts import Cut, Process, Wire
from user_management.tests.chaos.virtual import VirtualLoop
from user_management.tests.support import local_workos
from user_management.tests.support.local_workos import HEADERS, KEY, URL, LocalWorkOS
from user_management.web import application
from user_management.web.connections import Connections
from user_management.web.dependencies import Backend
from user_management.web.lifespan import Options

SECRET = "whsec_simulated"
PACE = Pace(poll_interval=3.0, lease=12.0, backoff_initial=0.5, backoff_max=10.0)
TYPES = catalog.event_types(catalog.resources())
LIMIT = re.compile(rb"\blimit=\d+")

Surroundings: TypeAlias = tuple["Database", FastAPI, Pool]
"""What all worlds share: the database, the API's routes, and the pool of those who look from outside."""
Mangle = Callable[[httpx.Request, httpx.Response], httpx.Response]
"""What the way from WorkOS does to an answer."""


@dataclass(slots=True)
class Database:
    """The one real database of a job: emptied between runs, its connections handed from run to run."""

    url: str
    loop: VirtualLoop
    idle: list[Wire] = field(default_factory=list)


@dataclass(slots=True)
class Post:
    """A request of a client to create a user, and what came of it: no status when the process died meanwhile."""

    email: str
    status: int | None = None
    problem: str = ""
    id: str = ""
    visible: bool | None = None
    keyed: bool = False
    """Whether it bears an `Idempotency-Key`, and is repeated until it has an outcome."""


class Network(local_workos.Wire):
    """The way from a process to WorkOS: it takes time, brings small pages, and ends with the process."""

    def __init__(self, world: "World", process: Process, app: Any) -> None:
        super().__init__(app=app)
        self.world, self.process = world, process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The sandbox's answer, once it is here."""
        self.check(httpx.ConnectError("the process is dead"))
        if self.world.small and not self.world.whole_way and request.url.path == "/events":
            return await self.short(request)
        await self.world.travel()
        if request.method == "POST":
            self.world.sent.append(json.loads(request.content).get("email", ""))
        asked = request.url.copy_set_param("limit", self.world.page) if "limit" in request.url.params else request.url
        answer = await super().handle_async_request(httpx.Request(request.method, asked, headers=request.headers,
                                                                  content=request.content))  # fmt: skip
        await answer.aread()
        await self.world.travel()
        self.check(httpx.ReadError("the process is dead"))
        return self.world.mangle(request, answer) if self.world.mangle else answer

    async def short(self, request: httpx.Request) -> httpx.Response:
        """A page of events, straight from the function that answers."""
        query = LIMIT.sub(b"limit=%d" % self.world.page, request.url.query)
        scope = {"type": "http", "method": "GET", "query_string": query, "headers": [], "app": self.app}
        await asyncio.sleep(0)
        try:
            answered = await events.list_events(Request(scope))
        except errors.ApiError as refused:
            answered = await errors.handle(Request(scope), refused)
        await asyncio.sleep(0)
        self.check(httpx.ReadError("the process is dead"))
        if self.world.by_time and "range_start" in request.url.params and answered.status_code == httpx.codes.OK:
            answered = replies.ok(self.younger(request))
        answer = httpx.Response(answered.status_code, content=bytes(answered.body), request=request,
                                headers={"content-type": "application/json"})  # fmt: skip
        return self.world.mangle(request, answer) if self.world.mangle else answer

    def younger(self, request: httpx.Request) -> bytes:
        """The first page of events that happened after a time, in the feed's order."""
        feed, since = self.world.store.feed, request.url.params["range_start"]
        found = [one for one in feed.blobs if orjson.loads(one)["created_at"] > since]
        after = orjson.loads(found[self.world.page - 1])["id"] if len(found) > self.world.page else None
        page = {"object": "list", "data": [orjson.loads(one) for one in found[: self.world.page]]}
        return orjson.dumps({**page, "list_metadata": {"after": after}})

    def check(self, error: httpx.TransportError) -> None:
        """Let nothing through for a dead process."""
        if self.process.dead:
            raise error


class Direct(httpx.AsyncClient):
    """A client that hands each request to its network as it is: a small scene is about us, and not about HTTP."""

    async def request(self, method: str, url: httpx.URL | str, **asked: Any) -> httpx.Response:
        """The answer; no cookies, redirects or defaults."""
        place, _, query = str(url).partition("?")
        whole = httpx.URL(place)
        if query:  # as the SDK quoted it: reading it once more takes longer than all else
            whole._uri_reference = whole._uri_reference._replace(query=query)
        request = httpx.Request(method, whole, headers=asked["headers"], content=asked["content"])
        response = await self._transport.handle_async_request(request)
        response.request = request
        await response.aread()
        return response


@dataclass(slots=True)
class World:
    """Everything of one run, made from its seed."""

    seed: int
    database: Database
    api: FastAPI
    dice: Random
    local: LocalWorkOS
    page: int
    checker: Pool
    pace: Pace = PACE
    plan: Callable[["World", str], list[Cut]] = lambda _world, _role: []
    """The cuts of a new process, by its role."""
    leased: bool = True
    mangle: Mangle | None = None
    leaving: bool = False
    leaving_api: bool = False
    astray: bool = False
    """Whether the feed's order is not that of times; then what is caught up with stands by time in the journal."""
    by_time: bool = False
    """Whether a feed asked from a time on leaves out what is older, wherever it stands."""
    small: bool = False
    """Whether this is a page or three, and no day: no time passes on the way, and the way is short."""
    whole_way: bool = False
    """Whether requests go through the whole of the sandbox all the same, with its faults."""
    ahead: float = 0.0
    """Seconds by which the wall clocks of new processes are wrong."""
    home: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while listeners may be started."""
    alive: dict[str, Process] = field(default_factory=dict)
    history: list[Process] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    past: list[Feed] = field(default_factory=list)
    """Feeds that WorkOS has forgotten."""

    @property
    def store(self) -> Store:
        """What WorkOS holds."""
        found: Store = self.local.app.state.store
        return found

    async def travel(self) -> None:
        """Let a request, or its answer, travel."""
        await asyncio.sleep(0 if self.small else self.dice.uniform(0.001, 0.15))

    def happen(self, count: int) -> None:
        """Let so many things happen at WorkOS, at once."""
        self.local.app.state.activity.burst(count)

    def born(self, role: str) -> Process:
        """A new process, not yet at work."""
        name = f"{role}.{sum(process.name.startswith(role) for process in self.history) + 1}"
        dice = None if self.small else Random(self.dice.random())  # noqa: S311  a simulation's dice
        process = Process(name, self.database.loop, self.database.url, self.database.idle, dice)
        process.ahead, process.cuts = self.ahead, self.plan(self, role)
        self.history.append(process)
        self.alive[role] = process
        return process

    def workos(self, process: Process) -> WorkOS:
        """A process's connection to WorkOS."""
        return client.over(self.http(process), api_key=KEY, client_id="client_sandbox", base_url=URL)

    def passage(self, process: Process) -> Passage:
        """A process's way to WorkOS for its callers' own requests."""
        return passage.over(self.http(process), key=KEY, base_url=URL, seconds=30.0)

    def http(self, process: Process) -> httpx.AsyncClient:
        """A process's network."""
        kind = Direct if self.small else httpx.AsyncClient
        return kind(transport=Network(self, process, self.local.app), base_url=URL)

    async def keep(self, role: str, work: Callable[["World", Process], Any]) -> None:
        """Have a process of this role at work, a new one whenever one ends, until the world is left."""
        while not self.leaving:
            if role.startswith("listener"):
                await self.home.wait()
            await self.live(self.born(role), work)
            await asyncio.sleep(self.dice.uniform(0, 3))

    async def live(self, process: Process, work: Callable[["World", Process], Any]) -> None:
        """Let a process live to its end; one that ends by itself has crashed."""
        process.start(work(self, process))
        await process.buried()
        main = process.main
        if main is not None and not main.cancelled() and not process.dead and (error := main.exception()):
            self.crashes.append(f"{process.name} ended by itself: {error!r}")

    def set_clocks(self, ahead: float) -> None:
        """Set the wall clocks of our processes: those at work and those to come, each a little differently."""
        self.ahead = ahead
        for process in self.alive.values():
            process.ahead = ahead * self.dice.choice([0, 1, 1])

    def forget(self, feed: Feed) -> None:
        """Let WorkOS forget its feed."""
        self.past.append(self.store.feed)
        self.store.feed = feed

    def delete_user(self) -> None:
        """Let a user go, of which the feed will not tell: it forgets."""
        users.delete(self.store, self.dice.choice(self.store.users.ids))
        self.forget(Feed())

    async def ask_for_backfill(self) -> None:
        """What `user-management backfill` does."""
        async with session.transaction(self.checker) as connection:
            await backfills.request(connection, catalog.resources()[0].name)

    def leave(self) -> None:
        """Ask every process to end, and start none any more."""
        self.leaving = True
        self.home.set()
        for process in self.alive.values():
            process.stopping.set()


async def listen(world: World, process: Process) -> None:
    """What a listener does; without the lease, it works whoever else does."""
    async with process.pool(5) as pool:
        listener = listener_of(world, process, pool)
        if world.leased:
            await daemon.run(listener)
        else:
            await daemon.work(listener)


def listener_of(world: World, process: Process, pool: Pool) -> Listener:
    """The real listener, in a simulated process."""
    resources = catalog.resources()
    return Listener(pool, world.workos(process), resources, TYPES, world.pace, process.name, process.stopping)


async def serve(world: World, process: Process) -> None:
    """What an API worker does."""
    async with process.pool(3) as pool:
        connections = Connections(pool)
        backend = Backend(connections, world.workos(process), catalog.resources(), 30.0, Watcher(nothing),
                          world.passage(process), secret=b"simulated", webhook_secrets=(SECRET,))  # fmt: skip
        world.api.state.backend = backend
        try:
            await process.stopping.wait()
            await asyncio.gather(*backend.under_way, return_exceptions=True)
        finally:
            await connections.give_back()


async def nothing() -> None:
    """Look at nothing: nobody asks for metrics."""


def create(seed: int, database: Database, api: FastAPI, checker: Pool) -> World:
    """A world with a past: a WorkOS where things have happened, some of them minutes ago."""
    dice = Random(seed)  # noqa: S311  a simulation's dice
    past = [virtual.true_time().timestamp() - seconds for seconds in (7200, 1200, 300, 5)]
    config = Config(hold_back=0.0, rate_limits=False, seed=seed, faults={})
    app = create_sandbox(config, time=virtual.true_time)
    http = httpx.AsyncClient(transport=local_workos.Wire(app=app), base_url=URL, headers=HEADERS)
    world = World(seed, database, api, dice, LocalWorkOS(http, local_workos.connection(http, URL), app), 0, checker)
    world.page = dice.choice([2, 3, 5, 10, 100])
    for moment in past:
        world.store.time = partial(datetime.fromtimestamp, moment, UTC)
        if dice.random() < 0.7:
            world.happen(dice.randrange(1, 25))
    world.store.time = virtual.true_time
    world.home.set()
    world.store.hold_back = dice.choice([0.0, 0.0, 0.5, 3.0])
    api.state._state.pop("backend", None)
    return world


def over(seed: int, app: Any, left: tuple[Store, Activity], among: Surroundings) -> World:
    """A world in which WorkOS is as it was left before."""
    (store, activity), (database, api, checker) = left, among
    app.state.store, app.state.activity = store, activity
    app.state.faults.set({}, seed=1)
    app.state.faults.pages.clear()  # an old page is one of this world's
    http = httpx.AsyncClient(transport=local_workos.Wire(app=app), base_url=URL, headers=HEADERS)
    dice = Random(seed)  # noqa: S311  a simulation's dice
    world = World(seed, database, api, dice, LocalWorkOS(http, local_workos.connection(http, URL), app), 0, checker)
    world.page, world.small = dice.choice([1, 2, 3, 5, 10]), True
    activity._random.seed(seed)
    world.home.set()
    api.state._state.pop("backend", None)
    return world


def create_api(url: str) -> FastAPI:
    """The real API, whose backend each API process brings along."""
    return application.create_app(Options(database_url=url, workos_api_key=KEY, workos_base_url=URL, open=True))
