"""What ends with its grandparent ends alike, however the pages are cut: whose it is, only the tables tell."""

from typing import Any

import pytest

from user_management.db.session import Pool, transaction
from user_management.journal.entries import Entry
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import record
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Cascade
from user_management.tests.mirror.test_pairs import generations
from user_management.tests.support import copies, samples
from user_management.tests.support.samples import entry

LATER = 1_000_000
"""Minutes after which everything that the samples tell of has happened."""
ENDS = [(one, cascade) for one in catalog.resources() for cascade in one.cascades if cascade.through]


def story(resource: Resource, end: Entry, own: str) -> list[Entry]:
    """A grandchild that is there, the end of its grandparent, and what is told of the child itself afterwards."""
    family = [entry(one, "created") for one in catalog.resources() if one.name in generations(resource)]
    return [*family, entry(resource, "created", minutes=1), end, entry(resource, own, minutes=LATER)]


async def rows(pool: Pool, *pages: list[Entry]) -> dict[str, list[Any]]:
    """All rows once these pages were recorded on an empty copy, which are then forgotten."""
    for page in pages:
        async with transaction(pool) as connection:
            await record(connection, catalog.resources(), page)
    found = await copies.everything(pool)
    await copies.assert_equal_to_journal(pool)
    await pool.execute(f"TRUNCATE journal, {', '.join(one.name for one in catalog.resources())}")
    await pool.execute("UPDATE checkpoints SET position = 0")
    return found


@pytest.mark.parametrize("own", ["created", "updated", "deleted"])
@pytest.mark.parametrize(("resource", "cascade"), ENDS, ids=lambda one: one.name)
async def test_pages_of_any_size_end_alike(pool: Pool, resource: Resource, cascade: Cascade, own: str) -> None:
    """One by one, all at once, and with the grandparent's end on the page of what follows it."""
    told = story(resource, samples.end_of(cascade), own)
    singly = await rows(pool, *([one] for one in told))
    assert await rows(pool, told) == singly
    assert await rows(pool, told[:-2], told[-2:]) == singly
    assert await rows(pool, told[:-1], told[-1:]) == singly
