"""The request budget of all processes that use one API key: kept in PostgreSQL, leased in slices, spent in memory."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import astuple, dataclass, field, fields
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
from sqlalchemy import BigInteger, CheckConstraint, Double, Integer
from sqlalchemy.orm import Mapped, mapped_column

from user_management.db.base import Base, Timestamp
from user_management.db.session import Connection, Unreachable
from user_management.errors import Wait
from user_management.services.workos import bucket as buckets
from user_management.services.workos.bucket import EXPIRY, Bucket, Grant, Plan, Priority
from user_management.services.workos.errors import WorkOSUnavailable
from user_management.telemetry import metrics

Acquire: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]
"""Gives a connection for the length of a block."""
Change: TypeAlias = Callable[[Bucket, datetime], tuple[Bucket, Grant]]

SLICE = {Priority.WRITE: 10, Priority.READ: 10, Priority.TAIL: 20, Priority.BACKFILL: 20, Priority.VERIFY: 5,
         Priority.STRANGER: 5}  # fmt: skip
"""The most that is leased at once; a first lease is of one, each next one of twice as many."""
PATIENCE = {Priority.WRITE: 5.0, Priority.READ: 2.0}
"""Seconds somebody who is waited for waits for the budget; the others wait as long as it takes."""
TIMEOUT = 1.0
"""Seconds the database may take for a lease; without it, work goes on from a small allowance of one's own.

Less than anybody's patience: whoever waits for a database that hangs would else give up before it is taken for away.
"""
LUCK = 0.25
"""How often the tail and a backfill go before reads, where reads leave them nothing."""
AWAY = 2.0
"""Seconds a database that did not answer is left alone."""
ALLOWANCE = 10
"""What part of the limit a process allows itself while the database is away: a tenth."""
TRIES = 20
"""How often a change is tried again because another process was faster."""


class BudgetRow(Base):
    """The one row that everybody leases from, by the database's clock; see `Bucket`."""

    __tablename__ = "budget"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, server_default="1")
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tokens: Mapped[float] = mapped_column(Double, server_default="0")
    refilled_at: Mapped[Timestamp | None]
    pace: Mapped[float] = mapped_column(Double, server_default="1")
    blocked_until: Mapped[Timestamp | None]
    slowed_at: Mapped[Timestamp | None]
    probed_at: Mapped[Timestamp | None]
    minute_at: Mapped[Timestamp | None]
    minute: Mapped[int] = mapped_column(BigInteger, server_default="0")
    minute_before: Mapped[int] = mapped_column(BigInteger, server_default="0")


NAMES = [one.name for one in fields(Bucket)]
READ = f"SELECT version, clock_timestamp() AS now, {', '.join(NAMES)} FROM budget"
WRITE = (
    f"UPDATE budget SET version = version + 1, {', '.join(f'{name} = ${n}' for n, name in enumerate(NAMES, 2))} "
    "WHERE version = $1"
)


async def read(connection: Connection) -> tuple[int, datetime, Bucket]:
    """The bucket, its version and the database's time; a bucket is made where there is none."""
    row = await connection.fetchrow(READ)
    if row is None:
        await connection.execute("INSERT INTO budget DEFAULT VALUES ON CONFLICT DO NOTHING")
        return await read(connection)
    return row["version"], row["now"], Bucket(**{name: row[name] for name in NAMES})


async def change(connection: Connection, plan: Plan, decide: Change) -> Grant:
    """Decide on the bucket and write what was decided, unless another was faster: then decide again. Takes no lock."""
    for _ in range(TRIES):
        version, now, found = await read(connection)
        decided, granted = decide(found, now)
        if await connection.execute(WRITE, version, *astuple(decided)) == "UPDATE 1":
            show(decided, now, plan)
            return granted
    return Grant(0, 0.05)


async def look(connection: Connection, plan: Plan) -> None:
    """Let the gauges show the shared bucket as it is now."""
    _, now, found = await read(connection)
    show(found, now, plan)


def show(bucket: Bucket, now: datetime, plan: Plan) -> None:
    """Let the gauges show what all processes together have used and have left."""
    stands = buckets.settled(bucket, now, plan)
    metrics.budget.seen = metrics.BudgetUse(
        used=stands.used(now), limit=plan.limit, tokens=stands.tokens, pace=stands.pace,
        blocked=stands.blocked(now),
    )  # fmt: skip


