"""The last of a backfill, where WorkOS answers one question oddly."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from user_management.db.session import Pool, transaction
from user_management.listener import backfills, confirming, questions
from user_management.listener.backfills import Phase
from user_management.listener.worker import Listener
from user_management.services.workos.errors import BadAnswer, WorkOSUnavailable
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.refusing import Refusing


@pytest.fixture
async def gone(filled: Listener, local: LocalWorkOS) -> list[str]:
    """Users that were deleted without an event, when a run has listed everything."""
    found = list(await local.objects("users"))[:3]
    for user in found:
        await local.call("DELETE", f"/user_management/users/{user}")
    head = (await local.call("GET", "/_sandbox"))["head"]
    await filled.pool.execute("UPDATE cursor SET event_id = $1", head)
    async with transaction(filled.pool) as connection:
        await backfills.request(connection, filled.resources[0].name)
    return found


async def alive(pool: Pool) -> set[str]:
    """The users that the copy holds."""
    return set(await copies.live(pool, "users"))


@pytest.mark.parametrize(("status", "failure"), [(301, BadAnswer), (500, WorkOSUnavailable)])
async def test_one_odd_answer_keeps_no_other_question_waiting(
    filled: Listener, gone: list[str], refusing: Refusing, status: int, failure: type[Exception]
) -> None:
    """Who is gone has ended; the run is tried again for the sake of the one."""
    refusing.refusal = lambda request: status if gone[0] in request.url.path else 0
    with pytest.raises(failure):
        await copies.fill(filled)
    assert (await alive(filled.pool)).intersection(gone) == {gone[0]}
    refusing.refusal = lambda _request: 0
    await copies.fill(filled)
    assert (await alive(filled.pool)).isdisjoint(gone)


async def test_a_run_ends_without_what_is_answered_oddly_for_long(
    filled: Listener, gone: list[str], refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object must not keep a copy from being complete; it stays as it was, and the run says so."""
    refusing.refusal = lambda request: 301 if gone[0] in request.url.path else 0
    monkeypatch.setattr(confirming, "PATIENCE", timedelta(seconds=-1))
    await copies.fill(filled)
    async with filled.pool.acquire() as connection:
        run = await backfills.latest(connection)
    assert run is not None
    assert (run.phase, "does not answer" in run.note) == (Phase.DONE, True)
    assert (await alive(filled.pool)).intersection(gone) == {gone[0]}


@pytest.mark.parametrize(("asking", "drained", "ends"), [(61, 0, True), (59, 0, False), (61, 2, False)])
async def test_a_run_is_patient_while_workos_as_a_whole_is_odd(
    filled: Listener, gone: list[str], *, asking: int, drained: int, ends: bool
) -> None:
    """It gives up after an hour, and only while the feed is followed."""
    assert gone
    moments = [datetime.now(UTC) - timedelta(minutes=one) for one in (asking, drained)]
    await filled.pool.execute("UPDATE backfills SET followed_at = $1 WHERE unfinished", moments[0])
    await filled.pool.execute("UPDATE cursor SET drained_at = $1", moments[1])
    async with filled.pool.acquire() as connection:
        run = await backfills.unfinished(connection)
    assert run is not None
    assert await confirming.hopeless(filled.pool, run) is ends


@pytest.mark.parametrize(("drained", "enough"), [(2, questions.OUTAGE), (0, 100)])
async def test_where_workos_answers_nothing_it_is_not_asked_for_everything(
    filled: Listener, drained: int, enough: int
) -> None:
    """Ten failures in a row are an outage, unless the feed is followed: then it is the objects that are odd."""
    asked: list[int] = []

    async def question(number: int) -> None:
        asked.append(number)
        raise WorkOSUnavailable("down")

    await filled.pool.execute("UPDATE cursor SET drained_at = clock_timestamp() - make_interval(mins => $1)", drained)
    with pytest.raises(WorkOSUnavailable) if enough < 100 else nullcontext():
        await questions.ask(filled.pool, (partial(question, number) for number in range(100)))
    assert len(asked) == enough
