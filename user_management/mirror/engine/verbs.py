"""Verbs: what an entry does to a row. Pure: each takes the row as it stands and answers the row as it should be.

A row is guarded by WorkOS's `updated_at`. In the events lane the newest wins and a tie goes to the later event;
in every other lane only a strictly newer object wins. Tombstones are final. Only the keys an entry carries are written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from user_management.errors import Fix
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.journal.timestamps import parse, render


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
    reusable: bool = False
    """Whether what ended may come again under the same id, because the id is a name and not WorkOS's own."""
    follows: Mapping[str, str] = field(default_factory=dict)
    """The keys that say nothing any more once another key is told without them."""


Outcome: TypeAlias = tuple[Row | None, Verdict]
Decide: TypeAlias = Callable[[str, Row | None, Entry, dict[str, Any], Merge], Outcome]
Read: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Verb:
    """What one type of entry does: `decide` for the row of its object.

    The object is the entry's data, or what `read` finds in it. Its row is named by the resource's key, or by `target`.
    """

    name: str
    decide: Decide
    target: str = ""
    read: Read | None = None

    def of(self, read: Read) -> "Verb":
        """The same, for an object that stands elsewhere in the entry's data."""
        return replace(self, read=read)


TOUCH = "touch"
"""The verb that only raises a timestamp, and so leaves nothing where there is no row."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """The end of a parent is the end of its children: every live row whose `by` names the deleted `parent`.

    With `through`, a table and its column, the event ends a grandparent: `by` names a row of that table, and its
    column the one that ended.
    """

    parent: str
    by: str
    target: str = "id"
    through: tuple[str, str] | None = None
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


def merged(body: dict[str, Any], data: dict[str, Any], merge: Merge, *, tie: bool = False) -> dict[str, Any]:
    """The body with the keys the data carries written over it; what follows one of them and is not told, is gone.

    What only REST objects carry stays on a tie, for then it was told of the same object.
    """
    if not body and merge.embedded.isdisjoint(data):
        return data
    changes = {
        key: risen(body.get(key), value) if key in merge.rising else value
        for key, value in data.items()
        if key not in merge.embedded
    }
    outdated = unsaid(data, merge) - (merge.rest_only if tie else frozenset())
    kept = {key: value for key, value in body.items() if key not in outdated} if outdated else body
    return {**kept, **changes}


def unsaid(data: Mapping[str, Any], merge: Merge) -> set[str]:
    """The keys of which an object says, by leaving them out, that there is nothing of them."""
    return {key for key, other in merge.follows.items() if other in data and key not in data}


def filled(body: dict[str, Any], data: dict[str, Any], merge: Merge, *, tie: bool) -> dict[str, Any]:
    """The body with only what events could not have told: rising keys, and on a tie what only REST objects carry."""
    free = merge.rising | (merge.rest_only | (data.keys() - body.keys()) if tie else frozenset())
    return merged(body, {key: value for key, value in data.items() if key in free}, merge)


def written(  # noqa: PLR0917  what a verb is given, and the object's time
    key: str, row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge, updated_at: datetime
) -> Row:
    """The row with an entry's object written over it, kept alive."""
    tie = row is not None and updated_at == row.updated_at
    body = merged(row.body if row else {}, data, merge, tie=tie)
    created_at = parse(data.get("created_at")) or (row.created_at if row else instant(data, "created_at"))
    return Row(key, created_at, updated_at, None, entry.position, body)


def final(row: Row, entry: Entry, born: datetime | None, merge: Merge) -> bool:
    """Whether a tombstone stands against an object; not where its id is given anew, to one born after the end."""
    if row.deleted_at is None:
        return False
    if not merge.reusable or born is None:
        return True
    return born < row.deleted_at or (born == row.deleted_at and entry.lane is not Lane.EVENTS)


def newer(entry: Entry, updated_at: datetime, row: Row) -> bool:
    """Whether an entry's object is to win over what is known; only the ordered lane may settle a tie."""
    if updated_at == row.updated_at:
        return entry.lane is Lane.EVENTS and entry.position > row.position
    return updated_at > row.updated_at


