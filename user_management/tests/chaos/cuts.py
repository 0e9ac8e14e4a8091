"""Cuts: processes that can die, be asked to leave, or lose their database, at any statement and at any await."""

import asyncio
import contextvars
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg

from user_management.db import session
from user_management.db.session import Pool
from user_management.tests.chaos import steps, virtual
from user_management.tests.chaos.virtual import VirtualLoop

T = TypeVar("T")

LATENCY = (0.0002, 0.004)
"""Seconds a statement travels, each way."""
SLOW = (0.05, 3.0)
"""Seconds it takes now and then."""
SELDOM = 0.01
"""How often that is."""


class Kind(StrEnum):
    """What happens at a cut."""

    KILL_BEFORE = "kill before"
    """the process is gone, and the statement was not sent"""
    KILL_AFTER = "kill after"
    """the process is gone, and the statement was done"""
    LOSE_BEFORE = "lose before"
    """the connection breaks before the statement arrives"""
    LOSE_AFTER = "lose after"
    """the connection breaks after the statement was done, and before its answer is there"""
    FAIL = "fail"
    """PostgreSQL refuses the statement"""
    CANCEL = "cancel"
    """the process's main task is cancelled"""
    STOP = "stop"
    """the process is asked to leave, as by SIGTERM"""


@dataclass(frozen=True, slots=True)
class Cut:
    """What happens to a process, at which of its statements (those that match, if told) or at which of its awaits."""

    kind: Kind
    statement: int = 0
    step: int = 0
    matching: str = ""
    sqlstate: str = ""

    def concerns(self, query: str) -> bool:
        """Whether a statement counts for this cut."""
        return bool(self.statement) and re.search(self.matching, query) is not None


current: ContextVar["Process | None"] = ContextVar("current", default=None)
"""The simulated process at work."""


def task_factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """A task; one of a simulated process belongs to it, and dies with it."""
    context = options.get("context")
    process = (context or contextvars.copy_context()).get(current)
    if getattr(coroutine, "__qualname__", "") == "Connection._cancel":  # which is the network's work
        task = asyncio.Task(coroutine, loop=loop, **options)
        under_way: set[object] = getattr(loop, "under_way", set())
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        return task
    if process is None:
        return asyncio.Task(coroutine, loop=loop, **options)
    task = asyncio.Task(steps.Stepped(coroutine, process), loop=loop, **options)
    process.tasks.append(task)
    return task


if TYPE_CHECKING:
    AsyncpgConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    AsyncpgConnection = asyncpg.Connection


class Wire(AsyncpgConnection):
    """A connection to the real PostgreSQL, whose every statement its process decides about."""

    process: "Process"
    _protocol: Any
    _top_xact: Any
    _proxy: Any
    _pool_holder: Any
    _abort: Callable[[], None]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  asyncpg's own
        """Run a statement, or several."""
        if args:
            return str(await super().execute(query, *args, timeout=timeout))
        told = steps.traits(query)
        return await self.process.statement(
            self, query, lambda moment: super(Wire, self).execute(told.at(moment), timeout=timeout)
        )

    async def _execute(self, query: str, args: tuple[Any, ...], *limits: Any, **options: Any) -> Any:
        run = super()._execute  # type: ignore[misc]  # inside asyncpg, and so not in its stubs
        text, timed = steps.traits(query).after(len(args))
        return await self.process.statement(
            self, query, lambda moment: run(text, (*args, moment) if timed else args, *limits, **options)
        )

    async def copy_records_to_table(self, table_name: str, **options: Any) -> str:
        """Copy records."""
        run = super().copy_records_to_table
        return await self.process.statement(self, f"COPY {table_name}", lambda _: run(table_name, **options))

    async def raw_clock(self) -> None:
        """Let the defaults of columns be the virtual time of the statement to come."""
        moment = virtual.true_time().timestamp() * 1e6
        await self.process.loop.real(super().execute(f"SELECT setval('virtual_clock', {moment:.0f})"))

    async def raw(self, query: str) -> str:
        """Run a statement that nobody counts."""
        return str(await self.process.loop.real(super().execute(query), by=self, frees=True))

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109  asyncpg's own
        """Leave the pool, and wait for another process instead of ending: a connection costs more than a run."""
        self.leave()
        await recycle([self], self.process.idle)

    def terminate(self) -> None:
        """End at once; of a dead process, later, when its remains are cleared away."""
        if self.process.dead:
            self.leave()
        else:
            super().terminate()
            self.process.loop.free(self)

    def leave(self) -> None:
        """Part from the pool it belongs to."""
        holder, self._pool_holder = (self._pool_holder() if self._pool_holder else None), None
        if holder is not None and holder._con is self:
            holder._release_on_close()


async def recycle(connections: Iterable[Wire], idle: list[Wire]) -> None:
    """Bring connections into the state of new ones, as their server would on the end of their process."""
    for connection in connections:
        if connection.is_closed() or connection in idle:
            continue
        connection.leave()
        connection._top_xact = connection._proxy = None
        if connection._protocol._is_cancelling():
            super(Wire, connection).terminate()
            connection.process.loop.free(connection)
            continue
        try:
            if connection.is_in_transaction():
                await connection.raw("ROLLBACK")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            super(Wire, connection).terminate()
            connection.process.loop.free(connection)
        else:
            idle.append(connection)


