"""What was true at each moment of a storm, by the journal and the source's feed; and whether what was told is that.

Every answer names the position of the journal at which it was true (`Replica-Position`), and the journal says which
objects lived at each position. So each page that a reader was given is known, id by id, however stormy it was.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop
from math import floor
from typing import Any, NamedTuple

from user_management.tests.chaos.storm_clients import ALIVE, DELETED, UNKNOWN, Heard, Look, Page, Told, Write

TICK = 0.0015
"""Seconds: times are told in whole milliseconds."""


class Life(NamedTuple):
    """An object's life, by positions of the journal; its key is its place in lists."""

    key: tuple[float, str]
    born: int | None
    died: int | None

    def at(self, position: int) -> str:
        """Alive, deleted or unknown at a position."""
        if self.died is not None and self.died <= position:
            return DELETED
        return ALIVE if self.born is not None and self.born <= position else UNKNOWN


class Happening(NamedTuple):
    """An event of the source's feed; `moment` in seconds since 1970."""

    id: str
    type: str
    moment: float
    data: Mapping[str, Any]


@dataclass
class Truth:
    """What was true: lives by resource and id, the feed, and where the journal holds each of its events."""

    lives: dict[str, dict[str, Life]]
    feed: Sequence[Happening]
    journalled: Sequence[str]
    """The ids of events in the order of the journal."""
    positions: Mapping[str, int]
    hold_back: float
    stale_after: float
    frozen: Sequence[tuple[float, float]] = ()
    lying: Sequence[tuple[float, float]] = ()
    not_recorded: frozenset[str] = field(default_factory=frozenset)
    """Users of whom the API said in its log that it could not note the reply."""


def judge(heard: Heard, truth: Truth) -> list[str]:
    """Everything that was not as it must be, each in a sentence."""
    answers = [*(page.told for page in heard.pages), *(look.told for look in heard.looks)]
    return [
        *heard.wrong,
        *feed_kept(truth),
        *(fault for page in heard.pages if (fault := page_fault(page, truth.lives[page.kind]))),
        *(fault for look in heard.looks if (fault := look_fault(look, truth.lives["users"]))),
        *(fault for write in heard.writes for fault in write_faults(write, truth)),
        *done_once(heard.writes, truth.feed),
        *(fault for told in answers for fault in age_faults(told, truth)),
        *completeness(answers, truth),
        *never_back(answers),
    ]


def feed_kept(truth: Truth) -> Iterator[str]:
    """Every event of the feed is in the journal exactly once, in the order of the feed."""
    told, kept = [event.id for event in truth.feed], list(truth.journalled)
    if told != kept:
        missing, extra = sorted(set(told) - set(kept)), sorted(set(kept) - set(told))
        twice = [name for name, number in Counter(kept).items() if number > 1]
        yield f"the journal is not the feed: missing {missing[:5]}, not in the feed {extra[:5]}, twice {twice[:5]}"
        if not (missing or extra or twice):
            first = next(n for n, pair in enumerate(zip(told, kept, strict=True)) if pair[0] != pair[1])
            yield f"the journal's order is not the feed's from {told[first]} on: {kept[first : first + 3]}"


def page_fault(page: Page, lives: Mapping[str, Life]) -> str | None:
    """A page holds exactly the objects that lived at its position, from its cursor on, in order."""
    descending = page.order == "desc"
    living = sorted((one.key for one in lives.values() if one.at(page.told.position) == ALIVE), reverse=descending)
    if page.after is not None:
        place = lives[page.after].key
        living = [key for key in living if (key < place if descending else key > place)]
    wanted = tuple(name for _, name in living[: page.limit])
    following = wanted[-1] if len(living) > page.limit else None
    if page.ids == wanted and page.following == following:
        return None
    missing, extra = set(wanted) - set(page.ids), set(page.ids) - set(wanted)
    return (
        f"a page of {page.kind} ({page.order}, {page.limit} after {page.after}) at position {page.told.position} "
        f"lacks {sorted(missing)[:5]}, has {sorted(extra)[:5]} too much, goes on at {page.following}, not {following}"
    )


