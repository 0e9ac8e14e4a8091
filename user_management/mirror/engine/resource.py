"""What a resource declares: its table, its shape, its filters, where WorkOS lists it and which events change it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from sqlalchemy import BigInteger, BindParameter, ColumnElement, Index, Table, Text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from user_management.db.base import Base, Timestamp, Verbatim, table_of
from user_management.journal.entries import named
from user_management.mirror.engine.verbs import (
    Cascade,
    Merge,
    Unappliable,
    Verb,
    correct,
    fill,
    link,
    tombstone,
    unlink,
)


class Mirrored(Base):
    """The columns of every mirrored table: what is sorted on, what guards it, and the JSON that is served."""

    __abstract__ = True
    # Room on each page for the next version of its rows: an update then touches no index.
    __table_args__ = {"postgresql_with": {"fillfactor": 85}}  # noqa: RUF012  SQLAlchemy reads it by name

    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[Timestamp]
    updated_at: Mapped[Timestamp]
    deleted_at: Mapped[Timestamp | None]
    position: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[Verbatim]


LONGEST_TEXT = 2000
"""Bytes; PostgreSQL refuses index entries of more than 2704."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, and halves of characters: JSON can spell them, PostgreSQL's text cannot hold them."""

SHARED_COLUMNS = ("id", "created_at", "updated_at", "deleted_at", "position", "body")


def by_age(row: type[Mirrored]) -> tuple[Index, Index]:
    """The indexes behind the list of everything: one of the living, one that includes what was deleted."""
    name = f"ix_{row.__tablename__}"
    return (
        Index(f"{name}_live", row.created_at, row.id, postgresql_where=row.deleted_at.is_(None)),
        Index(f"{name}_created_at", row.created_at, row.id),
    )


def by(row: type[Mirrored], name: str, value: Any) -> Index:
    """The index behind a list narrowed by a value, in order of age."""
    return Index(f"ix_{row.__tablename__}_{name}", value, row.created_at, row.id)


