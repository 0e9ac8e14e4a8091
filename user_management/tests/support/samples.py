"""The sample object of each resource, and the events that tell of it."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from user_management.journal import entries
from user_management.journal.entries import Entry, Lane
from user_management.journal.timestamps import parse, render
from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Cascade

FOLDER = Path(__file__).parent.parent / "data" / "events"


@cache
def text(name: str) -> str:
    """A sample file."""
    return (FOLDER / f"{name}.json").read_text()


def sample(resource: Resource, *, minutes: int = 0, **fields: Any) -> dict[str, Any]:
    """The resource's sample object, changed so many minutes after it was created."""
    found: dict[str, Any] = json.loads(text(resource.name))
    changed = (parse(found["created_at"]) or datetime.now(UTC)) + timedelta(minutes=minutes)
    return {**found, "updated_at": render(changed), **fields}


def key(resource: Resource) -> str:
    """The id of the sample's row."""
    return str(resource.name_of(sample(resource)))


def told(resource: Resource, what: str) -> str:
    """The type of the event that tells of an object's creation, change or end; not every kind has all three."""
    kinds = ("tombstone", "unlink") if what == "deleted" else ("upsert", "link")
    found = [name for name, verb in resource.events.items() if verb.name in kinds]
    last = found[0 if what != "updated" else -1] if found else resource.deleted
    return next((name for name in found if name.endswith(f".{what}")), last)


def holding(resource: Resource, column: str, value: object) -> dict[str, Any]:
    """The fields of a sample by which its row has a value in a column."""
    if resource.name == "api_keys":
        return {"owner": {"type": column.removesuffix("_id"), "id": value}}
    return {column: value}


def data_of(resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
    """What an event carries about an object."""
    if resource.name == "directory_group_memberships":
        user, group = {"id": body["directory_user_id"]}, {"id": body["directory_group_id"]}
        return {"directory_id": body["directory_id"], "user": user, "group": group}
    if resource.pairs:
        return {key: body[key] for key in resource.key}
    return body


def event(resource: Resource, what: str, data: dict[str, Any], *, name: str = "", minutes: int = 0) -> dict[str, Any]:
    """An event of the feed: `what` is created, updated or deleted."""
    at = (parse(data["created_at"]) or datetime.now(UTC)) + timedelta(minutes=minutes)
    return {
        "object": "event",
        "id": name or f"event_{resource.name_of(data)}_{what}_{minutes}_{data['updated_at']}",
        "event": told(resource, what),
        "created_at": render(at),
        "data": data_of(resource, data),
    }


def end_of(cascade: Cascade) -> Entry:
    """The event by which the sample of a parent, or of a grandparent, ends."""
    grand = {"user_id": "users", "organization_id": "organizations"}
    name = grand[cascade.through[1]] if cascade.through else cascade.parent
    parent = next(one for one in catalog.resources() if one.name == name)
    return entry(parent, "deleted", minutes=3)


def entry(resource: Resource, what: str, *, minutes: int = 0, **fields: Any) -> Entry:
    """The entry for an event about the sample object as it was so many minutes after its creation."""
    data = sample(resource, minutes=minutes, **fields)
    name = f"event_{resource.object}_{what}_{minutes}_{json.dumps(fields, sort_keys=True)}"
    return entries.of_event(event(resource, what, data, name=name, minutes=minutes), received_at=datetime.now(UTC))


def listed(resource: Resource, *, minutes: int = 0, **fields: Any) -> Entry:
    """The entry for the sample object found in a list."""
    data = sample(resource, minutes=minutes, **fields)
    return entries.of_object(data, lane=Lane.LIST, type=resource.listed, at=datetime.now(UTC))
