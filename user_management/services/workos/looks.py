"""Looks: whether WorkOS shows what a write would have done, asked when its answer did not come."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from user_management.journal.timestamps import parse
from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import WorkOS
from user_management.services.workos.commands import Command, Trace, identified
from user_management.services.workos.errors import (
    FAILURES,
    BadAnswer,
    ObjectNotFound,
)
from user_management.services.workos.events import envelope
from user_management.services.workos.matching import named

PATIENCE = 5.0
"""Seconds a look may take in all."""
SKEW = timedelta(seconds=60)
"""How far WorkOS's clock may be behind ours."""


class Place(StrEnum):
    """What a look can see in one place."""

    NOTHING = "nothing"
    OLDER = "an older one"
    TOUCHED = "an older one that was changed since"
    DIFFERENT = "a different one"
    OTHERWISE = "not as it was to be"
    STILL_THERE = "still there"
    CLAIMED = "one of another write"
    FOUND = "found"
    GONE = "gone"
    SILENCE = "no answer"


PROVING = (Place.FOUND, Place.DIFFERENT, Place.TOUCHED, Place.OLDER)
"""What an object can be to a request that makes one; the last alone proves that another stands in the way."""
Failed = (*FAILURES, TimeoutError)


@dataclass(slots=True)
class Sight:
    """What was seen where, and the object, if it can be the one that was looked for."""

    places: dict[str, Place] = field(default_factory=dict)
    made: dict[str, Any] | None = None

    @property
    def gone(self) -> bool:
        """Whether what was to end is no more."""
        return Place.GONE in self.places.values()

    @property
    def whole(self) -> bool:
        """Whether every place was seen."""
        return Place.SILENCE not in self.places.values()

    @property
    def foreign(self) -> bool:
        """Whether what stands in the way is none of the command's work.

        An older object that was changed since may be: a membership is made active again. So may be one that is known.
        """
        return Place.OLDER in self.places.values()

    def claimed(self) -> None:
        """Note that what was found is known to come of something else."""
        self.made = None
        self.places = {by: Place.CLAIMED if one is Place.FOUND else one for by, one in self.places.items()}


async def look(workos: WorkOS, command: Command, fields: Mapping[str, Any], *, since: datetime) -> Sight:
    """What WorkOS shows of a command sent after `since`, in each place until it is found; never raises."""
    traces = command.looked_for(fields)
    seen = Sight(dict.fromkeys((trace.by for trace in traces), Place.SILENCE))
    try:
        async with asyncio.timeout(PATIENCE):
            for trace in traces:
                objects = await shown(workos, command, trace)
                seen.places[trace.by], seen.made = told(command, trace, objects, fields, since)
                if seen.made is not None:
                    break
    except Failed:
        pass  # the places that were not seen say so
    return seen


async def shown(workos: WorkOS, command: Command, trace: Trace) -> list[dict[str, Any]]:
    """The objects WorkOS shows in one place."""
    try:
        answer = await workos.at(Priority.WRITE).request("get", trace.path, params=trace.params)
    except ObjectNotFound:
        return []
    items = answer.get(trace.within) if trace.within else [answer] if trace.params is None else envelope(answer)
    found = [identified(command, one) for one in items] if isinstance(items, list) else [None]
    if None in found:
        raise BadAnswer("WorkOS was asked for an object and showed something that has no id")
    return [one for one in found if one is not None]


def told(
    command: Command, trace: Trace, objects: Sequence[dict[str, Any]], fields: Mapping[str, Any], since: datetime
) -> tuple[Place, dict[str, Any] | None]:
    """What these objects tell of a command sent after `since`."""
    if command.ends:
        return (Place.STILL_THERE if objects else Place.GONE), None
    if command.wanted is None:
        return judged(command, trace, objects, fields, since)
    found = next((one for one in objects if command.wanted(one, command.wants(fields))), None)
    return (Place.FOUND if found else Place.OTHERWISE if objects else Place.NOTHING), found


def judged(
    command: Command, trace: Trace, objects: Iterable[dict[str, Any]], fields: Mapping[str, Any], since: datetime
) -> tuple[Place, dict[str, Any] | None]:
    """What these objects are to a request sent after `since`: perhaps the one it made, or what proves the least."""
    seen: dict[Place, dict[str, Any]] = {}
    for one in objects:
        if named(one, fields, trace.names):
            seen.setdefault(placed(command, trace, one, fields, since), one)
    place = next((place for place in PROVING if place in seen), Place.NOTHING)
    return place, seen.get(Place.FOUND)


def placed(command: Command, trace: Trace, one: Mapping[str, Any], fields: Mapping[str, Any], since: datetime) -> Place:
    """What one object is to a request sent after `since`.

    That it was changed since excuses a difference where nothing else can be shown: neighbours are changed as well.
    """
    if not young(one, since):
        return Place.TOUCHED if after(one.get("updated_at"), since) else Place.OLDER
    excused = not trace.names and changed(one)
    return Place.FOUND if excused or command.like(one, fields) else Place.DIFFERENT


def young(found: Mapping[str, Any], since: datetime) -> bool:
    """Whether an object was made after `since`, as far as two clocks can tell."""
    return after(found.get("created_at"), since)


def after(moment: Any, since: datetime) -> bool:
    """Whether a moment of WorkOS's is after one of ours, as far as two clocks can tell."""
    at = parse(moment)
    return at is not None and at >= since - SKEW


def changed(found: Mapping[str, Any]) -> bool:
    """Whether an object was changed after it was made: that it is not as it was asked for then proves nothing."""
    created_at, updated_at = parse(found.get("created_at")), parse(found.get("updated_at"))
    return created_at is not None and updated_at is not None and updated_at > created_at
