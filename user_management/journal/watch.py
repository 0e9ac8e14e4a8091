"""The watch: the copy as it was last seen, which is what the gauges show, in the API and in the listener alike."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asyncpg import PostgresError
from opentelemetry.metrics import Observation

from user_management.db.session import Connection, Unreachable
from user_management.errors import Misconfigured, Wait
from user_management.journal import checkpoints, cursor, failures, freshness, verifications, webhooks
from user_management.journal.cursor import Cursor
from user_management.journal.freshness import Freshness, State
from user_management.telemetry.metrics import gauge

EVERY = 5.0
"""Seconds between two looks; whoever asks for metrics has another one taken first."""
PATIENCE = 2.0
"""Seconds a look may take: a database that hangs must not hang those who watch over it."""


@dataclass(slots=True)
class Seen:
    """The copy at the last look; before the first, and while the database is away, only that."""

    up: bool | None = None
    cursor: Cursor | None = None
    position: int = 0
    parked: int = 0
    webhooks: int = 0
    stale_after: float = 30.0
    verified: dict[str, datetime] = field(default_factory=dict)
    """By resource that the listener compares by itself, when that object was verified that has waited longest."""
    at: float = 0.0
    """When that was, by a clock that nobody sets."""

    def now(self) -> datetime:
        """The time by the database's clock, as far as it was seen."""
        if self.cursor is None or self.cursor.now is None:
            return datetime.now(UTC)
        return self.cursor.now + timedelta(seconds=time.monotonic() - self.at)


seen = Seen()


async def look(connection: Connection, stale_after: float) -> None:
    """See how the copy is."""
    began = time.monotonic()
    seen.cursor, seen.at = await cursor.read(connection), began
    seen.position = (await checkpoints.read(connection)).get(checkpoints.HEAD, 0)
    seen.parked = await failures.count(connection)
    seen.verified = await verifications.oldest_of_rolling(connection)
    seen.webhooks = await webhooks.count(connection)
    seen.stale_after, seen.up = stale_after, True


class Watcher:
    """Looks at the copy, one look at a time; whoever asks waits for it no longer than `PATIENCE`."""

    def __init__(self, look_now: Callable[[], Awaitable[None]]) -> None:
        self.look_now = look_now
        self.looking: asyncio.Task[None] | None = None

    async def look(self) -> bool:
        """Look; whether the database answered. When it did not, what was seen before stands, and ages."""
        if self.looking is not None:  # a look that has begun before we asked may have missed something
            await asyncio.wait({self.looking}, timeout=PATIENCE)
        if self.looking is None or self.looking.done():
            self.looking = asyncio.create_task(self.try_to_look())
        await asyncio.wait({self.looking}, timeout=PATIENCE)
        if not self.looking.done():
            seen.up = False
        return bool(seen.up)

    async def try_to_look(self) -> None:
        """Look, and note whether the database is away."""
        try:
            await self.look_now()
        except (*Unreachable, Wait, Misconfigured):
            seen.up = False
        except PostgresError:  # it answers, but has no tables of ours yet
            seen.up, seen.cursor = True, None

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Look every so often for the length of the block."""
        keeping = asyncio.create_task(self.keep())
        try:
            yield
        finally:
            for task in (keeping, self.looking):
                if task is not None:
                    task.cancel()
                    await asyncio.wait({task}, timeout=PATIENCE)

    async def keep(self) -> None:
        """Look every so often."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)


def up() -> Iterable[Observation]:
    """Whether the database answered."""
    return [] if seen.up is None else [Observation(int(seen.up))]


def age() -> Iterable[Observation]:
    """Seconds since the poll began that last reached the end of the feed; none while that cannot be told."""
    found = judged()
    return [] if found.as_of is None or found.age is None else [Observation(since(found.as_of))]


def cursor_age() -> Iterable[Observation]:
    """Seconds since the event happened that the cursor stands at."""
    event_at = seen.cursor.event_at if seen.cursor else None
    return [] if event_at is None else [Observation(since(event_at))]


def since(moment: datetime) -> float:
    """The seconds since a moment; none since one that is yet to come."""
    return max(0.0, (seen.now() - moment).total_seconds())


def judged() -> Freshness:
    """How fresh the copy is, as far as it was seen."""
    place = seen.cursor or Cursor()
    return freshness.judge(
        now=seen.now(),
        drained_at=place.drained_at,
        ready_at=place.ready_at,
        stale_after=seen.stale_after,
    )


def states() -> Iterable[Observation]:
    """One for the state the copy is in, none for the others."""
    if seen.cursor is None:
        return []
    found = judged().state
    return [Observation(int(state is found), {"state": state.value}) for state in State]


def position() -> Iterable[Observation]:
    """Where the journal ends."""
    return [] if seen.cursor is None else [Observation(seen.position)]


def parked() -> Iterable[Observation]:
    """How many entries are set aside."""
    return [] if seen.cursor is None else [Observation(seen.parked)]


def verified() -> Iterable[Observation]:
    """Seconds since the oldest verification, by resource."""
    return [Observation(since(at), {"resource": name}) for name, at in seen.verified.items()]


def pending_webhooks() -> Iterable[Observation]:
    """How many webhooks wait for the feed."""
    return [] if seen.cursor is None else [Observation(seen.webhooks)]


gauge("user_management.database.up", "Whether the database answers.", up)
gauge("user_management.replica.age", "Seconds since the end of WorkOS's feed was reached.", age, unit="s")
gauge("user_management.replica.state", "1 for the state the copy is in: live, stale or backfilling.", states)
gauge("user_management.journal.position", "Where the journal ends.", position)
gauge(
    "user_management.cursor.age", "Age of the event the cursor stands at; WorkOS keeps 30 days.", cursor_age, unit="s"
)
gauge(
    "user_management.verified.age", "Seconds since that object was verified that has waited longest.", verified,
    unit="s",
)  # fmt: skip
gauge("user_management.failures.parked", "Entries that could not be applied and wait for an operator.", parked)
gauge("user_management.webhooks.pending", "Webhooks whose event the feed has not brought yet.", pending_webhooks)