def standing(row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> tuple[Row | None, bool]:
    """The row an object is written over, none for one whose id is given anew; and whether a tombstone forbids it."""
    if row is None or row.deleted_at is None:
        return row, False
    forbidden = final(row, entry, parse(data.get("created_at")), merge)
    return (row if forbidden else None), forbidden


def decide_upsert(key: str, row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Write the object unless what is known is newer, or gone."""
    updated_at = instant(data, "updated_at")
    old, forbidden = standing(row, entry, data, merge)
    if forbidden:
        return row, Verdict.FINAL
    if old is not None and not newer(entry, updated_at, old):
        return row, Verdict.STALE
    return written(key, old, entry, data, merge, updated_at), Verdict.APPLIED


def decide_fill(key: str, row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Write the object if it is strictly newer than what is known; otherwise only what events never tell."""
    updated_at = instant(data, "updated_at")
    old, forbidden = standing(row, entry, data, merge)
    if forbidden:
        return row, Verdict.FINAL
    if row is None or old is None or updated_at > row.updated_at:
        return written(key, old, entry, data, merge, updated_at), Verdict.APPLIED
    body = filled(row.body, data, merge, tie=updated_at == row.updated_at)
    if body == row.body:
        return row, Verdict.UNCHANGED if updated_at == row.updated_at else Verdict.STALE
    return replace(row, body=body), Verdict.APPLIED


def decide_correct(key: str, row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Write the object unless what is known is newer, or gone; who records it sees that nothing came between."""
    updated_at = instant(data, "updated_at")
    old, forbidden = standing(row, entry, data, merge)
    if forbidden:
        return row, Verdict.FINAL
    if old is not None and updated_at < old.updated_at:
        return row, Verdict.STALE
    return written(key, old, entry, data, merge, updated_at), Verdict.APPLIED


def decide_tombstone(key: str, row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Mark the object deleted for good, even one never seen; its last words are kept if they are not older."""
    if row is not None and row.deleted_at is not None:
        return dated(row, entry) if merge.reusable else (row, Verdict.FINAL)
    if row is not None and merge.reusable and of_another(row, entry):
        return row, Verdict.STALE
    updated_at = parse(data.get("updated_at")) or (row.updated_at if row else entry.occurred_at)
    if row is not None and (updated_at < row.updated_at or entry.lane is not Lane.EVENTS):
        return replace(row, deleted_at=entry.occurred_at, position=entry.position), Verdict.APPLIED
    body = merged(row.body if row else {}, data, merge)
    created_at = parse(data.get("created_at")) or (row.created_at if row else entry.occurred_at)
    return Row(key, created_at, updated_at, entry.occurred_at, entry.position, body), Verdict.APPLIED


def of_another(row: Row, entry: Entry) -> bool:
    """Whether an end is that of one which bore the name before; what was replied to us is the end of this one."""
    return entry.lane is not Lane.REPLY and entry.occurred_at < row.created_at


def dated(row: Row, entry: Entry) -> Outcome:
    """The tombstone of a name, dated by WorkOS's clock: a reply was dated by ours, which may be ahead.

    Whoever bears the name next is born after the end that the feed tells of.
    """
    if row.deleted_at is None or entry.lane is not Lane.EVENTS:
        return row, Verdict.FINAL
    if not row.created_at <= entry.occurred_at < row.deleted_at:
        return row, Verdict.FINAL
    return replace(row, deleted_at=entry.occurred_at, position=entry.position), Verdict.APPLIED


SKEW = timedelta(minutes=5)
"""How far our clock may be ahead of WorkOS's. A list of pairs says only that they stood when we asked for it."""


def decide_link(key: str, row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """Write a pair that has neither id nor timestamps, unless it stands; what ended may begin again, later."""
    at = entry.occurred_at if entry.lane is Lane.EVENTS else entry.occurred_at - SKEW
    heard = at if entry.lane is Lane.LIST else entry.occurred_at
    if row is not None and row.deleted_at is None:
        return row, Verdict.UNCHANGED
    if row is not None and final(row, entry, heard, merge):
        return row, Verdict.FINAL
    at = max(at, row.deleted_at) if row is not None and row.deleted_at is not None else at
    since = render(at)
    body = merged({}, data, merge) | {"created_at": since, "updated_at": since}
    return Row(key, at, at, None, entry.position, body), Verdict.APPLIED


def decide_unlink(key: str, row: Row | None, entry: Entry, data: dict[str, Any], merge: Merge) -> Outcome:
    """End a pair, even one never seen; not one that was made since."""
    if row is not None and row.deleted_at is not None:
        return dated(row, entry)
    if row is not None and of_another(row, entry):
        return row, Verdict.STALE
    at = entry.occurred_at
    made = row or Row(key, at, at, None, entry.position, merged({}, data, merge))
    return replace(made, deleted_at=at, position=entry.position), Verdict.APPLIED


upsert = Verb("upsert", decide_upsert)
fill = Verb("fill", decide_fill)
correct = Verb("correct", decide_correct)
tombstone = Verb("tombstone", decide_tombstone)
link = Verb("link", decide_link)
unlink = Verb("unlink", decide_unlink)


def under(name: str) -> Read:
    """The object that stands under `name` in an entry's data."""

    def read(data: dict[str, Any]) -> dict[str, Any]:
        found = data.get(name)
        if not isinstance(found, dict):
            raise Unappliable(f"data has no {name}: {found!r:.80}")
        return found

    return read


def without(*names: str) -> Read:
    """The object in an entry's data but for some keys, such as what an event says about itself."""
    return lambda data: {key: value for key, value in data.items() if key not in names}


def touch(key: str, *, of: str, at: str) -> Verb:
    """Raise the timestamp `key` of the object that `of` names to the time under `at` in the entry's data."""

    def decide_touch(_key: str, row: Row | None, _entry: Entry, data: dict[str, Any], _merge: Merge) -> Outcome:
        instant(data, at)
        if row is None or row.deleted_at is not None:
            return row, Verdict.UNKNOWN if row is None else Verdict.FINAL
        latest = risen(row.body.get(key), data[at])
        if latest == row.body.get(key):
            return row, Verdict.STALE
        return replace(row, body={**row.body, key: latest}), Verdict.APPLIED

    return Verb(TOUCH, decide_touch, target=of)
