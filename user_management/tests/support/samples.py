"""The sample object of each resource, and the events that tell of it."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from user_management.journal import entries
from user_management.journal.entries import Entry, Lane
from user_management.journal.timestamps import parse, render
from user_management.mirror.engine.resource import Resource

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


def event(resource: Resource, what: str, data: dict[str, Any], *, name: str = "", minutes: int = 0) -> dict[str, Any]:
    """An event of the feed: `what` is created, updated or deleted."""
    at = (parse(data["created_at"]) or datetime.now(UTC)) + timedelta(minutes=minutes)
    type_ = f"{resource.object}.{what}"
    return {
        "object": "event",
        "id": name or f"event_{data['id']}_{what}_{minutes}_{data['updated_at']}",
        "event": type_,
        "created_at": render(at),
        "data": data,
    }


def entry(resource: Resource, what: str, *, minutes: int = 0, **fields: Any) -> Entry:
    """The entry for an event about the sample object as it was so many minutes after its creation."""
    data = sample(resource, minutes=minutes, **fields)
    name = f"event_{resource.object}_{what}_{minutes}_{json.dumps(fields, sort_keys=True)}"
    return entries.of_event(event(resource, what, data, name=name, minutes=minutes), received_at=datetime.now(UTC))


def listed(resource: Resource, *, minutes: int = 0, **fields: Any) -> Entry:
    """The entry for the sample object found in a list."""
    data = sample(resource, minutes=minutes, **fields)
    return entries.of_object(data, lane=Lane.LIST, type=resource.listed, at=datetime.now(UTC))
