"""What may happen at a source: histories of objects, and the lanes by which a copy learns of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from user_management.journal import entries as journal
from user_management.journal.entries import Entry, Lane, Verdict, number
from user_management.mirror import organization_memberships, users
from user_management.mirror.engine.fold import Folded, Grave, Graves, fold
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Row

START = datetime(2026, 1, 1, tzinfo=UTC)
USERS, MEMBERSHIPS = users.resource, organization_memberships.resource


def moment(tick: int) -> str:
    """A tick of a history's clock as WorkOS writes it."""
    return (START + timedelta(seconds=tick)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(type_: str, data: Any, *, tick: int = 0, name: str | None = None) -> Entry:
    """An entry of the events lane."""
    body = {"object": "event", "id": name, "event": type_, "created_at": moment(tick), "data": data}
    object_id = data.get("id") if isinstance(data, dict) else None
    return Entry(Lane.EVENTS, type_, name, object_id, START + timedelta(seconds=tick), body)


def told(resource: Resource, data: dict[str, Any], lane: Lane = Lane.LIST) -> Entry:
    """An entry of another lane: an object that was listed, or replied to a write."""
    type_ = resource.listed if lane is Lane.LIST else resource.replied
    return Entry(lane, type_, None, data["id"], START, data)


def user(key: str = "user_1", *, tick: int = 0, **fields: Any) -> dict[str, Any]:
    """A user, changed at a tick."""
    return {
        "object": "user", "id": key, "email": f"{key}@example.com", "email_verified": True, "first_name": None,
        "last_name": None, "profile_picture_url": None, "external_id": None, "metadata": {},
        "last_sign_in_at": None, "created_at": moment(0), "updated_at": moment(tick), **fields,
    }  # fmt: skip


def membership(key: str = "om_1", *, user_id: str = "user_1", tick: int = 0, **fields: Any) -> dict[str, Any]:
    """A membership, changed at a tick."""
    return {
        "object": "organization_membership", "id": key, "user_id": user_id, "organization_id": "org_1",
        "status": "active", "role": {"slug": "member"}, "created_at": moment(0), "updated_at": moment(tick), **fields,
    }  # fmt: skip


def organization(key: str = "org_1", *, tick: int = 0, **fields: Any) -> dict[str, Any]:
    """An organization, changed at a tick."""
    return {"object": "organization", "id": key, "name": "A", "domains": [], "external_id": None,
            "created_at": moment(0), "updated_at": moment(tick), **fields}  # fmt: skip


class Copy:
    """A copy in memory, that folds as the real one does: so many entries at a time."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Row]] = {USERS.name: {}, MEMBERSHIPS.name: {}}
        self.position = 0
        self.verdicts: list[Verdict | None] = []

    def apply(self, *entries: Entry) -> "Copy":
        """Fold a page of entries into every table."""
        numbered = number(entries, after=self.position)
        self.position += len(numbered)
        for resource in (USERS, MEMBERSHIPS):
            folded = fold(resource, numbered, self.tables[resource.name], self.graves(resource))
            self.write(self.tables[resource.name], folded)
            if resource is USERS:
                self.verdicts += [folded.verdicts.get(entry.position) for entry in numbered]
        return self

    def graves(self, resource: Resource) -> Graves:
        """The users that have ended, as memberships must know them."""
        ended = {} if resource is USERS else self.tables[USERS.name]
        return {
            ("user_id", key): Grave(row.deleted_at, row.position) for key, row in ended.items() if row.deleted_at
        }  # fmt: skip

    @staticmethod
    def write(table: dict[str, Row], folded: Folded) -> None:
        """What the store does with a fold."""
        table.update({key: folded.rows[key] for key in folded.changed})
        for (cascade, parent), grave in folded.ended.items():
            for key, row in table.items():
                if row.body.get(cascade.by) == parent and row.deleted_at is None:
                    table[key] = replace(row, deleted_at=grave.deleted_at, position=grave.position)

    def user(self, key: str = "user_1") -> Row:
        """A user's row."""
        return self.tables[USERS.name][key]

    def membership(self, key: str = "om_1") -> Row:
        """A membership's row."""
        return self.tables[MEMBERSHIPS.name][key]


@st.composite
def user_history(draw: st.DrawFn, key: str = "user_1") -> list[Entry]:
    """What the feed says of one user: created, changed (ties included), signed in, perhaps deleted."""
    tick, entries = 0, [event("user.created", user(key))]
    for n in range(draw(st.integers(0, 5))):
        tick += draw(st.integers(0, 2))
        if draw(st.booleans()):
            entries.append(event("user.updated", user(key, tick=tick, first_name=f"name {n}"), tick=tick))
        else:
            session = {"object": "session", "id": f"session_{n}", "user_id": key, "created_at": moment(tick)}
            entries.append(event("session.created", session, tick=tick))
    if draw(st.booleans()):
        last = next(entry.data for entry in reversed(entries) if entry.type != "session.created")
        entries.append(event("user.deleted", last, tick=tick + 1))
    return entries


@st.composite
def family_history(draw: st.DrawFn) -> list[Entry]:
    """What the feed may say of two users and three memberships, in any order whatsoever."""
    people, bonds = st.sampled_from(["user_1", "user_2"]), st.sampled_from(["om_1", "om_2", "om_3"])
    entries = []
    for _ in range(draw(st.integers(1, 12))):
        tick, who, bond = draw(st.integers(0, 4)), draw(people), draw(bonds)
        what = draw(st.sampled_from(["created", "updated", "deleted"]))
        if draw(st.booleans()):
            entries.append(event(f"user.{what}", user(who, tick=tick, first_name=f"at {tick}"), tick=tick))
        else:
            data = membership(bond, user_id="user_1" if bond == "om_1" else who, tick=tick)
            entries.append(event(f"organization_membership.{what}", data, tick=tick))
    return entries


@dataclass(frozen=True)
class Delivery:
    """Entries that come together: a page, or webhooks one after the other."""

    entries: Sequence[Entry]
    webhook: bool = False


OBJECTS = {"user": user, "organization_membership": membership, "organization": organization}
NAMED = {
    "user": ["user_1", "user_2"], "organization": ["org_1", "org_2"],
    "organization_membership": ["om_1", "om_2", "om_3"],
}  # fmt: skip
LEAN = ["external_id", "first_name", "domains", "role", "metadata"]
"""Keys that an event may leave out, or change to something of its own."""


@st.composite
def happening(draw: st.DrawFn, name: str) -> Entry:
    """One event of a small world: ties and times that descend, lean objects, sign-ins, ends of parents, odd data."""
    tick = draw(st.integers(0, 4))
    kind = draw(st.sampled_from(["session", *OBJECTS, *OBJECTS]))
    if kind == "session":
        who = draw(st.sampled_from(NAMED["user"]))
        data: dict[str, Any] = {"object": "session", "id": name, "user_id": who, "created_at": moment(tick)}
        return event("session.created", data, tick=tick, name=name)
    data = OBJECTS[kind](draw(st.sampled_from(NAMED[kind])), tick=tick, **draw(bond(kind)))
    for key in draw(st.sets(st.sampled_from(LEAN), max_size=2)):
        if draw(st.booleans()):
            data.pop(key, None)
        else:
            data[key] = draw(st.sampled_from([f"at {tick}", None, f"odd {name}"]))
    if draw(st.integers(0, 19)) == 0:
        data["updated_at"] = "yesterday"
    what = draw(st.sampled_from(["created", "updated", "updated", "deleted"]))
    return event(f"{kind}.{what}", data, tick=tick, name=name)


def bond(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Whom a membership binds; nothing for others."""
    if kind != "organization_membership":
        return st.just({})
    ends = {"user_id": st.sampled_from(NAMED["user"]), "organization_id": st.sampled_from(NAMED["organization"])}
    return st.fixed_dictionaries(ends)


@st.composite
def listed(draw: st.DrawFn) -> Entry:
    """An object that a list or a reply shows, as it was at any time."""
    resource = draw(st.sampled_from([USERS, MEMBERSHIPS]))
    made = user if resource is USERS else membership
    data = made(
        draw(st.sampled_from(NAMED[resource.object])), tick=draw(st.integers(0, 5)), **draw(bond(resource.object))
    )
    lane = draw(st.sampled_from([Lane.LIST, Lane.REPLY]))
    type_ = resource.listed if lane is Lane.LIST else resource.replied
    return journal.of_object(data, lane=lane, type=type_, at=START)


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """Pages of the feed, objects listed between them, and webhooks of any of its events at any time, any number."""
    events = [draw(happening(f"event_{number}")) for number in range(draw(st.integers(1, 12)))]
    webhooks = st.lists(st.sampled_from(events), max_size=4).map(lambda told: Delivery(told, webhook=True))
    story, rest = [draw(webhooks)], list(events)
    while rest:
        size = draw(st.integers(1, len(rest)))
        story += [Delivery(rest[:size]), draw(webhooks)]
        if draw(st.booleans()):
            story += [Delivery([draw(listed())]), draw(webhooks)]
        rest = rest[size:]
    return story
