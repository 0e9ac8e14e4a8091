"""What an event tells only in part: read again at WorkOS, once it is known that it happened."""

import pytest

from user_management.db.session import Pool, transaction
from user_management.journal import rereads as noted
from user_management.listener import rereads
from user_management.listener.worker import Listener
from user_management.mirror.engine import retry
from user_management.services.workos.errors import BadAnswer, WorkOSUnavailable
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.refusing import Refusing
from user_management.tests.support.roles import read_all, role


async def waiting(pool: Pool) -> list[str]:
    """The ids of what waits to be read again."""
    return [row["id"] for row in await pool.fetch("SELECT id FROM rereads ORDER BY position")]


async def test_a_role_has_its_name_once_it_was_read_again(filled: Listener, local: LocalWorkOS) -> None:
    """Its events have none; afterwards nothing waits any more."""
    made = await role(local)
    await copies.drain(filled)
    assert "name" not in (await copies.live(filled.pool, "roles"))["auditor"]
    assert "auditor" in await waiting(filled.pool)
    await read_all(filled)
    found = (await copies.live(filled.pool, "roles"))["auditor"]
    assert (found["name"], found["id"], await waiting(filled.pool)) == ("Auditor", made["id"], [])
    await copies.assert_equal_to_journal(filled.pool)


async def test_what_waits_to_be_read_again_survives_a_crash(
    filled: Listener, refusing: Refusing, local: LocalWorkOS
) -> None:
    """It is noted with the event, and struck off with the answer only."""
    await read_all(filled)
    await role(local)
    await copies.drain(filled)
    refusing.refusal = lambda _request: 500
    with pytest.raises(WorkOSUnavailable):
        await rereads.turn(filled.pool, filled.workos, filled.resources)
    assert await waiting(filled.pool) == ["auditor"]


async def test_a_role_that_is_gone_ends_where_it_is_read_again(filled: Listener, local: LocalWorkOS) -> None:
    """A 404 is an answer, once it is not of before the event."""
    await role(local)
    await copies.drain(filled)
    await local.call("DELETE", "/_sandbox/roles/auditor")
    with pytest.raises(BadAnswer, match="just now"):
        await read_all(filled)
    assert "auditor" in await copies.live(filled.pool, "roles")
    await filled.pool.execute("UPDATE journal SET recorded_at = recorded_at - $1::interval", rereads.BELIEVED)
    await read_all(filled)
    assert "auditor" not in await copies.live(filled.pool, "roles")
    await copies.drain(filled)
    await copies.assert_equal_to_journal(filled.pool)


async def test_a_role_that_was_parked_is_read_again_once_it_is_applied(filled: Listener, local: LocalWorkOS) -> None:
    """A retried event tells no more than one that is applied at once."""
    await read_all(filled)
    await filled.pool.execute("ALTER TABLE roles ADD CONSTRAINT narrow CHECK (id <> 'auditor')")
    await role(local)
    await copies.drain(filled)
    position = await filled.pool.fetchval("SELECT position FROM failures WHERE resource = 'roles'")
    assert (await waiting(filled.pool), "auditor" in await copies.live(filled.pool, "roles")) == ([], False)
    await filled.pool.execute("ALTER TABLE roles DROP CONSTRAINT narrow")
    async with transaction(filled.pool) as connection:
        assert await retry.retry(connection, position) == []
    await read_all(filled)
    assert (await copies.live(filled.pool, "roles"))["auditor"]["name"] == "Auditor"
    await copies.assert_equal_to_source(filled.pool, local)
    await copies.assert_equal_to_journal(filled.pool)


async def test_an_event_that_comes_while_it_is_asked_for_is_not_struck_off(
    filled: Listener, local: LocalWorkOS
) -> None:
    """What was answered may be older than the event: it is read once more."""
    await role(local)
    await copies.drain(filled)
    await read_all(filled)
    await filled.pool.execute("INSERT INTO rereads VALUES ('roles', 'auditor', 7)")
    async with transaction(filled.pool) as connection:
        await noted.done(connection, "roles", "auditor", 6)
    assert await waiting(filled.pool) == ["auditor"]


async def test_a_role_that_may_not_be_read_stays_as_it_was_told(
    filled: Listener, refusing: Refusing, local: LocalWorkOS
) -> None:
    """And does not hold up others."""
    await role(local)
    await copies.drain(filled)
    refusing.refusal = lambda request: 403 if "/authorization" in request.url.path else 0
    await read_all(filled)
    assert "auditor" in await copies.live(filled.pool, "roles")
    assert await waiting(filled.pool) == []


@pytest.mark.parametrize(("status", "failure"), [(301, BadAnswer), (500, WorkOSUnavailable)])
async def test_roles_that_are_not_answered_for_keep_no_other_waiting(  # noqa: PLR0917  what is refused, and how it ends
    filled: Listener,
    refusing: Refusing,
    local: LocalWorkOS,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    failure: type[Exception],
) -> None:
    """However many they are: the last is read, and the others wait on."""
    monkeypatch.setattr(noted, "AT_ONCE", 2)
    await read_all(filled)
    for number in range(5):
        await role(local, f"auditor-{number}")
    await copies.drain(filled)
    refusing.refusal = lambda request: status if request.url.path[-1] in "0123" else 0
    with pytest.raises(failure):
        await rereads.turn(filled.pool, filled.workos, filled.resources)
    assert await waiting(filled.pool) == [f"auditor-{number}" for number in range(4)]


async def test_a_role_that_workos_shows_as_it_was_before_is_asked_for_again(
    filled: Listener, local: LocalWorkOS
) -> None:
    """Its event was faster than what answers us."""
    await role(local)
    await copies.drain(filled)
    store = local.app.state.store
    new = store.roles["auditor"]
    store.roles["auditor"] = new.replace(b'"updated_at":"20', b'"updated_at":"19')
    with pytest.raises(BadAnswer, match="as it was before"):
        await read_all(filled)
    assert await waiting(filled.pool) == ["auditor"]
    store.roles["auditor"] = new
    await read_all(filled)
    assert (await copies.live(filled.pool, "roles"))["auditor"]["name"] == "Auditor"