@dataclass(slots=True)
class Slice:
    """What a process has leased for a priority and not yet spent."""

    left: int = 0
    expires: float = 0.0
    size: int = 0

    def take(self, now: float) -> bool:
        """Spend one, if there is one that has not expired."""
        if self.left and now > self.expires:
            self.left = self.size = 0
        if not self.left:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Budget:
    """This process's part of the shared budget."""

    acquire: Acquire
    plan: Plan = field(default_factory=Plan)
    slices: dict[Priority, Slice] = field(default_factory=lambda: defaultdict(Slice))
    turns: dict[Priority, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    allowance: Bucket = field(default_factory=Bucket)
    away_until: float = 0.0

    async def spend(self, priority: Priority) -> None:
        """Wait until a request of a priority may be sent; `WorkOSUnavailable` if somebody would wait too long."""
        try:
            async with asyncio.timeout(PATIENCE.get(priority)), self.turns[priority]:
                await self.leased(priority)
        except TimeoutError:
            raise WorkOSUnavailable(
                "the request budget is used up, or WorkOS asked everybody to slow down", retry_after=self.blocked()
            ) from None

    async def leased(self, priority: Priority) -> None:
        """Spend from the slice at hand, or from the next one, waited for."""
        held = self.slices[priority]
        while not held.take(time.monotonic()):
            granted = await self.lease(priority, min(SLICE[priority], max(1, held.size * 2)))
            if granted.count:
                held.left = held.size = granted.count
                held.expires = time.monotonic() + EXPIRY
            else:
                held.size = 0
                metrics.throttled.add(1, {"priority": priority.value})
                await asyncio.sleep(buckets.nap(granted.wait, random.random()))  # noqa: S311  jitter is no secret

    async def lease(self, priority: Priority, ask: int) -> Grant:
        """So many requests from the shared bucket or, while the database is away, from an allowance of our own."""
        lucky = random.random() < LUCK  # noqa: S311  a lottery of ours
        shared = await self.change(lambda found, now: buckets.grant(found, now, self.plan, priority, ask, lucky=lucky))
        if shared is not None:
            return shared
        self.allowance, granted = buckets.grant(self.allowance, self.now(), self.own, priority, 1)
        return granted

    @property
    def own(self) -> Plan:
        """What a process allows itself without the database."""
        return Plan(max(1, self.plan.limit // ALLOWANCE))

    @staticmethod
    def now() -> datetime:
        """A time by a clock that nobody sets, for the allowance."""
        return datetime.fromtimestamp(time.monotonic(), UTC)

    async def slow_down(self, retry_after: float | None) -> None:
        """WorkOS answered 429: everybody stands still, and goes on at half the pace."""
        for held in self.slices.values():
            held.left = held.size = 0
        self.allowance = buckets.slowed(self.allowance, self.now(), self.own, retry_after)
        await self.change(lambda found, now: (buckets.slowed(found, now, self.plan, retry_after), Grant(0)))

    async def change(self, decide: Change) -> Grant | None:
        """Change the shared bucket; None while the database is away."""
        if time.monotonic() < self.away_until:
            return None
        try:
            async with asyncio.timeout(TIMEOUT), self.acquire() as connection:
                return await change(connection, self.plan, decide)
        except (*Unreachable, asyncpg.PostgresError, Wait):
            self.away_until = time.monotonic() + AWAY
            return None

    async def give_back(self) -> None:
        """Return what was leased and not spent."""
        left = sum(held.left for held in self.slices.values() if time.monotonic() < held.expires)
        if left:
            await self.change(lambda found, now: (buckets.returned(found, now, self.plan, left), Grant(0)))

    @staticmethod
    def blocked() -> float:
        """Seconds it is worth waiting before a refused request is sent again."""
        seen = metrics.budget.seen
        return max(1.0, seen.blocked) if seen else 1.0


@asynccontextmanager
async def shared(acquire: Acquire, requests_per_minute: int) -> AsyncIterator[Budget]:
    """A part of the shared budget for the length of the block."""
    budget = Budget(acquire, Plan(requests_per_minute))
    try:
        yield budget
    finally:
        await budget.give_back()
