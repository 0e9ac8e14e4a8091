from datetime import UTC, datetime
from typing import Any

from user_management.sandbox.application import create_app
from user_management.sandbox.config import Config
from user_management.tests.sandbox.conftest import Start, WorkOS


async def objects(workos: WorkOS, kind: str) -> str:
    """The live objects of a kind as lines of JSON."""
    return (await workos.client.get(f"/_sandbox/objects/{kind}")).text


async def test_same_seed_same_data(start: Start) -> None:
    """Two sandboxes of one seed hold the same objects, byte for byte; another seed holds others."""
    one, two, other = (start(users=200, seed=seed) for seed in (5, 5, 6))
    for kind in ("users", "organizations", "organization_memberships"):
        assert await objects(one, kind) == await objects(two, kind) != await objects(other, kind)


def test_seed_until_pins_the_dates() -> None:
    """With a date given the data does not depend on the day."""
    until = datetime(2026, 1, 1, tzinfo=UTC)
    stores = [create_app(Config(users=50, seed_until=until)).state.store for _ in range(2)]
    assert stores[0].users.blobs == stores[1].users.blobs


async def test_seeded_people_are_as_varied_as_real_ones(start: Start) -> None:
    """Some have no name, some no organization, some an external id or metadata; none emitted an event."""
    workos = start(users=600, organizations=40)
    store = workos.app.state.store
    users: list[Any] = [store.users.read(key) for key in store.users.ids]
    for field in ("name", "external_id", "last_sign_in_at", "locale"):
        assert {user[field] is None for user in users} == {True, False}
    assert {bool(user["metadata"]) for user in users} == {True, False}
    assert {user["updated_at"] == user["created_at"] for user in users} == {True, False}
    memberships = [store.roster.of_user(user["id"]) for user in users]
    assert {len(of_one) for of_one in memberships} == {0, 1, 2, 3}
    assert (await workos.get("/_sandbox"))["events"] == 0


async def test_ids_and_dates_rise_together(crowd: WorkOS) -> None:
    """Ids are time ordered and the dates spread over two years."""
    store = crowd.app.state.store
    for table in (store.users, store.organizations, store.memberships):
        dates = [table.read(key)["created_at"] for key in table.ids]
        assert dates == sorted(dates)
        assert (dates[0] < "2024-10", dates[-1] > "2025-10") == (True, True)


async def test_addresses_are_unique_and_found(start: Start) -> None:
    """Nobody shares an address, and each is found by it."""
    workos = start(users=3000, organizations=2)
    store = workos.app.state.store
    assert len(store.emails) == len({store.users.read(key)["email"] for key in store.users.ids}) == 3000
    assert all(email.isascii() and email == email.lower() for email in store.emails)
