"""A listener, and how its pieces of work are tried: again and again, patiently, until it is asked to leave."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import structlog

from user_management.db.session import Pool, Unreachable
from user_management.errors import Conflict, UserManagementError, Wait
from user_management.listener.backoff import INITIAL, Backoff
from user_management.listener.doubt import Doubt
from user_management.listener.patience import Patience
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS
from user_management.telemetry import metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

ALTERED = (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
"""What PostgreSQL says where somebody altered our tables, or what our role may do with them."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast and how patiently: in seconds.

    But for the deletions a backfill may confirm, and the days within which everything is verified once (0: never).
    """

    poll_interval: float = 2.0
    lease: float = 6.0
    backoff_initial: float = INITIAL
    backoff_max: float = 60.0
    backfill_margin: float = 600.0
    backfill_max_deletions: int = 100
    verify_days: float = 0.0
    webhook_patience: float = 60.0
    doubt_after: float = 600.0
    """Without anything new for so long, our place in the feed is proven."""


def name_of_this_process() -> str:
    """Who holds the lease, in a form an operator can find: host, process and a random part."""
    return f"{socket.gethostname()}/{os.getpid()}/{os.urandom(3).hex()}"


@dataclass(slots=True)
class Listener:
    """One listener: what it works on, at what pace, and the event that asks it to leave."""

    pool: Pool
    workos: WorkOS
    resources: Sequence[Resource]
    types: Sequence[str]
    pace: Pace = field(default_factory=Pace)
    name: str = field(default_factory=name_of_this_process)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    hears: str = field(default="", repr=False)
    """The URL of the database where webhooks are heard of; none are expected without it."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    doubt: Doubt = field(default_factory=Doubt)
    patience: Patience = field(default_factory=Patience)
    one_by_one: float = float("-inf")
    """When WorkOS last refused to be asked for what follows a moment, by `time.monotonic`."""

    def backoff(self) -> Backoff:
        """A fresh count of failures."""
        return Backoff(self.pace.backoff_initial, self.pace.backoff_max)


async def attempt(listener: Listener, what: str, work: Callable[[], Awaitable[T]], backoff: Backoff) -> T | None:
    """Do a piece of work; when it fails, log it, wait, and answer None. Whatever fails, the daemon goes on."""
    try:
        result = await work()
    except Exception as error:  # noqa: BLE001  the daemon's loop: an error of any kind must not end it
        asked = error.retry_after if isinstance(error, Wait) else None
        wait = backoff.next(asked, nearby=isinstance(error, Unreachable))
        report(what, error, wait, backoff.failures)
        await pause(listener, wait)
        return None
    backoff.reset()
    return result


def report(what: str, error: Exception, wait: float, failures: int) -> None:
    """Log a failure by what it asks for: patience, an operator, or a developer."""
    why, said = reason(error), str(error) or type(error).__name__
    if isinstance(error, ALTERED):
        said = f"{said}. The tables or our rights are not as they should be: user-management doctor"
    facts = {"error": said, "failures": failures, "next_try_in": round(wait, 1)}
    metrics.retries.add(1, {"work": what, "reason": why})
    if why == "overtaken":
        log.info("work.overtaken", work=what, **facts)
    elif why == "waiting":
        log.warning("work.waiting", work=what, **facts)
    elif why == "refused":
        log.error("work.refused", work=what, **facts)
    else:
        log.error("work.crashed", work=what, **facts, exc_info=error)


def reason(error: Exception) -> str:
    """What a failure asks for, in a word."""
    if isinstance(error, Conflict):
        return "overtaken"
    if isinstance(error, (Wait, *Unreachable)):
        return "waiting"
    return "refused" if isinstance(error, (UserManagementError, *ALTERED)) else "crashed"


async def pause(listener: Listener, seconds: float) -> bool:
    """Wait so long, or until asked to stop; whether we were."""
    try:
        async with asyncio.timeout(seconds):
            await listener.stopping.wait()
    except TimeoutError:
        return False
    return True


async def unless_stopping(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result, or None if we are asked to stop before it is done: then it is given up."""
    working, asked = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        asked.cancel()
        working.cancel()
        await asyncio.gather(working, asked, return_exceptions=True)
