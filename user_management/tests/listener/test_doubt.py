"""Doubt: a place that WorkOS no longer knows is noticed, whatever it answers; and a quiet tenant is left in peace."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from user_management.db.session import Pool, transaction
from user_management.journal import cursor
from user_management.journal.cursor import Cursor
from user_management.listener import backfills, daemon, doubt, pull, start
from user_management.listener.doubt import CursorLost, Doubt, Trust
from user_management.listener.worker import Listener
from user_management.services.workos.errors import WorkOSUnavailable
from user_management.tests.listener.test_daemon import another, equal, ready, running
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import until

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("cursor", "worth"),
    [
        (Cursor(), Trust.GOOD),
        (Cursor(event_id="event_1", event_at=NOON - 400 * DAY, drained_at=NOON, now=NOON), Trust.GOOD),
        (Cursor(event_id="event_1", drained_at=NOON - 15 * DAY, now=NOON), Trust.GOOD),
        (Cursor(event_id="event_1", drained_at=NOON - 16 * DAY, now=NOON), Trust.AGEING),
        (Cursor(event_id="event_1", drained_at=NOON - 26 * DAY, now=NOON), Trust.EXPIRED),
        (Cursor(event_id="event_1", event_at=NOON - 24 * DAY, drained_at=NOON - 26 * DAY, now=NOON), Trust.AGEING),
        (Cursor(event_id="event_1", event_at=NOON + DAY, drained_at=NOON - 26 * DAY, now=NOON), Trust.EXPIRED),
        (Cursor(event_id="event_1", boundary=NOON - 26 * DAY, now=NOON), Trust.EXPIRED),
        (Cursor(event_id="event_1", boundary=NOON - 90 * DAY, drained_at=NOON, now=NOON), Trust.GOOD),
        (Cursor(event_id="event_1", boundary=NOON + DAY, drained_at=NOON, now=NOON), Trust.GOOD),
        (Cursor(boundary=NOON + DAY, now=NOON), Trust.EXPIRED),
        (Cursor(event_id="event_1", drained_at=NOON + DAY, now=NOON), Trust.GOOD),
    ],
)
def test_what_a_place_is_worth(cursor: Cursor, worth: Trust) -> None:
    """It ages from when the end of the feed was last reached, or from its event, if that is younger: we catch up."""
    assert doubt.trust(cursor) is worth


async def away(listener: Listener, days: float) -> None:
    """Let the end of the feed have been reached so many days ago, and everything in it be as old."""
    await listener.pool.execute(
        "UPDATE cursor SET drained_at = now() - make_interval(hours => $1), event_at = now() - interval '60 days'",
        int(days * 24),
    )


@contextmanager
def ago(local: LocalWorkOS, minutes: int) -> Iterator[None]:
    """Let what happens within the block have happened so long ago."""
    store = local.app.state.store
    today, store.time = store.time, lambda: datetime.now(UTC) - timedelta(minutes=minutes)
    yield
    store.time = today


@pytest.fixture
async def followed(listener: Listener, local: LocalWorkOS) -> Listener:
    """A listener whose copy is complete and drained."""
    with ago(local, 60):
        await local.activity(60)
    await start.prepare(listener.pool, listener.resources, listener.types, margin=7200)
    await copies.fill(listener)
    return listener


async def test_events_about_to_expire_are_warned_of_once(followed: Listener, local: LocalWorkOS) -> None:
    """Not the quiet tenant whose feed ends: only when there is more than a page behind us after two weeks."""
    with capture_logs() as logs:
        await away(followed, 16)
        await daemon.poll(followed)
        assert [one for one in logs if one["event"] == "cursor.ageing"] == []
        await local.activity(350)
        for _ in range(2):
            await away(followed, 16)
            await daemon.poll(followed)
    assert [one["log_level"] for one in logs if one["event"] == "cursor.ageing"] == ["warning"]


async def test_an_outage_that_lasts_is_warned_of(followed: Listener, local: LocalWorkOS) -> None:
    """WorkOS answers nothing, and soon forgets what it would have said: the log says so without Prometheus."""
    await local.misbehave({"500": 1.0})
    with capture_logs() as logs:
        for days in (1, 16, 16):
            await away(followed, days)
            with pytest.raises(WorkOSUnavailable):
                await daemon.poll(followed)
    await local.misbehave({})
    assert [one["event"] for one in logs if one["event"].startswith("cursor")] == ["cursor.ageing"]


async def test_after_25_days_nobody_resumes(followed: Listener, local: LocalWorkOS) -> None:
    """Some of what is behind our place may be gone already: the copy begins again, and ends equal."""
    gone = next(iter(await local.objects("users")))
    await local.call("DELETE", f"/user_management/users/{gone}")
    await away(followed, 26)
    with capture_logs() as logs:
        async with running(followed):
            await until(lambda: ready(followed.pool))
            await until(lambda: equal(followed.pool, local))
    assert "cursor.lost" in {one["event"] for one in logs}
    await copies.assert_equal_to_journal(followed.pool)


async def test_while_workos_is_away_nothing_is_begun_again(followed: Listener, local: LocalWorkOS) -> None:
    """The copy stays complete, though old, until there is somebody to list from."""
    await away(followed, 26)
    await local.misbehave({"503": 1.0})
    with pytest.raises(Exception, match="503"):
        await daemon.poll(followed)
    assert await ready(followed.pool)


@pytest.mark.parametrize("answer", ["empty", "restart", "refuse"])
async def test_whatever_is_answered_to_a_lost_place(
    local: LocalWorkOS, pool: Pool, listener: Listener, answer: str
) -> None:
    """Nothing, the feed from its start, or a refusal: at the end nothing is missing, invented or deleted."""
    await local.call("PUT", "/_sandbox/unknown-cursor", {"answer": answer})
    listener.pace = replace(listener.pace, backfill_margin=7200.0)
    with ago(local, 60):
        await local.activity(120)
    async with running(listener):
        await until(lambda: ready(pool))
        await until(lambda: equal(pool, local))
    with ago(local, 30):
        await local.activity(250)
    await pool.execute("UPDATE cursor SET event_id = 'event_forgotten'")
    second = another(listener)
    second.pace, second.doubt = replace(listener.pace, doubt_after=0.2), Doubt()
    async with running(second):
        await until(lambda: equal(pool, local))
    await copies.assert_equal_to_journal(pool)


async def test_an_empty_answer_does_not_stay_live_for_ever(followed: Listener, local: LocalWorkOS) -> None:
    """What proves the loss is an old event in the feed that our place does not lead to."""
    await local.call("PUT", "/_sandbox/unknown-cursor", {"answer": "empty"})
    with ago(local, 30):
        await local.user()
    await followed.pool.execute("UPDATE cursor SET event_id = 'event_forgotten'")
    assert (await daemon.poll(followed)).drained
    with pytest.raises(CursorLost):
        await doubt.examine(followed.pool, followed.workos, followed.types)


async def test_a_quiet_tenant_is_not_doubted(followed: Listener) -> None:
    """Nothing new, and nothing that we missed: the place is proven."""
    await doubt.examine(followed.pool, followed.workos, followed.types)


async def test_events_not_yet_followed_are_no_proof(followed: Listener, local: LocalWorkOS) -> None:
    """An old event that our place leads to was merely not fetched yet."""
    with ago(local, 30):
        await local.user("late@example.com")
    await doubt.examine(followed.pool, followed.workos, followed.types)
    await copies.drain(followed)


async def test_what_happened_before_the_copy_began_is_no_proof(listener: Listener, local: LocalWorkOS) -> None:
    """It was listed, and never was in the journal: a copy that is minutes old does not give itself up."""
    with ago(local, 12):
        await local.user("before@example.com")
    with ago(local, 9):
        await local.user("after@example.com")
    await copies.begin(listener)
    await copies.fill(listener)
    assert await listener.pool.fetchval("SELECT event_id IS NOT NULL FROM cursor")
    await doubt.examine(listener.pool, listener.workos, listener.types)


async def test_types_that_are_followed_since_are_no_proof(listener: Listener, local: LocalWorkOS) -> None:
    """Their older events are not in the journal of a copy that was upgraded, and yet nothing is lost."""
    every = listener.types
    listener.types = tuple(one for one in every if not one.startswith("session."))
    with ago(local, 60):
        await local.activity(60)
    await start.prepare(listener.pool, listener.resources, listener.types, margin=7200)
    await copies.fill(listener)
    with ago(local, 30):
        await local.activity(60)
    await copies.drain(listener)
    listener.types = every
    await start.prepare(listener.pool, listener.resources, listener.types, margin=7200)
    await copies.fill(listener)
    await doubt.examine(listener.pool, listener.workos, listener.types)


async def test_who_begins_again_lists_what_was_asked_for(followed: Listener) -> None:
    """A run for sessions that was at work when the place was lost is one for sessions still."""
    async with transaction(followed.pool) as connection:
        await backfills.request(connection, followed.resources[0].name, ["sessions"])
        lost = await cursor.read(connection)
    await start.begin_again(followed.pool, followed.resources, lost, margin=600)
    async with followed.pool.acquire() as connection:
        run = await backfills.unfinished(connection)
    assert run is not None
    assert run.also == ("sessions",)


async def test_a_loss_behind_thousands_of_events_is_found(followed: Listener, local: LocalWorkOS) -> None:
    """However much happened shortly before our place: it is read on until something is missing, or to the end."""
    with ago(local, 40):
        await local.activity(3000)
    await copies.drain(followed)
    await local.call("PUT", "/_sandbox/unknown-cursor", {"answer": "empty"})
    with ago(local, 30):
        await local.user("missed@example.com")
    await followed.pool.execute("UPDATE cursor SET event_id = 'event_forgotten'")
    with pytest.raises(CursorLost):
        await doubt.examine(followed.pool, followed.workos, followed.types)


async def test_fresh_events_are_no_proof(followed: Listener, local: LocalWorkOS) -> None:
    """WorkOS may show them to one question and still hold them back from the other."""
    await local.call("PUT", "/_sandbox/unknown-cursor", {"answer": "empty"})
    await followed.pool.execute("UPDATE cursor SET event_id = 'event_forgotten'")
    await local.user("fresh@example.com")
    await doubt.examine(followed.pool, followed.workos, followed.types)


async def test_a_boundary_in_the_future_is_given_up(listener: Listener) -> None:
    """The clock was set back since: what happens before the boundary would never be asked for."""
    await copies.begin(listener)
    await listener.pool.execute("UPDATE cursor SET boundary = now() + interval '1 day'")
    with pytest.raises(CursorLost):
        await pull.fetch(listener.pool, listener.workos, listener.types)


async def test_a_copy_that_was_away_for_a_month_before_its_first_event_begins_again(
    listener: Listener, pool: Pool
) -> None:
    """Found by the simulator (cursor 300): WorkOS refuses to be asked from so long ago, and always would."""
    await copies.begin(listener)
    await pool.execute("UPDATE cursor SET boundary = now() - interval '31 days'")
    await daemon.poll(listener)
    assert await pool.fetchval("SELECT boundary > now() - interval '1 hour' FROM cursor")
