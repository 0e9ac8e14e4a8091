"""The fold: entries in order, over the rows they concern, to the rows as they should be.

It is pure, and the whole truth: applying a page, a single entry, a retry and a rebuild all go through here.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
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
    """What a fold decided: rows to write, new or changed, their columns, the parents that ended, and verdicts.

    `buried` are rows that were written under a parent that had ended, each with the entry that wrote it.
    """

    rows: dict[str, Row]
    changed: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)
    columns: dict[str, list[str | None]] = field(default_factory=dict)
    ended: "dict[tuple[Cascade, str], Grave]" = field(default_factory=dict)
    buried: dict[str, tuple[int, Grave]] = field(default_factory=dict)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def usable(value: object) -> TypeGuard[str]:
    """Whether a value can be an id: printable text that an index can hold."""
    return named(value) is not None


def target(key: str, data: Any) -> str:
    """The id that stands under `key`; `Unappliable` when there is none."""
    found = data.get(key) if isinstance(data, dict) else None
    if not usable(found):
        raise Unappliable(f"data has no usable {key}: {found!r:.80}")
    return found


def object_of(verb: Verb, entry: Entry) -> dict[str, Any]:
    """The object an entry is about; `Unappliable` when it tells of none."""
    if not isinstance(entry.data, dict):
        raise Unappliable(f"data is no object: {entry.data!r:.80}")
    return verb.read(entry.data) if verb.read else entry.data


def key_of(resource: Resource, verb: Verb, data: dict[str, Any]) -> str:
    """The id of the row an object is about."""
    if verb.target:
        return target(verb.target, data)
    key = resource.key
    return target(key[0], data) if len(key) == 1 else ":".join(target(name, data) for name in key)


def written_to(resource: Resource, entries: Iterable[Entry]) -> list[tuple[str, dict[str, Any]]]:
    """The id of the row, and the object, of every entry that writes to a row of the resource."""
    found = []
    for entry in entries:
        verb = resource.verbs.get(entry.type)
        if isinstance(verb, Verb):
            with suppress(Unappliable):
                data = object_of(verb, entry)
                found.append((key_of(resource, verb, data), data))
    return found


def ids(resource: Resource, entries: Iterable[Entry]) -> list[str]:
    """The ids of the rows that must be known before folding."""
    return list({key for key, _ in written_to(resource, entries)})


def parents(cascade: Cascade, resource: Resource, entries: Iterable[Entry]) -> list[str]:
    """The ids of the parents that may have ended before these entries."""
    found = (resource.value(cascade.by, data) for _, data in written_to(resource, entries))
    return list({value for value in found if usable(value)})


def grave_of(resource: Resource, row: Row, graves: Graves) -> Grave | None:
    """The end of a parent of the row that had ended before it was written."""
    found = (graves.get((cascade.by, str(resource.value(cascade.by, row.body)))) for cascade in resource.cascades)
    return next((grave for grave in found if grave is not None and grave.position < row.position), None)


def bury(resource: Resource, folded: Folded, graves: Graves) -> None:
    """End the changed rows one of whose parents has ended, be it later: then its end found no row to end."""
    for key in folded.changed:
        row = folded.rows[key]
        for cascade in resource.cascades:
            grave = graves.get((cascade.by, str(resource.value(cascade.by, row.body))))
            if grave is not None and row.deleted_at is None:
                row = replace(row, deleted_at=grave.deleted_at, position=max(row.position, grave.position))
                folded.rows[key] = row
                folded.columns[key] = resource.column_values(row.body, live=False)
                folded.buried[key] = (row.position, grave)


def end_children(resource: Resource, cascade: Cascade, entry: Entry, folded: Folded, graves: Graves) -> None:
    """End every child of a parent among the rows at hand, and note the parent for the rows that are not.

    Grandchildren are found by the tables alone, when the rows are written.
    """
    parent, grave = target(cascade.target, entry.data), Grave(entry.occurred_at, entry.position)
    if cascade.through:
        folded.ended.setdefault((cascade, parent), grave)
        return
    folded.ended[cascade, parent] = graves.setdefault((cascade.by, parent), grave)
    for row in list(folded.rows.values()):
        if resource.value(cascade.by, row.body) == parent and row.deleted_at is None:
            folded.rows[row.id] = replace(row, deleted_at=entry.occurred_at, position=entry.position)
            folded.changed.add(row.id)


def write(resource: Resource, verb: Verb, entry: Entry, folded: Folded, graves: Graves) -> Verdict:
    """Let a verb decide about the row an entry is about; `Unappliable` leaves the row as it was."""
    data = object_of(verb, entry)
    key = key_of(resource, verb, data)
    if not verb.target:
        entry.object_id = key
    old = folded.rows.get(key)
    new, verdict = verb.decide(key, old, entry, data, resource.merge)
    if new is not None and new is not old:
        grave = grave_of(resource, new, graves) if new.deleted_at is None else None
        if grave is not None:
            new = replace(new, deleted_at=grave.deleted_at)
            folded.buried.setdefault(key, (entry.position, grave))
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
            end_children(resource, verb, entry, folded, graves)
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
