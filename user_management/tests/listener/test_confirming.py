"""The last of a backfill, where WorkOS answers one question oddly."""

from contextlib import nullcontext

import httpx
import pytest

from user_management.db.session import Pool, transaction
from user_management.listener import backfills, patience, questions
from user_management.listener.backfills import Backfill, Phase
from user_management.listener.patience import PATIENCE, ROUNDS, Patience
from user_management.listener.questions import Question
from user_management.listener.worker import Listener
from user_management.mirror import connections, groups, users
from user_management.mirror.engine.resource import Resource
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails once has failed for long."""
    monkeypatch.setattr(patience, "PATIENCE", 0.0)
    monkeypatch.setattr(patience, "ROUNDS", 1)


async def alive(pool: Pool) -> set[str]:
    """The users that the copy holds."""
    return set(await copies.live(pool, "users"))


async def latest(pool: Pool) -> Backfill:
    """The newest run."""
    async with pool.acquire() as connection:
        run = await backfills.latest(connection)
    assert run is not None
    return run


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
    await copies.confirm(filled)
    assert (await alive(filled.pool)).isdisjoint(gone)


@pytest.mark.usefixtures("impatient")
async def test_a_run_ends_without_what_is_answered_oddly_for_long(
    filled: Listener, gone: list[str], refusing: Refusing
) -> None:
    """One object must not keep a copy from being complete; it stays as it was, and the run says so."""
    refusing.refusal = lambda request: 301 if gone[0] in request.url.path else 0
    await copies.fill(filled)
    run = await latest(filled.pool)
    assert (run.phase, "does not answer" in run.note) == (Phase.DONE, True)
    assert (await alive(filled.pool)).intersection(gone) == {gone[0]}


async def test_one_failure_ends_no_run_however_old(filled: Listener, gone: list[str], refusing: Refusing) -> None:
    """A listener that was stopped for hours in the midst of it asks again, as if it had just begun."""
    failing = [gone[0]]
    refusing.refusal = lambda request: 502 if failing and failing[0] in request.url.path else 0
    with pytest.raises(WorkOSUnavailable):
        await copies.fill(filled)
    await filled.pool.execute("UPDATE backfills SET listed_at = listed_at - interval '2 hours' WHERE unfinished")
    filled.patience = Patience()
    with pytest.raises(WorkOSUnavailable):
        await copies.confirm(filled)
    failing.clear()
    await copies.confirm(filled)
    assert (await alive(filled.pool)).isdisjoint(gone)


@pytest.mark.usefixtures("impatient")
async def test_a_run_waits_while_workos_answers_for_none_of_a_kind(
    filled: Listener, gone: list[str], refusing: Refusing
) -> None:
    """However long: that is an outage, though lists and feed go on, and says nothing of those who may be gone."""
    refusing.refusal = lambda request: 503 if request.url.path.startswith("/user_management/users/") else 0
    for trying in (copies.fill, copies.confirm):
        with pytest.raises(WorkOSUnavailable):
            await trying(filled)
    assert (await latest(filled.pool)).phase is Phase.CONFIRMING
    refusing.refusal = lambda _request: 0
    await copies.confirm(filled)
    assert (await alive(filled.pool)).isdisjoint(gone)


async def test_what_was_answered_is_not_asked_again(filled: Listener, local: LocalWorkOS, refusing: Refusing) -> None:
    """The next round asks for what failed only, or a run would have to wait for one in which nothing fails."""
    hidden, asked = local.app.state.store.users.ids[:3], list[str]()
    del local.app.state.store.users.ids[:3]

    def refusal(request: httpx.Request) -> int:
        asked.extend(key for key in hidden if request.url.path.endswith(key))
        return 500 if request.url.path.endswith(hidden[0]) else 0

    refusing.refusal = refusal
    async with transaction(filled.pool) as connection:
        await backfills.request(connection, filled.resources[0].name)
    for trying in (copies.fill, copies.confirm):
        with pytest.raises(WorkOSUnavailable):
            await trying(filled)
    assert sorted(asked) == sorted([hidden[0], *hidden])


def about(key: str) -> Question:
    """A question about a user."""

    async def ask() -> None:
        raise WorkOSUnavailable("down")

    return Question(((users.resource, key),), ask)


@pytest.mark.parametrize(
    ("rounds", "last", "over"),
    [(1, PATIENCE, False), (ROUNDS - 1, PATIENCE, False), (ROUNDS, PATIENCE - 1, False), (ROUNDS, PATIENCE, True)],
)
def test_patience_is_an_hour_of_several_rounds(rounds: int, last: float, *, over: bool) -> None:
    """Since an object first went unanswered, by one process; each new one that does so has an hour of its own."""
    asking, other = patience_with(rounds - 1), about("other")
    [one] = asking.left(1, [about("one")])
    assert asking.note([one], [one], last) is over
    assert asking.note([one, other], [one, other], last) is False


def patience_with(rounds: int) -> Patience:
    """A run's patience after so many rounds in which one object went unanswered."""
    made, one = Patience(run=1), about("one")
    for number in range(rounds):
        made.note([one], [one], float(number))
    return made


def test_patience_is_forgotten_with_its_run() -> None:
    """The next one asks for everything, and waits an hour again."""
    asking, one = patience_with(ROUNDS), about("one")
    asking.note([one], [], PATIENCE)
    assert asking.left(1, [one]) == []
    assert asking.left(2, [one]) == [one]
    assert asking.note([one], [one], 2 * PATIENCE) is False


@pytest.mark.parametrize(("status", "enough"), [(0, 100), (503, questions.OUTAGE)])
async def test_where_workos_answers_nothing_it_is_not_asked_for_everything(
    filled: Listener, refusing: Refusing, status: int, enough: int
) -> None:
    """Ten failures in a row are an outage, unless others of the kind are answered for: then these ten are odd."""
    asked: list[str] = []

    async def ask() -> None:
        asked.append("odd")
        raise WorkOSUnavailable("down")

    refusing.refusal = lambda _request: status
    odd = [Question(((users.resource, f"user_{number}"),), ask) for number in range(100)]
    with pytest.raises(WorkOSUnavailable) if status else nullcontext():
        await questions.ask(filled.pool, filled.workos, odd)
    assert len(asked) == enough


@pytest.mark.parametrize(
    ("resource", "path"), [(connections.resource, "/connections"), (groups.resource, "/organizations/")]
)
@pytest.mark.parametrize(("status", "answers"), [(0, True), (403, True), (500, False)])
async def test_where_the_copy_holds_no_others_of_a_kind_its_list_or_a_parent_is_asked_for(
    filled: Listener, refusing: Refusing, resource: Resource, path: str, status: int, *, answers: bool
) -> None:
    """Something of the sort must answer, if only that we may not know."""
    await filled.pool.execute(f"UPDATE {resource.name} SET deleted_at = now()")
    refusing.refusal = lambda request: status if request.url.path.startswith(path) else 0
    assert await questions.answers(filled.pool, filled.workos, [resource], []) is answers
