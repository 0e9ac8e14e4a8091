"""Recording: entries into the journal and their effect into the mirror, as one, in the caller's transaction."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from user_management.db import jsontext
from user_management.db.session import Connection
from user_management.journal import checkpoints, erasures, failures, webhooks
from user_management.journal import entries as journal
from user_management.journal.entries import EVENT_LANES, Entry, Lane, Verdict
from user_management.journal.failures import Failure
from user_management.mirror.engine import provisional
from user_management.mirror.engine.apply import Unstorable, fold_some, runs, write_all
from user_management.mirror.engine.fold import Folded
from user_management.mirror.engine.resource import Resource
from user_management.telemetry import metrics, spans

EFFECTIVE = frozenset({Verdict.APPLIED, Verdict.PARKED})
PRECEDENCE = {
    verdict: rank
    for rank, verdict in enumerate(
        (Verdict.UNKNOWN, Verdict.STALE, Verdict.FINAL, Verdict.UNCHANGED, Verdict.APPLIED, Verdict.PARKED)
    )
}
"""Which verdict is an entry's when resources differ: the one an operator would want to know."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording did: the entries as appended, with their verdicts, and where the journal now ends."""

    entries: tuple[Entry, ...]
    head: int
    failures: tuple[Failure, ...] = ()

    def and_then(self, more: "Recorded") -> "Recorded":
        """What this recording and the one after it did."""
        return Recorded(self.entries + more.entries, more.head, self.failures + more.failures)

    @property
    def counts(self) -> dict[str, int]:
        """How many entries came to which verdict."""
        return dict(Counter(entry.verdict.value for entry in self.entries))


@dataclass(frozen=True, slots=True)
class Audience:
    """The resources that apply entries now, and those still catching up, which will find them in the journal."""

    current: tuple[Resource, ...]
    behind: tuple[Resource, ...] = ()

    def awaits(self, entry: Entry) -> bool:
        """Whether a resource that is behind will want the entry."""
        return any(entry.type in resource.verbs for resource in self.behind)


async def record(connection: Connection, resources: Sequence[Resource], entries: Sequence[Entry]) -> Recorded:
    """Append what is new among the entries and apply it; one that cannot be applied or stored is parked, not lost.

    New is also what only a webhook has told so far; its entry is withdrawn.
    """
    positions = await checkpoints.lock(connection)
    head = positions[checkpoints.HEAD]
    audience = Audience(
        current=tuple(resource for resource in resources if positions.get(resource.name) == head),
        behind=tuple(resource for resource in resources if positions.get(resource.name) != head),
    )
    async with provisional.lifted(connection) as announced:
        fresh = await unseen(connection, await erasures.spared(connection, entries))
        if announced:
            await webhooks.withdraw(connection, fresh)
        try:
            async with connection.transaction():
                return await record_together(connection, audience, fresh, head)
        except Unstorable:
            return await record_singly(connection, audience, fresh, head)


async def unseen(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries whose event the journal does not hold yet (in its final place), each once."""
    event_ids = [entry.event_id for entry in entries if entry.event_id is not None]
    known = await journal.known(connection, event_ids) if event_ids else set()
    fresh: dict[str | int, Entry] = {}
    for number, entry in enumerate(entries):
        if entry.event_id not in known:
            fresh.setdefault(entry.event_id or number, entry)
    return list(fresh.values())


async def record_together(connection: Connection, audience: Audience, entries: Sequence[Entry], head: int) -> Recorded:
    """Append and apply entries, as many at once as may be folded as one."""
    done = Recorded((), head)
    for run in runs(audience.current, entries):
        rest = run
        while rest:
            count, one = await record_some(connection, audience, rest, done.head)
            done, rest = done.and_then(one), rest[count:]
    return done


async def record_some(
    connection: Connection, audience: Audience, entries: Sequence[Entry], head: int
) -> tuple[int, Recorded]:
    """Append and apply as many entries as may be folded as one, and how many: one statement for each table."""
    with spans.step("fold", {"user_management.entries": len(entries)}):
        count, folds = await fold_some(connection, audience.current, journal.number(entries, after=head))
        kept = [entry for entry in judged(entries[:count], folds) if worth_keeping(entry, audience)]
        if len(kept) < count:
            _, folds = await fold_some(connection, audience.current, journal.number(kept, after=head))
    if kept:
        with spans.step("journal", {"user_management.entries": len(kept)}):
            await journal.append(connection, kept)
        await write_all(connection, folds)
        await checkpoints.move(connection, old=head, new=head + len(kept))
    failed = tuple(failure for folded in folds.values() for failure in folded.failures)
    return count, Recorded(tuple(kept), head + len(kept), failed)


async def record_singly(connection: Connection, audience: Audience, entries: Sequence[Entry], head: int) -> Recorded:
    """Append and apply entries one at a time, each under a savepoint; those PostgreSQL refuses are parked."""
    done = Recorded((), head)
    for entry in entries:
        try:
            async with connection.transaction():
                one = await record_together(connection, audience, [entry], done.head)
        except Unstorable as error:
            one = await record_parked(connection, audience, entry, done.head, error)
        done = done.and_then(one)
    return done


async def record_parked(
    connection: Connection, audience: Audience, entry: Entry, head: int, error: Exception
) -> Recorded:
    """Append an entry PostgreSQL refused to apply and park it; what it refuses even to store is kept as its repr."""
    parked = replace(entry, position=head + 1, verdict=Verdict.PARKED)
    causes = tuple(Failure(head + 1, one.name, str(error)) for one in audience.current if entry.type in one.verbs)
    try:
        async with connection.transaction():
            await journal.append(connection, [parked])
    except Unstorable:
        body = {"unstorable": ascii(entry.body)}
        parked = replace(parked, object_id=None, body=body, text=jsontext.dumps(body))
        await journal.append(connection, [parked])
    await failures.park(connection, causes)
    await checkpoints.move(connection, old=head, new=head + 1)
    return Recorded((parked,), head + 1, causes)


def judged(entries: Sequence[Entry], folds: Mapping[Resource, Folded]) -> Sequence[Entry]:
    """The entries, each given its verdict over all resources it concerns."""
    for entry in entries:
        entry.verdict = Verdict.UNKNOWN
    for folded in folds.values():
        for entry in entries:
            found = folded.verdicts.get(entry.position)
            if found is not None and PRECEDENCE[found] > PRECEDENCE[entry.verdict]:
                entry.verdict = found
    return entries


def report(recorded: Recorded, lane: Lane, *, began: float) -> None:
    """Count what a page came to, once it is committed; `began` is when its recording did (`time.perf_counter`)."""
    metrics.page_duration.record(time.perf_counter() - began, lane.value)
    metrics.page_entries.record(len(recorded.entries), lane.value)
    # Types that no resource knows are counted as one: their names are anybody's.
    unknown = Verdict.UNKNOWN
    counts = Counter(("other" if e.verdict is unknown else e.type, e.verdict.value) for e in recorded.entries)
    for (type_, outcome), count in counts.items():
        metrics.entries.add(count, {"lane": lane.value, "type": type_, "outcome": outcome})


def worth_keeping(entry: Entry, audience: Audience) -> bool:
    """Whether an entry belongs into the journal: every event does, and of the rest what does or will do something."""
    return entry.lane in EVENT_LANES or entry.verdict in EFFECTIVE or audience.awaits(entry)