@dataclass(slots=True, eq=False)
class Process:
    """A simulated process: its tasks, its connections, its clock, and what is to happen to it."""

    name: str
    loop: VirtualLoop
    url: str
    idle: list[Wire]
    dice: Random | None = None
    cuts: list[Cut] = field(default_factory=list)
    ahead: float = 0.0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    dead: bool = False
    death: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    main: asyncio.Task[Any] | None = None
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    connections: list[Wire] = field(default_factory=list)
    steps: int = 0
    statements: dict[Cut, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this process."""
        context = contextvars.copy_context()
        context.run(current.set, self)
        context.run(virtual.owner.set, self)
        return self.loop.create_task(work, context=context)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin its main task."""
        self.main = self.spawn(work)

    def pool(self, size: int, *, patience: float | None = 60) -> Pool:
        """A pool of connections of this process, as `db.session.open_pool` makes them."""
        return asyncpg.create_pool(
            session.dsn(self.url), min_size=0, max_size=size, reset=session.keep, command_timeout=patience,
            connection_class=Wire, connect=self.connect, max_inactive_connection_lifetime=0,
            statement_cache_size=steps.DISTINCT,
        )  # fmt: skip

    async def connect(self, *args: Any, **options: Any) -> Wire:
        """A connection, one that is idle if there is one."""
        self.alive()
        if self.idle:
            connection = self.idle.pop()
        else:
            connection = await self.loop.real(asyncpg.connect(*args, **options))
        connection.process = self
        self.connections.append(connection)
        return connection

    def alive(self) -> None:
        """Refuse what a dead process would do."""
        if self.dead:
            raise asyncpg.ConnectionDoesNotExistError("the process is dead")

    def step(self) -> None:
        """Count a step of one of its tasks, and do what is to happen there."""
        self.steps += 1
        for cut in self.cuts:
            if cut.step == self.steps:
                self.perform(cut)

    def due(self, query: str) -> Cut | None:
        """What is to happen at a statement."""
        for cut in self.cuts:
            if cut.concerns(query):
                self.statements[cut] = count = self.statements.get(cut, 0) + 1
                if count == cut.statement:
                    return cut
        return None

    async def statement(self, connection: Wire, query: str, run: Callable[[datetime], Awaitable[T]]) -> T:
        """Run a statement, unless something else happens: it takes its time, each way."""
        self.alive()
        cut, told = self.due(query), steps.traits(query)
        await self.travel()
        if cut is not None and cut.kind is not Kind.KILL_AFTER and cut.kind is not Kind.LOSE_AFTER:
            await self.cut_before(cut, connection, query)
        self.alive()
        if told.defaults:
            await connection.raw_clock()
        result = await self.loop.real(run(virtual.true_time()), by=connection, locks=told.locks, frees=told.ends)
        if cut is not None and cut.kind in {Kind.KILL_AFTER, Kind.LOSE_AFTER}:
            await self.cut_after(cut, connection, query)
        await self.travel()
        self.alive()
        return result

    async def travel(self) -> None:
        """Let a statement, or its answer, travel."""
        if self.dice is not None:
            await asyncio.sleep(self.dice.uniform(*(SLOW if self.dice.random() < SELDOM else LATENCY)))

    async def cut_before(self, cut: Cut, connection: Wire, query: str) -> None:
        """Let it happen before a statement."""
        self.note(cut, query)
        if cut.kind is Kind.FAIL:
            await fail(connection, query, cut.sqlstate)
        elif cut.kind is Kind.LOSE_BEFORE:
            lose(connection)
        else:
            self.perform(cut)
            await asyncio.sleep(0)

    async def cut_after(self, cut: Cut, connection: Wire, query: str) -> None:
        """Let it happen after a statement."""
        self.note(cut, query)
        if cut.kind is Kind.LOSE_AFTER:
            lose(connection)
        self.kill()
        await asyncio.sleep(0)

    def perform(self, cut: Cut) -> None:
        """Let it happen to the process as a whole."""
        if cut.step:
            self.note(cut, "an await")
        if cut.kind is Kind.STOP:
            self.stopping.set()
        elif cut.kind is Kind.CANCEL and self.main is not None:
            self.main.cancel()
        else:
            self.kill()

    def note(self, cut: Cut, where: str) -> None:
        """Remember what happened, to be told if the run fails."""
        at = cut.statement or cut.step
        self.said.append(
            f"{self.loop.now:9.3f} {self.name}: {cut.kind} {cut.sqlstate} #{at}: {' '.join(where.split())[:90]}"
        )

    def kill(self) -> None:
        """Nothing that this process does from now on has any effect."""
        self.dead = True
        if not self.death.done():
            self.death.set_result(None)
        for task in self.tasks:
            task.cancel()

    async def buried(self) -> None:
        """Wait for the end of the process, and clear away what is left of it."""
        while waiting := [task for task in self.tasks if not task.done()]:
            if self.dead:
                for task in waiting:
                    task.cancel()
                await asyncio.wait(waiting, timeout=0.001)
            else:
                await asyncio.wait([*waiting, self.death], return_when=asyncio.FIRST_COMPLETED)
        for task in self.tasks:
            if not task.cancelled():
                task.exception()
        await recycle(self.connections, self.idle)


def lose(connection: Wire) -> None:
    """Break a connection, as the server's end or a network does."""
    connection._abort()
    connection.process.loop.free(connection)
    raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


async def fail(connection: Wire, query: str, sqlstate: str) -> None:
    """Let PostgreSQL itself refuse a statement, so that its transaction is as broken as it would be."""
    if steps.traits(query).ends:
        await connection.raw("ROLLBACK")
    try:
        await connection.raw(f"DO $$ BEGIN RAISE EXCEPTION 'simulated' USING ERRCODE = '{sqlstate}'; END $$")
    finally:
        if sqlstate.startswith("57P"):
            connection._abort()
            connection.process.loop.free(connection)
