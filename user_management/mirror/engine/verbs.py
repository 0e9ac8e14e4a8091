"""Verbs: what an entry does to a row. Pure: each takes the row as it stands and answers the row as it should be.

A row is guarded by WorkOS's `updated_at`. In the events lane the newest wins and a tie goes to the later event;
in every other lane only a strictly newer object wins. Tombstones are final. Only the keys an entry carries are written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from user_management.errors import Fix
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.journal.timestamps import parse


class Unappliable(Fix):
    """The entry does not have the form its type promises."""


@dataclass(frozen=True, slots=True)
class Row:
    """One mirrored object: WorkOS's words in `body`, its times in UTC, and the entry that last changed it."""

    id: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    position: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merge:
    """How a resource's objects are merged: what is not kept, what only REST objects carry, what only ever rises."""

    embedded: frozenset[str] = frozenset()
    rest_only: frozenset[str] = frozenset()
    rising: frozenset[str] = frozenset()


Outcome: TypeAlias = tuple[Row | None, Verdict]
Decide: TypeAlias = Callable[[Row | None, Entry, dict[str, Any], Merge], Outcome]


@dataclass(frozen=True, slots=True)
class Verb:
    """What one type of entry does: `decide` for the row of its object, found by `target` in the entry's data."""

    name: str
    decide: Decide
    target: str = "id"


TOUCH = "touch"
"""The verb that only raises a timestamp, and so leaves nothing where there is no row."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """The end of a parent is the end of its children: every live row whose `by` names the deleted `parent`."""

    parent: str
    by: str
    target: str = "id"
    name: str = "cascade"


def instant(data: dict[str, Any], key: str) -> datetime:
    """The point in time an object carries under `key`; `Unappliable` without one."""
    found = parse(data.get(key))
    if found is None:
        raise Unappliable(f"{key} is not a timestamp: {data.get(key)!r:.80}")
    return found


def risen(old: Any, new: Any) -> Any:
    """The later of two timestamps, in WorkOS's words; what is not a timestamp counts as never."""
    before = parse(old)
    if before is None:
        return new
    after = parse(new)
    return new if after is not None and after >= before else old


def merged(body: dict[str, Any], data: dict[str, Any], merge: Merge) -> dict[str, Any]:
    """The body with the keys the data carries written over it."""
    if not body and merge.embedded.isdisjoint(data):
        return data
    changes = {
        key: risen(body.get(key), value) if key in merge.rising else value
        for key, value in data.items()
        if key not in merge.embedded
    }
    return {**body, **changes}


def filled(body: dict[str, Any], data: dict[str, Any], merge: Merge, *, tie: bool) -> dict[str, Any]:
    """The body with only what events could not have told: rising keys, and on a tie what only REST objects carry."""
    free = merge.rising | (merge.rest_only | (data.keys() - body.keys()) if tie else frozenset())
    return merged(body, {key: value for key, value in data.items() if key in free}, merge)


def written(row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge, updated_at: datetime) -> Row:
    """The row with an entry's object written over it, kept alive."""
    body = merged(row.body if row else {}, data, merge)
    created_at = parse(data.get("created_at")) or (row.created_at if row else instant(data, "created_at"))
    return Row(data["id"], created_at, updated_at, None, entry.position, body)


def newer(entry: Entry, updated_at: datetime, row: Row) -> bool:
    """Whether an entry's object is to win over what is known; only the ordered lane may settle a tie."""
    if updated_at == row.updated_at:
        return entry.lane is Lane.EVENTS and entry.position > row.position
    return updated_at > row.updated_at


def decide_upsert(row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Write the object unless what is known is newer, or gone."""
    updated_at = instant(data, "updated_at")
    if row is None:
        return written(row, entry, data, merge, updated_at), Verdict.APPLIED
    if row.deleted_at is not None:
        return row, Verdict.FINAL
    if not newer(entry, updated_at, row):
        return row, Verdict.STALE
    return written(row, entry, data, merge, updated_at), Verdict.APPLIED


def decide_fill(row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Write the object if it is strictly newer than what is known; otherwise only what events never tell."""
    updated_at = instant(data, "updated_at")
    if row is None or (row.deleted_at is None and updated_at > row.updated_at):
        return written(row, entry, data, merge, updated_at), Verdict.APPLIED
    if row.deleted_at is not None:
        return row, Verdict.FINAL
    body = filled(row.body, data, merge, tie=updated_at == row.updated_at)
    if body == row.body:
        return row, Verdict.UNCHANGED if updated_at == row.updated_at else Verdict.STALE
    return replace(row, body=body), Verdict.APPLIED


def decide_correct(row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Write the object unless what is known is newer, or gone; who records it sees that nothing came between."""
    updated_at = instant(data, "updated_at")
    if row is not None and row.deleted_at is not None:
        return row, Verdict.FINAL
    if row is not None and updated_at < row.updated_at:
        return row, Verdict.STALE
    return written(row, entry, data, merge, updated_at), Verdict.APPLIED


def decide_tombstone(row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Mark the object deleted for good, even one never seen; its last words are kept if they are not older."""
    if row is not None and row.deleted_at is not None:
        return row, Verdict.FINAL
    updated_at = parse(data.get("updated_at")) or (row.updated_at if row else entry.occurred_at)
    if row is not None and (updated_at < row.updated_at or entry.lane is not Lane.EVENTS):
        return replace(row, deleted_at=entry.occurred_at, position=entry.position), Verdict.APPLIED
    body = merged(row.body if row else {}, data, merge)
    created_at = parse(data.get("created_at")) or (row.created_at if row else entry.occurred_at)
    return Row(data["id"], created_at, updated_at, entry.occurred_at, entry.position, body), Verdict.APPLIED


upsert = Verb("upsert", decide_upsert)
fill = Verb("fill", decide_fill)
correct = Verb("correct", decide_correct)
tombstone = Verb("tombstone", decide_tombstone)


def touch(key: str, *, of: str, at: str) -> Verb:
    """Raise the timestamp `key` of the object that `of` names to the time under `at` in the entry's data."""

    def decide_touch(row: Row | None, _entry: Entry, data: dict[str, Any], _merge: Merge) -> Outcome:
        instant(data, at)
        if row is None or row.deleted_at is not None:
            return row, Verdict.UNKNOWN if row is None else Verdict.FINAL
        latest = risen(row.body.get(key), data[at])
        if latest == row.body.get(key):
            return row, Verdict.STALE
        return replace(row, body={**row.body, key: latest}), Verdict.APPLIED

    return Verb(TOUCH, decide_touch, target=of)