def look_fault(look: Look, lives: Mapping[str, Life]) -> str | None:
    """A user is told as it was at the answer's position: never gone while it lives, never back once it is deleted."""
    life = lives.get(look.id)
    wanted = life.at(look.told.position) if life else UNKNOWN
    if look.found == wanted:
        return None
    return f"user {look.id} was {look.found} to a reader at position {look.told.position}, where it was {wanted}"


def write_faults(write: Write, truth: Truth) -> Iterator[str]:
    """What was accepted is readable at once, unless the API said in its log that it could not note it."""
    look = write.first_look
    if look is not None and look.found == UNKNOWN and look.id not in truth.not_recorded:
        yield f"user {look.id} ({write.email}) was accepted, and unknown when it was looked at"


def done_once(writes: Sequence[Write], feed: Sequence[Happening]) -> Iterator[str]:
    """Each try that was accepted was done once, one that was refused never, one of which nobody knows at most once.

    Two tries under one key may both be done only because somebody else deleted what the first had made: WorkOS lets
    nobody have the same address twice.
    """
    made = Counter(event.data["email"] for event in feed if event.type == "user.created")
    for write in writes:
        least = write.outcomes.count("done")
        most = least + write.outcomes.count("unknown")
        if not least <= made[write.email] <= most:
            yield f"{write.email} was created {made[write.email]} times; the answers were: {write.outcomes}"


def age_faults(told: Told, truth: Truth) -> Iterator[str]:
    """The age is the time since `Replica-As-Of`, the state follows from it, and it grows while nobody can ask."""
    if told.as_of is None or told.age is None:
        if told.state != "backfilling":
            yield f"an answer was {told.state} without an age: {told}"
        return
    least, most = told.sent - told.as_of - TICK, told.heard - told.as_of + TICK
    if not floor(least) <= told.age <= most:
        yield f"an age is not the time since it was as of: {told}"
    if (told.state == "live" and least > truth.stale_after) or (told.state == "stale" and most < truth.stale_after):
        yield f"a state does not follow from its age: {told}"
    for began, ended in truth.frozen:
        if began + TICK < told.as_of < ended and told.heard < ended:
            yield f"a copy was as of a time at which nobody could ask the source: {told}"


def completeness(answers: Sequence[Told], truth: Truth) -> Iterator[str]:
    """A copy that is as of some time holds every event that the feed showed by then."""
    moments = [event.moment for event in truth.feed]
    for told in answers:
        if told.as_of is None or any(began - 1 < told.as_of < ended + 1 for began, ended in truth.lying):
            continue
        shown = bisect_right(moments, told.as_of - truth.hold_back - TICK)
        last = truth.feed[shown - 1] if shown else None
        if last is not None and truth.positions.get(last.id, 0) > told.position:
            late = told.as_of - last.moment
            yield f"an answer lacks the event {last.id}, which is {late:.3f} s older than what it is as of: {told}"


def never_back(answers: Sequence[Told]) -> Iterator[str]:
    """Who asks after an answer was heard is told nothing older; a copy that was complete never begins again."""
    heard = [(told.heard, told.position, told.as_of or 0.0, told.state != "backfilling") for told in answers]
    heapify(heard)
    position, as_of, complete = 0, 0.0, False
    for told in sorted(answers, key=lambda told: told.sent):
        while heard and heard[0][0] < told.sent:
            _, p, a, c = heappop(heard)
            position, as_of, complete = max(position, p), max(as_of, a), complete or c
        if told.position < position or (told.as_of or 0.0) < as_of - TICK:
            yield f"an answer is older than one before it (position {position}, as of {as_of}): {told}"
        if complete and told.state == "backfilling":
            yield f"a copy that was complete is backfilling: {told}"
