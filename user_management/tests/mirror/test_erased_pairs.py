"""Erasing a person takes their places in groups along: a pair names nobody but a membership, which was theirs."""

from typing import Any

import pytest

from user_management.db.session import Pool, transaction
from user_management.listener import backfills
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog, erase
from user_management.tests.mirror.test_erase import dump, erased
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS

THEIRS = ("users", "organization_memberships", "group_memberships", "api_keys", "directory_users",
          "directory_group_memberships")  # fmt: skip


async def joined(local: LocalWorkOS, user: dict[str, Any]) -> str:
    """The id of a new membership of a user, who is in a group by it."""
    there = await local.organization()
    membership = await local.membership(user, there)
    group = await local.call("POST", f"/organizations/{there['id']}/groups", {"name": "Poets"})
    path = f"/organizations/{there['id']}/groups/{group['id']}/organization-memberships"
    await local.call("POST", path, {"organization_membership_id": membership["id"]})
    key = {"name": "Hers", "organization_id": there["id"]}
    await local.call("POST", f"/user_management/users/{user['id']}/api_keys", key)
    return str(membership["id"])


async def pushed(local: LocalWorkOS) -> str:
    """Her id in a directory, in one group of which she is."""
    directory = await local.call(
        "POST", "/_sandbox/directories", {"organization_id": (await local.organization())["id"]}
    )
    path = f"/_sandbox/directories/{directory['id']}"
    person = await local.call("PUT", f"{path}/users", {"idp_id": "1", "email": "Ada@example.com"})
    group = await local.call("PUT", f"{path}/groups", {"idp_id": "2", "name": "Poets"})
    await local.call("PUT", f"/_sandbox/directory_groups/{group['id']}/users/{person['id']}")
    return str(person["id"])


async def assert_gone(pool: Pool, *words: str) -> None:
    """Nothing of theirs is alive, before a rebuild and after it, and nothing names them."""
    for _ in range(2):
        assert [name for name in THEIRS if await copies.live(pool, name)] == []
        await copies.assert_equal_to_journal(pool)
    dumped = await dump(pool)
    assert [word for word in words if word in dumped] == []


@pytest.mark.parametrize("first", ["deleted", "erased"])
async def test_nothing_of_theirs_rises_again(pool: Pool, listener: Listener, local: LocalWorkOS, first: str) -> None:
    """Whichever came first, the end at WorkOS or the erasure; nor do a listing and what they join later bring them."""
    user = await local.user()
    names = [user["id"], await joined(local, user), await pushed(local)]
    await copies.begin(listener)
    await copies.fill(listener)
    await copies.drain(listener)
    assert all([await copies.live(pool, name) for name in THEIRS])
    if first == "deleted":
        await local.call("DELETE", f"/user_management/users/{user['id']}")
        await copies.drain(listener)
    found = await erased(pool, user)
    await assert_gone(pool, *names)
    async with pool.acquire() as connection:
        assert await erase.remains(connection, found) == {}
    if first == "erased":
        names.append(await joined(local, user))
    async with transaction(pool) as connection:
        await backfills.request(connection, catalog.resources()[0].name)
    await copies.fill(listener)
    await copies.drain(listener)
    if first == "erased":
        await local.call("DELETE", f"/user_management/users/{user['id']}")
        await copies.drain(listener)
    await assert_gone(pool, *names)
