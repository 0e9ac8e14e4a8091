"""Doubt: whether WorkOS still knows our place in its feed.

It need not refuse a lost one: it may answer nothing, or from the start of its feed; nothing documents which. What
proves a loss is an event that is there when the feed is asked from a time on, and to which our place does not lead.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import structlog

from user_management.db.session import Pool
from user_management.errors import UserManagementError
from user_management.journal import cursor as cursors
from user_management.journal import entries, feed
from user_management.journal.cursor import Cursor
from user_management.services.workos import events
from user_management.services.workos.client import WorkOS

log = structlog.get_logger(__name__)

HOLD_BACK = timedelta(minutes=10)
"""Longer than WorkOS holds an event back before the feed shows it, and than clocks differ."""
RETENTION = timedelta(days=30)
"""How long WorkOS keeps events; its documentation says 30 days in one place, 90 in another."""
AGEING = RETENTION / 2
EXPIRED = timedelta(days=25)
"""After so long without the end of the feed a place in it is not trusted: some of what is behind it may be gone."""
HOUR = 3600.0
OLDEST = datetime.min.replace(tzinfo=UTC)


class CursorLost(UserManagementError):
    """Our place in the feed is not to be trusted any more: the copy begins again."""

    def __init__(self, reason: str, cursor: Cursor) -> None:
        super().__init__(reason)
        self.cursor = cursor


class Trust(StrEnum):
    """What a place in the feed is worth."""

    GOOD = "good"
    AGEING = "ageing"
    EXPIRED = "expired"


def trust(cursor: Cursor) -> Trust:
    """What a place is worth by when the end of the feed was last reached from it.

    An old event says nothing, for in a quiet tenant it is the last; a young one does: what is behind it is as young.
    """
    if cursor.now is None:
        return Trust.GOOD
    reached = cursor.drained_at or cursor.boundary
    if reached is None:
        return Trust.GOOD
    if cursor.event_at is not None and cursor.event_at <= cursor.now:
        reached = max(reached, cursor.event_at)
    if cursor.event_id is None and cursor.boundary is not None and cursor.boundary > cursor.now:
        return Trust.EXPIRED  # the clock was set back since: what happened before the boundary would be missed
    behind = cursor.now - reached
    return Trust.EXPIRED if behind > EXPIRED else Trust.AGEING if behind > AGEING else Trust.GOOD


@dataclass(slots=True)
class Doubt:
    """When the feed last gave us something new or our place was last proven, and when we last warned of its age."""

    since: float = field(default_factory=time.monotonic)
    warned: float = float("-inf")

    def settle(self) -> None:
        """Something new came, or our place is proven."""
        self.since = time.monotonic()

    def due(self, seconds: float) -> bool:
        """Whether nothing new came for so long that our place is to be proven."""
        return time.monotonic() - self.since >= seconds

    def warn(self, cursor: Cursor) -> None:
        """Warn of events that are about to be lost, at most once an hour."""
        if time.monotonic() - self.warned >= HOUR:
            self.warned = time.monotonic()
            log.warning("cursor.ageing", event_id=cursor.event_id, drained_at=cursor.drained_at)


async def examine(pool: Pool, workos: WorkOS, types: Sequence[str]) -> None:
    """Prove our place; `CursorLost` if the feed has old events that it does not lead to."""
    async with pool.acquire() as connection:
        cursor = await cursors.read(connection)
    missed = await unheard(pool, workos, types, cursor)
    if not missed:
        return
    page = await events.page(workos, types=types, after=cursor.event_id, since=None)
    led_to = await strangers(pool, cursor, page, old=False)
    async with pool.acquire() as connection:
        still = (await cursors.read(connection)).event_id == cursor.event_id
        known = await entries.known(connection, sorted(missed))
    if still and not led_to and missed - known:
        raise CursorLost(f"WorkOS has {len(missed - known)} events or more that it does not show behind it", cursor)


async def unheard(pool: Pool, workos: WorkOS, types: Sequence[str], cursor: Cursor) -> set[str]:
    """Old events that the journal does not hold, from shortly before the event our place is behind.

    It does not look back beyond the boundary, nor beyond when a backfill was last asked for: what happened before was
    listed, and is not in the journal if its type was not followed then.
    """
    if cursor.event_id is None or cursor.event_at is None or cursor.now is None:
        return set()
    async with pool.acquire() as connection:
        journal = await feed.state(connection, None)
    changed = journal["changed_at"] if journal else None
    oldest = cursor.now - RETENTION + timedelta(days=1)
    since = max(cursor.event_at - HOLD_BACK, oldest, cursor.boundary or OLDEST, changed or OLDEST)
    after: str | None = None
    while True:
        page = await events.page(workos, types=types, after=after, since=since)
        found = await strangers(pool, cursor, page, old=True)
        last = next((one["id"] for one in reversed(page.events) if isinstance(one, dict) and "id" in one), None)
        if found or page.end or last in {None, after}:
            return found
        after = last


async def strangers(pool: Pool, cursor: Cursor, page: events.Page, *, old: bool) -> set[str]:
    """The events of a page that the journal does not hold; only those that were to be seen long since, if `old`."""
    assert cursor.now is not None  # noqa: S101  narrows: a cursor that was read has it
    told = [entries.of_event(event, received_at=cursor.now) for event in page.events]
    seen = [one for one in told if one.identified and (not old or one.occurred_at < cursor.now - HOLD_BACK)]
    names = {one.event_id for one in seen if one.event_id is not None}
    async with pool.acquire() as connection:
        return names - await entries.known(connection, sorted(names))
