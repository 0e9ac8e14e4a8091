"""Why an object is as it is: what the journal holds about it, and what the guards decided; from the copy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.errors import NotFound
from user_management.journal import erasures, history, verifications
from user_management.journal.entries import Verdict
from user_management.journal.history import LAST, Said, Trouble
from user_management.journal.verifications import Key
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Cascade

WORDS = {
    Verdict.APPLIED: "applied",
    Verdict.STALE: "stale: something newer was known",
    Verdict.FINAL: "final: it had been deleted, and that is for good",
    Verdict.UNCHANGED: "unchanged: it told nothing new",
    Verdict.UNKNOWN: "kept, but nothing here follows it",
    Verdict.PARKED: "parked: it could not be applied",
    Verdict.PENDING: "provisional: the feed has not brought it yet",
    Verdict.UNCONFIRMED: "given up: the feed did not bring it, and the object was read again",
}
"""What the guards decided, in words."""


class NeverSeen(NotFound):
    """Nothing was ever told of the object."""


class Erased(NeverSeen):
    """The object was erased here on purpose, and nothing is kept of it."""


class State(StrEnum):
    """What the copy has of an object: it lives, it was deleted, or it was told of and never made a row."""

    LIVE = "live"
    DELETED = "deleted"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Standing:
    """The row as it stands."""

    position: int
    deleted_at: datetime | None
    body: Any


@dataclass(frozen=True, slots=True)
class End:
    """The parent that an object ended with: which resource, which object, when, and the entry that told of it."""

    resource: str
    id: str
    deleted_at: datetime
    position: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known of how an object came to be as it is; `more` when there are older entries."""

    resource: str
    id: str
    state: State
    position: int | None
    deleted_at: datetime | None
    ended_by: End | None
    last_event: Said | None
    verified_at: datetime | None
    parked: Sequence[Trouble]
    entries: Sequence[Said]
    more: bool


async def explain(
    connection: Connection, resource: Resource, object_id: str, *, limit: int, after: int = LAST, bodies: bool = False
) -> Explanation:
    """The explanation, with up to `limit` entries older than `after`; `NeverSeen` when there is nothing to tell.

    The caller's transaction makes it of one moment.
    """
    types, kind = sorted(resource.verbs), resource.object
    found = await standing(connection, resource, object_id)
    last = await history.about(connection, object_id, types, kind, before=after, count=limit + 1, bodies=bodies)
    if found is None and not last and (after == LAST or not await seen(connection, resource, object_id)):
        if await erasures.erased(connection, [object_id]):
            raise Erased(f"The {kind} {object_id} was erased here, for good.")
        raise NeverSeen(f"WorkOS never told us of a {kind} {object_id}.")
    return Explanation(
        resource=resource.name,
        id=object_id,
        state=state(found),
        position=found.position if found else None,
        deleted_at=found.deleted_at if found else None,
        ended_by=await ended_by(connection, resource, object_id, found) if found else None,
        last_event=await history.last_event(connection, object_id, types, kind),
        verified_at=await verified_at(connection, resource, object_id),
        parked=await history.troubles(connection, object_id, resource.name),
        entries=last[:limit],
        more=len(last) > limit,
    )


def state(found: Standing | None) -> State:
    """What the copy has of an object."""
    return State.ABSENT if found is None else State.LIVE if found.deleted_at is None else State.DELETED


async def standing(connection: Connection, resource: Resource, object_id: str) -> Standing | None:
    """The row of an object, a tombstone too."""
    row = await connection.fetchrow(f"SELECT position, deleted_at, body FROM {resource.name} WHERE id = $1", object_id)
    return Standing(row["position"], row["deleted_at"], jsontext.loads(row["body"])) if row else None


async def seen(connection: Connection, resource: Resource, object_id: str) -> bool:
    """Whether the journal holds anything about an object."""
    types, kind = sorted(resource.verbs), resource.object
    return bool(await history.about(connection, object_id, types, kind, before=LAST, count=1, bodies=False))


async def ended_by(connection: Connection, resource: Resource, object_id: str, found: Standing) -> End | None:
    """The parent whose end was this object's end; None while it lives, and for one that ended by itself."""
    if found.deleted_at is None:
        return None
    last = await history.at(connection, found.position)
    if last is not None and last.object_id == object_id and last.type == resource.deleted:
        return None
    ends = [await end(connection, resource, cascade, found) for cascade in resource.cascades if not cascade.through]
    return next((one for one in ends if one is not None), None)


async def end(connection: Connection, resource: Resource, cascade: Cascade, found: Standing) -> End | None:
    """The end of the parent that a row names, if the row has ended with it."""
    parent = resource.value(cascade.by, found.body) if isinstance(found.body, dict) else None
    if not isinstance(parent, str):
        return None
    row = await connection.fetchrow(
        f"SELECT deleted_at, position FROM {cascade.parent} WHERE id = $1 AND deleted_at = $2", parent, found.deleted_at
    )
    return End(cascade.parent, parent, row["deleted_at"].astimezone(UTC), row["position"]) if row else None


async def verified_at(connection: Connection, resource: Resource, object_id: str) -> datetime | None:
    """When the object was last held against WorkOS; None while it never was."""
    partition = resource.listing.column if resource.listing.per else "''"
    row = await connection.fetchrow(
        f"SELECT created_at, {partition} AS partition FROM {resource.name} WHERE id = $1", object_id
    )
    heard = await history.first_heard(connection, object_id, sorted(resource.verbs), resource.object)
    if row is None or heard is None:
        return None
    return await verifications.verified_at(
        connection, resource.name, row["partition"] or "", Key(row["created_at"], object_id), since=heard
    )
