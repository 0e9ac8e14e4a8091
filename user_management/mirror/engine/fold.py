"""The fold: entries in order, over the rows they concern, to the rows as they should be.

It is pure, and the whole truth: applying a page, a single entry, a retry and a rebuild all go through here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeGuard

from user_management.journal.entries import Entry, Verdict, named
from user_management.journal.failures import Failure
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Cascade, Row, Unappliable, Verb


@dataclass(frozen=True, slots=True)
class Grave:
    """The end of a parent: when, and by which entry."""

    deleted_at: datetime
    position: int


Graves = dict[tuple[str, str], Grave]
"""The deleted parents, by (column that names them, id)."""


@dataclass(slots=True)
class Folded:
    """What a fold decided: rows to write, new or changed, their columns, the parents that ended, and verdicts."""

    rows: dict[str, Row]
    changed: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)
    columns: dict[str, list[str | None]] = field(default_factory=dict)
    ended: Graves = field(default_factory=dict)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def usable(value: object) -> TypeGuard[str]:
    """Whether a value can be an id: printable text that an index can hold."""
    return named(value) is not None


def target(key: str, entry: Entry) -> str:
    """The id an entry's data holds under `key`; `Unappliable` when there is none."""
    found = entry.data.get(key) if isinstance(entry.data, dict) else None
    if not usable(found):
        raise Unappliable(f"data has no usable {key}: {found!r:.80}")
    return found


def written_to(resource: Resource, entries: Iterable[Entry]) -> list[tuple[str, dict[str, Any]]]:
    """The key that names the row, and the data, of every entry that writes to a row of the resource."""
    verbs = ((resource.verbs.get(entry.type), entry.data) for entry in entries)
    return [(verb.target, data) for verb, data in verbs if isinstance(verb, Verb) and isinstance(data, dict)]


def ids(resource: Resource, entries: Iterable[Entry]) -> list[str]:
    """The ids of the rows that must be known before folding."""
    found = (data.get(key) for key, data in written_to(resource, entries))
    return list({value for value in found if usable(value)})


def parents(cascade: Cascade, resource: Resource, entries: Iterable[Entry]) -> list[str]:
    """The ids of the parents that may have ended before these entries."""
    found = (data.get(cascade.by) for _, data in written_to(resource, entries))
    return list({value for value in found if usable(value)})


def buried(resource: Resource, row: Row, graves: Graves) -> Row:
    """The row, ended if one of its parents had ended before it was written."""
    for cascade in resource.cascades:
        grave = graves.get((cascade.by, str(row.body.get(cascade.by))))
        if grave is not None and row.deleted_at is None and grave.position < row.position:
            return replace(row, deleted_at=grave.deleted_at)
    return row


def end_children(cascade: Cascade, entry: Entry, folded: Folded, graves: Graves) -> None:
    """End every child of a parent among the rows at hand, and note the parent for the rows that are not."""
    parent = target(cascade.target, entry)
    folded.ended[cascade.by, parent] = graves.setdefault((cascade.by, parent), Grave(entry.occurred_at, entry.position))
    for row in list(folded.rows.values()):
        if row.body.get(cascade.by) == parent and row.deleted_at is None:
            folded.rows[row.id] = replace(row, deleted_at=entry.occurred_at, position=entry.position)
            folded.changed.add(row.id)


def write(resource: Resource, verb: Verb, entry: Entry, folded: Folded, graves: Graves) -> Verdict:
    """Let a verb decide about the row an entry is about; `Unappliable` leaves the row as it was."""
    key = target(verb.target, entry)
    old = folded.rows.get(key)
    new, verdict = verb.decide(old, entry, entry.data, resource.merge)
    if new is not None and new is not old:
        new = buried(resource, new, graves)
        folded.columns[key] = resource.column_values(new.body, live=new.deleted_at is None)
        if old is None:
            folded.new.add(key)
        folded.rows[key] = new
        folded.changed.add(key)
    return verdict


def apply(resource: Resource, entry: Entry, folded: Folded, graves: Graves) -> None:
    """Apply one entry to the rows at hand; what cannot be applied becomes a failure and changes nothing."""
    verb = resource.verbs[entry.type]
    try:
        if isinstance(verb, Cascade):
            end_children(verb, entry, folded, graves)
        else:
            folded.verdicts[entry.position] = write(resource, verb, entry, folded, graves)
    except Unappliable as error:
        folded.verdicts[entry.position] = Verdict.PARKED
        folded.failures.append(Failure(entry.position, resource.name, str(error)))


def fold(resource: Resource, entries: Sequence[Entry], rows: dict[str, Row], graves: Graves) -> Folded:
    """Fold the entries that concern a resource, in order, over the rows and the ended parents they concern."""
    folded, graves = Folded(dict(rows)), dict(graves)
    for entry in entries:
        if entry.type in resource.verbs:
            apply(resource, entry, folded, graves)
    return folded
