"""Comparing what WorkOS says of an object with the row that stands for it; pure."""

from enum import StrEnum
from typing import Any

from user_management.journal import redaction
from user_management.journal.timestamps import parse
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Row, unsaid


class Standing(StrEnum):
    """What a comparison came to."""

    EQUAL = "equal"
    MISSING = "missing"
    """WorkOS has it; the copy does not, or calls it deleted."""
    EXTRA = "extra"
    """The copy has it; WorkOS does not."""
    DIFFERS = "differs"
    """Both have it, and it is not the same."""
    VOLATILE = "volatile"
    """It differs only in what WorkOS changes without an event."""
    IN_FLIGHT = "in flight"
    """It changed while it was looked at: the next verification will tell."""
    ERASED = "erased"
    """It was erased here on purpose."""


ACCUSED = frozenset({Standing.MISSING, Standing.EXTRA, Standing.DIFFERS})
"""What must not be; the others are explained."""


def same(ours: Any, theirs: Any) -> bool:
    """Whether two values say the same: instants may be worded differently."""
    if ours == theirs:
        return True
    before, after = parse(ours), parse(theirs)
    return before is not None and before == after


def differing(resource: Resource, body: dict[str, Any], said: dict[str, Any]) -> list[str]:
    """The keys WorkOS has otherwise than the copy; what is composed when read, or secret, does not count."""
    clean, _ = redaction.clean(said)
    merge = resource.merge
    otherwise = {
        key
        for key, value in clean.items()
        if key not in merge.embedded
        and redaction.REDACTED not in (body.get(key), value)
        and not same(body.get(key), value)
        and not passed(resource, key, body.get(key), value)
        and not (key in merge.rising and reached(body.get(key), value))
    }
    left_out = {key for key in unsaid(clean, merge) if body.get(key) is not None}
    return sorted(otherwise | left_out)


def passed(resource: Resource, key: str, ours: Any, theirs: Any) -> bool:
    """Whether two values are a state and what time alone makes of it."""
    state = resource.passing
    return state is not None and key == state.key and (ours, theirs) == (state.now, state.then)


def reached(ours: Any, theirs: Any) -> bool:
    """Whether a timestamp that only ever rises is as far here as there; WorkOS may write it late."""
    before, after = parse(ours), parse(theirs)
    return before is not None and (after is None or before >= after)


def judge(resource: Resource, row: Row | None, said: dict[str, Any] | None) -> tuple[Standing, list[str]]:
    """How a row stands to what WorkOS says of its object (None: it has none), and the keys that differ."""
    alive = row is not None and row.deleted_at is None
    if said is None:
        return (Standing.EXTRA if alive else Standing.EQUAL), []
    if row is None or not alive:
        return Standing.MISSING, []
    keys = differing(resource, row.body, said)
    if not keys:
        return Standing.EQUAL, []
    return (Standing.VOLATILE if resource.volatile.issuperset(keys) else Standing.DIFFERS), keys


def moved(before: Row | None, after: Row | None) -> bool:
    """Whether a row changed between two looks."""
    return (before and (before.position, before.body)) != (after and (after.position, after.body))
