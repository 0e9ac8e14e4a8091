"""Virtual time: a clock that leaps to the next thing due once nothing else is to be done: waiting costs nothing."""

import asyncio
import contextlib
import selectors
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When every simulation begins."""
GRACE = 0.02
"""Real seconds after which a statement without an answer is taken to wait for a lock that somebody else holds."""
FAR = 5.0
"""Virtual seconds that are not leapt over so readily, and real ones they are worth: nobody holds a lock so long."""
HOPELESS = 10.0
"""Real seconds without anything happening after which a simulation is given up."""
ENDLESS = 150_000
"""Turns of the loop after which a simulation is given up: something runs in a circle."""


class HasClock(Protocol):
    """A process with a wall clock, which is wrong by so many seconds."""

    ahead: float


owner: ContextVar[HasClock | None] = ContextVar("owner", default=None)
"""Whose wall clock is looked at."""


class Stuck(RuntimeError):
    """The simulation does not go on: everybody waits for somebody, or runs in a circle."""


class Leaping(selectors.DefaultSelector):
    """Waits for sockets while statements are under way, and else lets the loop's clock leap."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; nothing when the clock leapt instead."""
        self.loop.turn()
        if timeout is not None and timeout <= 0:
            return list(super().select(0)) if self.loop.under_way else []
        grace = GRACE if timeout is not None and timeout < FAR else FAR
        while self.loop.under_way - self.loop.blocked:
            if events := super().select(grace):
                return list(events)
            self.loop.blocked |= self.loop.under_way
        events = super().select(HOPELESS if timeout is None else 0) if self.loop.under_way or timeout is None else []
        if not events:
            self.loop.leap(timeout)
        return list(events)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass as soon as they can."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self.under_way: set[object] = set()
        self.blocked: set[object] = set()
        self.holder: object = None
        self.queue: list[object] = []
        selector = Leaping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """The virtual seconds since the loop began."""
        return self.now

    def turn(self) -> None:
        """Count a turn; `Stuck` after too many."""
        self.turns += 1
        if self.turns > ENDLESS:
            self.turns = 0
            raise Stuck("it runs in a circle")

    def leap(self, seconds: float | None) -> None:
        """Let so many seconds pass; `Stuck` when nothing is due at all."""
        if seconds is None:
            raise Stuck("everybody waits for somebody")
        self.now += seconds

    async def real(self, work: Awaitable[T], *, by: object = None, locks: bool = False, frees: bool = False) -> T:
        """The result of work in the real world, for which the clock stands still.

        `locks`: it takes the lock that `by` holds from then on; `frees`: it ends what `by` holds.
        """
        token = object()
        self.under_way.add(token)
        if locks and self.holder is not by:
            if self.queue or self.holder is not None:
                self.blocked.add(token)
            self.queue.append(token)
        try:
            result = await work
            if locks:
                self.holder = by
            return result
        finally:
            self.under_way.discard(token)
            self.blocked.discard(token)
            if token in self.queue:
                self.queue.remove(token)
            if frees or (locks and self.holder is None):
                self.free(by)

    def free(self, holder: object) -> None:
        """Let those go on who waited for what this one held: the first of them, where there is a queue."""
        if self.holder is holder:
            self.holder = None
        self.blocked = set(self.queue[self.holder is None :])


def wall() -> datetime:
    """What the wall clock of the process at work shows."""
    process = owner.get()
    return true_time() + timedelta(seconds=process.ahead if process else 0.0)


def true_time() -> datetime:
    """The time by which everybody else goes: WorkOS, and the database."""
    return START + timedelta(seconds=asyncio.get_event_loop().time())


class Datetime(datetime):
    """The class of the standard library, in virtual time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # plain ones, as everywhere else
        """The virtual wall clock."""
        return wall().astimezone(tz)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: Callable[[Any], Any]) -> Any:
        """Parameters that are points in time are read as ever."""
        return handler(datetime)


def clock_module() -> SimpleNamespace:
    """The module `time` in virtual time."""

    def seconds() -> float:
        return asyncio.get_event_loop().time()

    virtual = {
        "time": lambda: wall().timestamp(),
        "time_ns": lambda: int(wall().timestamp() * 1e9),
        "monotonic": seconds,
        "perf_counter": seconds,
    }
    return SimpleNamespace(**{**vars(time), **virtual})


def told_time(modules: Mapping[str, ModuleType]) -> list[ModuleType]:
    """The modules of the product, which are to live in virtual time."""
    foreign = ("user_management.sandbox", "user_management.tests", "user_management.telemetry")
    return [
        module
        for name, module in modules.items()
        if name.startswith("user_management.") and not name.startswith(foreign)
    ]


@contextlib.contextmanager
def instead_of_real_time() -> Iterator[None]:
    """Let the product's modules tell virtual time while the block lasts."""
    before: list[tuple[ModuleType, str, Any]] = []
    stand_in = clock_module()
    for module in told_time(dict(sys.modules)):
        for name, real, virtual in (("datetime", datetime, Datetime), ("time", time, stand_in)):
            if getattr(module, name, None) is real:
                before.append((module, name, real))
                setattr(module, name, virtual)
    try:
        yield
    finally:
        for module, name, real in before:
            setattr(module, name, real)
