"""Steps that are counted, and times that the database fills in."""

import re
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from user_management.db.session import Pool

T = TypeVar("T")


class Stepping(Protocol):
    """What counts its steps."""

    def step(self) -> None:
        """Count one."""


class Stepped(Coroutine[Any, Any, T]):
    """A coroutine whose every step is counted against its process."""

    def __init__(self, inner: Coroutine[Any, Any, T], process: Stepping) -> None:
        self.inner, self.process = inner, process

    def send(self, value: Any) -> Any:
        """Go on to the next await."""
        self.process.step()
        return self.inner.send(value)

    def throw(self, *args: Any) -> Any:
        """Go on with an error."""
        return self.inner.throw(*args)

    def close(self) -> None:
        """End it."""
        self.inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __await__(self) -> Any:
        return self.inner.__await__()


DEFAULTS = re.compile(
    r"\s*(INSERT INTO|COPY) (journal|writes|backfills|verifications|verified|findings|failures|erasures)\b"
)
"""Statements that may leave a time to a column's default."""
ENDS = re.compile(r"\s*(COMMIT|ROLLBACK)\b(?!\s+TO)", re.IGNORECASE)
LOCKS = "FROM checkpoints ORDER BY name FOR UPDATE"
"""What every writer waits for, one after the other."""
CLOCK = re.compile(r"\b(clock_timestamp|now)\(\)")
DISTINCT = 2000
"""Statements at most that differ: each is prepared once for a connection."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a statement is like, as far as it concerns a simulation."""

    query: str
    clock: bool
    defaults: bool
    locks: bool
    ends: bool

    def at(self, moment: datetime) -> str:
        """The statement with the database's clock standing at a moment."""
        return CLOCK.sub(f"'{moment.isoformat()}'::timestamptz", self.query) if self.clock else self.query

    def after(self, arguments: int) -> tuple[str, bool]:
        """The statement with the clock as one argument more, if it looks at the clock; and whether it does."""
        return (timed(self.query, arguments + 1), True) if self.clock else (self.query, False)


@lru_cache(DISTINCT)
def traits(query: str) -> Traits:
    """What a statement is like."""
    clock, defaults, ends = (pattern is not None for pattern in (
        CLOCK.search(query), DEFAULTS.match(query), ENDS.match(query)))  # fmt: skip
    return Traits(query, clock, defaults, LOCKS in query, ends)


@lru_cache(DISTINCT)
def timed(query: str, number: int) -> str:
    """The statement with the clock as an argument: the same text at any time, so that it is prepared once."""
    return CLOCK.sub(f"${number}::timestamptz", query)


async def virtual_defaults(pool: Pool) -> None:
    """Let columns that are given the time by default be given virtual time."""
    found = await pool.fetch(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_default ~ 'now\\(\\)|clock_timestamp|CURRENT_TIMESTAMP'"
    )
    body = "SELECT 'epoch'::timestamptz + last_value * interval '1 microsecond' FROM virtual_clock"
    await pool.execute("CREATE SEQUENCE IF NOT EXISTS virtual_clock")
    await pool.execute(f"CREATE OR REPLACE FUNCTION virtual_time() RETURNS timestamptz LANGUAGE sql AS $${body}$$")
    for row in found:
        await pool.execute(f"ALTER TABLE {row['table_name']} ALTER {row['column_name']} SET DEFAULT virtual_time()")
