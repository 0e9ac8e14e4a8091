"""`GET /events`, answered from the journal: WorkOS's envelopes as they came, without its limit of 30 days."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from asyncpg import Record
from fastapi import Request, Response
from starlette.datastructures import QueryParams

from user_management.db import jsontext
from user_management.journal import feed
from user_management.journal.feed import Wanted
from user_management.journal.redaction import REDACTED
from user_management.journal.timestamps import parse
from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource
from user_management.web import freshness
from user_management.web.api.reads import lookable
from user_management.web.dependencies import backend
from user_management.web.workos import asked, callers, copied

PATH = "/events"
RETENTION = timedelta(days=30)
"""How long WorkOS keeps events, at least."""
LONGEST = timedelta(days=90)
"""How long it may keep them: its reference says 30 days, its guide 90."""
OF_ORGANIZATIONS = ("organization.", "organization_membership.", "organization_role.", "session.", "invitation.")
"""The types whose events name their organization, as far as we know; `user.*` belong to none."""
UNREADABLE = '{"unstorable"'
"""What the body of an event begins with that PostgreSQL refused."""
ONCE = frozenset({"limit", "after", "range_start", "range_end", "organization_id"})
REPEATED = frozenset({"events"})
IGNORED = frozenset({"order"})
"""What the endpoint takes no notice of."""


async def answer(request: Request) -> Response | None:
    """A page of the feed; None if the journal cannot tell what WorkOS would."""
    wanted = read(request.query_params)
    if wanted is None:
        return None
    try:
        return await from_journal(request, wanted)
    except copied.Away:
        return None


async def from_journal(request: Request, wanted: Wanted) -> Response | None:
    """A page of the journal, if it reaches back to where the page begins."""
    server = backend(request)
    if wanted.organization_id is not None and not await copied.lives(request, organizations(), wanted.organization_id):
        return None
    async with server.connections.one() as connection:
        state = await feed.state(connection, wanted.after)
        if state is None or not callers.young(freshness.judged(state, server.stale_after), server):
            return None
        begin = beginning(wanted, state)
        if begin is None:
            return None
        rows = await feed.page(connection, wanted, place=begin)
    if any(unspeakable(row, state["now"]) for row in rows):
        return None
    return copied.of_copy(rendered(rows, wanted.limit), freshness.of_row(state, server.stale_after))


def organizations() -> Resource:
    """The resource that events may be narrowed by; of one that is not there, WorkOS does not merely tell nothing."""
    found = catalog.by_name("organizations")
    if found is None:
        raise AssertionError("organizations are mirrored")
    return found


def beginning(wanted: Wanted, state: Record) -> int | None:
    """The position behind which the page begins; None if WorkOS may have what the journal does not.

    The journal holds everything from its boundary on. What lies before, WorkOS may still tell, unless it is too old: a
    place that was given up leaves a hole up to the new boundary, also in what was always followed.
    """
    if not set(wanted.types) <= set(state["event_types"]):
        return None
    begun, forgotten = since(wanted, state), state["now"] - LONGEST
    if begun is None:
        return None
    if wanted.after is not None:
        place: int | None = state["place"]
        return place if place is None or begun <= max(state["place_at"], forgotten) else None
    reaches = wanted.range_start is not None and wanted.range_start >= begun
    return 0 if reaches or begun <= forgotten else None


def since(wanted: Wanted, state: Record) -> datetime | None:
    """From when on the journal holds all events of these types; those of what is essential are never begun later."""
    boundary: datetime | None = state["boundary"]
    always = {name for one in catalog.resources() if one.listing.essential for name in one.events}
    late = state["changed_at"] is not None and not always.issuperset(wanted.types)
    return max(boundary, state["changed_at"]) if late and boundary is not None else boundary


def unspeakable(row: Record, now: datetime) -> bool:
    """Whether an event is not here as it was: unreadable or, while WorkOS still has it, without its secrets."""
    body: str = row["body"]
    return body.startswith(UNREADABLE) or (REDACTED in body and row["occurred_at"] > now - RETENTION)


def rendered(rows: Sequence[Record], limit: int) -> bytes:
    """The list as WorkOS words it: it names the next page's place, and null at the end."""
    shown = rows[:limit]
    after = shown[-1]["event_id"] if len(rows) > limit else None
    ends = jsontext.dumps({"after": after})
    return f'{{"object":"list","data":[{",".join(row["body"] for row in shown)}],"list_metadata":{ends}}}'.encode()


def read(query: QueryParams) -> Wanted | None:
    """Which events a request asks for; None if we do not know for certain what WorkOS would make of it."""
    given = asked.values(query, REPEATED)
    types = tuple(dict.fromkeys(name for words in given.pop("events", []) for name in words.split(",")))
    limit = asked.number(given.get("limit", []))
    if not types or "" in types or limit is None or given.keys() - ONCE - IGNORED or not single(given):
        return None
    times = {name: instant(given[name][0]) for name in ("range_start", "range_end") if name in given}
    if None in times.values() or ("after" in given and "range_start" in given):
        return None
    organization_id = given["organization_id"][0] if "organization_id" in given else None
    if organization_id is not None and not all(name.startswith(OF_ORGANIZATIONS) for name in types):
        return None
    after = given["after"][0] if "after" in given else None
    return Wanted(types, limit, after, times.get("range_start"), times.get("range_end"), organization_id)


def single(given: Mapping[str, Any]) -> bool:
    """Whether what may be said once is said once, in words that can be looked up."""
    return all(len(given[name]) == 1 and lookable(given[name][0]) for name in ONCE & given.keys())


def instant(words: str) -> datetime | None:
    """A time in the one form that WorkOS is known to take."""
    return parse(words) if words.endswith("Z") and "T" in words else None