def by_external_id(row: Any) -> Index:
    """The index behind looking an object up by its owner's own id; not unique, for WorkOS is the judge of that."""
    name = f"ix_{row.__tablename__}_external_id"
    return Index(name, row.external_id, postgresql_where=row.external_id.is_not(None))


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter of a list: `condition` makes the SQL expression from the bound value."""

    name: str
    description: str
    condition: Callable[[BindParameter[Any]], ColumnElement[bool]]
    type: Any = str
    default: Any = None
    example: Any = None
    sql_type: TypeEngine[Any] = field(default_factory=Text)
    sparse: bool = False
    """Whether no index has what it finds in order of age: such a list is read by either of two ways, see `walk`."""
    at_hand: Callable[[BindParameter[Any]], ColumnElement[bool]] | None = None
    """How one row is tested, where that is best done otherwise than finding many."""


Item: TypeAlias = Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any] | None]
"""What an item of a list is to us, given the object of whose list it is one; None for what is none of ours."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Where WorkOS lists a resource; with `per`, once for each object of that resource.

    The parent is named by the query's `parameter` or in the path, where `{key}` stands for what the parent has under
    that key, and by the column `by` of our rows (the parameter's own name, unless told).
    """

    path: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    per: str | None = None
    parameter: str = ""
    by: str = ""
    one: tuple[str, ...] | None = ("{id}",)
    """Where WorkOS shows one object: behind the list's path, or from `/` on; None: only in the list."""
    within: str = ""
    """The key of an answer under which the objects stand, where it is not a list but the parent itself."""
    item: Item | None = None
    whole: bool = False
    """Whether an item does not tell its place in the list, which is then compared as a whole."""
    partial: bool = False
    """Whether WorkOS leaves some out, so that absence says nothing."""
    wanted: bool = True
    """Whether it is listed unless somebody asks for it: a request for each of many parents is not."""
    essential: bool = False
    """Whether nothing goes without it: others are left out where the key may not list them."""

    @property
    def column(self) -> str:
        """The column of our rows that names the parent."""
        return self.by or self.parameter


@dataclass(frozen=True, slots=True)
class Passing:
    """A state that passes by itself, told by no event: `key` reads `then` instead of `now` once `until` has passed."""

    key: str
    now: str
    then: str
    until: str


@dataclass(frozen=True, slots=True)
class Embed:
    """A key that WorkOS composes from another object: joined when it is read, so that it is never out of date."""

    key: str
    table: str
    by: str
    value: str


@dataclass(frozen=True, eq=False)
class Resource:
    """One kind of object that is mirrored. Everything else (routes, subscription, backfill) follows from this."""

    name: str
    object: str
    row: type[Mirrored]
    shape: type[BaseModel]
    listing: Listing
    events: Mapping[str, Verb | Cascade]
    filters: tuple[Filter, ...] = ()
    embeds: tuple[Embed, ...] = ()
    rest_only: frozenset[str] = frozenset()
    rising: frozenset[str] = frozenset()
    follows: Mapping[str, str] = field(default_factory=dict)
    """The keys that WorkOS may leave out, each by the key which, told without it, makes what was known of it void.

    What only REST objects carry is void only where the object is newer than what they told.
    """
    has_external_id: bool = False
    key: tuple[str, ...] = ("id",)
    """What a row is named by: WorkOS's id, or keys of the object that together name it, joined by colons."""
    columns_from: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    """How columns are found in an object where they do not stand under their own names."""
    passing: Passing | None = None
    pairs: bool = False
    """Whether the objects are pairs, such as who is in which group: without an id or timestamps of their own."""
    lean: frozenset[str] = frozenset()
    """The events after which the object is asked for, for they leave out what only WorkOS's object has."""

    @property
    def table(self) -> Table:
        """The table the resource lives in."""
        return table_of(self.row)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns kept beside the body because they are filtered on; each is named as its key in the body.

        Those that PostgreSQL computes from the body by itself are not written by us.
        """
        own = (column for column in self.table.columns if column.computed is None)
        return tuple(column.name for column in own if column.name not in SHARED_COLUMNS)

    @cached_property
    def merge(self) -> Merge:
        """How this resource's objects are merged."""
        reusable = self.key != ("id",)
        embedded = frozenset(embed.key for embed in self.embeds)
        return Merge(embedded, self.rest_only, self.rising, reusable, self.follows)

    @cached_property
    def verbs(self) -> dict[str, Verb | Cascade]:
        """What each type of entry does: the declared events, and the objects WorkOS listed or replied."""
        lists = (self.listed, self.replied, self.corrected)
        told = zip(lists, (link, link, link) if self.pairs else (fill, fill, correct), strict=True)
        return {self.deleted: unlink if self.pairs else tombstone, **self.events, **dict(told)}

    def name_of(self, body: Mapping[str, Any]) -> str | None:
        """The id of an object's row; None when the object does not name itself."""
        parts = [named(body.get(name)) for name in self.key]
        return None if None in parts else ":".join(map(str, parts))

    def names_in(self, object_id: str) -> dict[str, str]:
        """What the id of a row tells of its object: the keys that name it, of which the last may hold colons."""
        return dict(zip(self.key, object_id.split(":", len(self.key) - 1), strict=False))

    def value(self, name: str, body: Mapping[str, Any]) -> Any:
        """What an object has in a column."""
        reader = self.columns_from.get(name)
        return body.get(name) if reader is None else reader(body)

    @cached_property
    def volatile(self) -> frozenset[str]:
        """The keys that WorkOS changes without an event."""
        unheard = frozenset() if self.lean else self.rest_only
        return self.rising | unheard

    @property
    def listed(self) -> str:
        """The type of an entry for an object that WorkOS listed."""
        return f"{self.object}.listed"

    @property
    def replied(self) -> str:
        """The type of an entry for an object that WorkOS replied to a write."""
        return f"{self.object}.replied"

    @property
    def corrected(self) -> str:
        """The type of an entry for an object that a verification found to differ from what WorkOS has."""
        return f"{self.object}.corrected"

    @property
    def deleted(self) -> str:
        """The type of an entry for the end of an object, told by an event or found by its absence."""
        return f"{self.object}.deleted"

    @cached_property
    def cascades(self) -> tuple[Cascade, ...]:
        """The parents whose end is this resource's end."""
        return tuple(dict.fromkeys(verb for verb in self.events.values() if isinstance(verb, Cascade)))

    @cached_property
    def required(self) -> frozenset[str]:
        """The filter columns a live object cannot be without: those whose shape does not admit null."""
        fields = self.shape.model_fields
        own = (name for name in self.columns if name in fields and name not in self.columns_from)
        return frozenset(name for name in own if type(None) not in get_args(fields[name].annotation))

    def column_values(self, body: Mapping[str, Any], *, live: bool) -> list[str | None]:
        """The filter columns of a body; `Unappliable` names the key that is not what its column needs.

        A deleted object must not live on because of an odd key: what no column can hold is then left out.
        """
        values = [self.value(name, body) for name in self.columns]
        for n, value in enumerate(values):
            if not storable(value, required=live and self.columns[n] in self.required):
                if live:
                    raise Unappliable(f"{self.columns[n]} is not text that can be indexed: {value!r:.80}")
                values[n] = None
        return values


def storable(value: object, *, required: bool) -> bool:
    """Whether PostgreSQL can keep a value in an indexed text column; null will do where nothing is required."""
    if not isinstance(value, str):
        return value is None and not required
    if value.isascii():
        return len(value) <= LONGEST_TEXT and "\x00" not in value
    return len(value.encode(errors="surrogatepass")) <= LONGEST_TEXT and not UNSTORABLE.search(value)
