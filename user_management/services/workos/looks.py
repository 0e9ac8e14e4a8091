"""Looks: whether WorkOS has what a write would have made, asked when its answer did not come."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from user_management.journal.timestamps import parse
from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import WorkOS
from user_management.services.workos.commands import Command, Trace
from user_management.services.workos.errors import (
    BadAnswer,
    KeyRefused,
    ObjectNotFound,
    OutcomeUnknown,
    Refused,
    WorkOSUnavailable,
)
from user_management.services.workos.events import envelope

PATIENCE = 5.0
"""Seconds a look may take in all."""
SKEW = timedelta(seconds=60)
"""How far WorkOS's clock may be behind ours."""
CASELESS = frozenset({"email"})
"""What WorkOS stores in lower case."""


class Place(StrEnum):
    """What a look can see in one place."""

    NOTHING = "nothing"
    OLDER = "an older one"
    DIFFERENT = "a different one"
    CLAIMED = "one of another write"
    FOUND = "found"
    SILENCE = "no answer"


Failed = (BadAnswer, KeyRefused, OutcomeUnknown, Refused, WorkOSUnavailable, TimeoutError)


@dataclass(slots=True)
class Sight:
    """What was seen where, and the object, if it can be the one that was looked for."""

    places: dict[str, Place] = field(default_factory=dict)
    made: dict[str, Any] | None = None

    @property
    def whole(self) -> bool:
        """Whether every place was seen."""
        return Place.SILENCE not in self.places.values()

    @property
    def foreign(self) -> bool:
        """Whether somebody else's object stands in the way."""
        return not {Place.OLDER, Place.CLAIMED}.isdisjoint(self.places.values())

    def claimed(self) -> None:
        """Note that what was found is known to come of something else."""
        self.made = None
        self.places = {by: Place.CLAIMED if one is Place.FOUND else one for by, one in self.places.items()}


async def look(workos: WorkOS, command: Command, fields: Mapping[str, Any], *, since: datetime) -> Sight:
    """What WorkOS shows of a command sent after `since`, in each place until it is found; never raises."""
    traces = list(command.traces(fields))
    seen = Sight(dict.fromkeys((trace.by for trace in traces), Place.SILENCE))
    try:
        async with asyncio.timeout(PATIENCE):
            for trace in traces:
                objects = await shown(workos, trace)
                seen.places[trace.by], seen.made = judged(objects, fields, since)
                if seen.made is not None:
                    break
    except Failed:
        pass  # the places that were not seen say so
    return seen


async def shown(workos: WorkOS, trace: Trace) -> list[dict[str, Any]]:
    """The objects WorkOS shows in one place."""
    try:
        answer = await workos.at(Priority.WRITE).request("get", trace.path, params=trace.params)
    except ObjectNotFound:
        return []
    found = [answer] if trace.params is None else envelope(answer)
    if not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in found):
        raise BadAnswer("WorkOS was asked for an object and showed something that has no id")
    return found


def judged(
    objects: Iterable[dict[str, Any]], fields: Mapping[str, Any], since: datetime
) -> tuple[Place, dict[str, Any] | None]:
    """What these objects are to a request sent after `since`: none of its making, or perhaps the one it made."""
    place = Place.NOTHING
    for one in objects:
        if not young(one, since):
            place = Place.OLDER
        elif not alike(one, fields) and not changed(one):
            place = Place.DIFFERENT
        else:
            return Place.FOUND, one
    return place, None


def young(found: Mapping[str, Any], since: datetime) -> bool:
    """Whether an object was made after `since`, as far as two clocks can tell."""
    created_at = parse(found.get("created_at"))
    return created_at is not None and created_at >= since - SKEW


def changed(found: Mapping[str, Any]) -> bool:
    """Whether an object was changed after it was made: that it is not as it was asked for then proves nothing."""
    created_at, updated_at = parse(found.get("created_at")), parse(found.get("updated_at"))
    return created_at is not None and updated_at is not None and updated_at > created_at


def alike(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether an object has what was sent, as far as it shows it; what was sent as null says nothing."""
    shared = ((key, value) for key, value in fields.items() if value is not None and key in found)
    return all(same(key, found[key], value) for key, value in shared)


def same(key: str, found: Any, sent: Any) -> bool:
    """Whether a value is the one that was sent, as WorkOS stores it: trimmed, and e-mail in lower case."""
    if isinstance(found, str) and isinstance(sent, str):
        found, sent = found.strip(), sent.strip()
        return bool(found.lower() == sent.lower() if key in CASELESS else found == sent)
    if isinstance(found, dict) and isinstance(sent, dict):
        return alike({name: found.get(name) for name in sent}, sent)
    return bool(found == sent)
