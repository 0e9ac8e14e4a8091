"""The simulator, at a few seeds of each fault class, at every statement of a page; and that it finds what is wrong."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from user_management.db import embedded, session
from user_management.db.session import Pool
from user_management.journal import cursor as cursors
from user_management.journal import entries
from user_management.journal.entries import Entry
from user_management.listener import pull
from user_management.listener.pull import Fetched, Pulled
from user_management.mirror.engine import record, verbs
from user_management.mirror.engine.verbs import Row
from user_management.tests.chaos import simulator, simulator_cuts
from user_management.tests.chaos.cuts import Cut
from user_management.tests.chaos.faults import FAULTS
from user_management.tests.chaos.simulator import Simulator

DAYS, SCENES = range(1, 3), range(1, 9)


@pytest.fixture(scope="module")
async def url(server: str) -> str:
    """The URL of a database for simulations."""
    return await embedded.create(server, "simulated", template="template")


@pytest.fixture(scope="module")
def simulated(url: str) -> Iterator[Simulator]:
    """A simulator, and nothing logged: it would be a line for every page of a thousand."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        with simulator.simulator(url) as found:
            yield found
    finally:
        structlog.configure(**before)


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_day_ends_well(simulated: Simulator, name: str) -> None:
    """Whatever the seed brings: the copy equals its source and its journal, and every write was done once."""
    for seed in DAYS:
        failure = simulated.day(FAULTS[name], seed)
        assert failure is None, f"{failure}\n{failure.story}"


@pytest.mark.parametrize("name", FAULTS)
def test_a_page_or_three_end_well(simulated: Simulator, name: str) -> None:
    """The same of small scenes, and of more seeds."""
    for seed in SCENES:
        failure = simulated.scene(FAULTS[name], seed)
        assert failure is None, f"{failure}\n{failure.story}"


@pytest.mark.parametrize("kind", simulator_cuts.KINDS, ids=lambda cut: str(cut.kind))
def test_a_page_is_cut_at_every_statement(simulated: Simulator, kind: Cut) -> None:
    """Before and after each statement of its transaction, COMMIT included: nothing is lost and nothing done twice."""
    results = list(simulator_cuts.every(simulated, simulator_cuts.SCENES["page"], kind))
    assert [str(failure) for failure in results if failure is not None] == []
    assert len(results) > 10


async def in_two(pool: Pool, resources: Any, fetched: Fetched) -> Pulled:
    """A page whose cursor moves in a transaction of its own, before its effect."""
    told = [entries.of_event(event, received_at=fetched.asked_at) for event in fetched.page.events]
    async with session.transaction(pool) as connection:
        if told and told[-1].event_id is not None:
            last = told[-1]
            await cursors.advance(
                connection, old=fetched.cursor, event_id=str(last.event_id), event_at=last.occurred_at
            )
        if fetched.page.end:
            behind = str(told[-1].event_id) if told else fetched.cursor.event_id
            await cursors.drained(connection, fetched.asked_at, behind=behind)
    async with session.transaction(pool) as connection:
        recorded = await record.record(connection, resources, told)
    return Pulled(recorded, drained=fetched.page.end, moved=bool(told))


async def journalled_only(*_anything: Any) -> None:
    """Rows that are not written."""


def earlier_wins(entry: Entry, updated_at: Any, row: Row) -> bool:
    """A tie that goes to the earlier event."""
    return bool(updated_at > row.updated_at)


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "the cursor moves before its effect": (pull, "commit", in_two, "crash"),
    "what is journalled is not applied": (record, "write_all", journalled_only, "none"),
    "a tie goes to the earlier event": (verbs, "newer", earlier_wins, "none"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_broken_is_found(simulated: Simulator, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    """A rule of correctness taken away makes runs fail within a few seeds."""
    module, name, instead, fault = MUTANTS[mutant]
    monkeypatch.setattr(module, name, instead)
    assert any(simulated.day(FAULTS[fault], seed) is not None for seed in range(1, 31))
