"""Verification finds what is wrong in every family, and a repair mends it; where it cannot, by design, it says so."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from user_management.db import jsontext
from user_management.db.session import transaction
from user_management.journal.verifications import Finding
from user_management.listener import repair
from user_management.listener.worker import Listener
from user_management.mirror import group_memberships
from user_management.mirror.engine import catalog, rebuild
from user_management.mirror.engine.record import record
from user_management.mirror.engine.resource import Resource
from user_management.tests.listener.test_verify import found, verified
from user_management.tests.support import copies, samples
from user_management.tests.support.local_workos import LocalWorkOS

ALL = catalog.resources()
WHOLE = [one for one in ALL if not one.listing.partial]
"""Of the others, absence says nothing: WorkOS lists active sessions only, and perhaps not every API key."""
WORDED = [one for one in ALL if not one.pairs]
"""Pairs have no words of their own to be wrong."""


@pytest.fixture
async def followed(listener: Listener, local: LocalWorkOS) -> AsyncIterator[Listener]:
    """A copy with something of every kind that is followed all the time."""
    await local.activity(400)
    user = await local.user(password="correct-horse-battery")
    await copies.begin(listener)
    await copies.fill(listener)
    await local.sign_in(user["email"], "correct-horse-battery")
    await copies.drain(listener)
    async with copies.following(listener):
        yield listener


async def accused(listener: Listener, resource: Resource) -> list[Finding]:
    """What a verification of a resource finds."""
    run = await verified(listener, names=(resource.name,))
    return [one for one in await found(listener.pool, run) if one.standing != "volatile"]


async def mended(listener: Listener, resource: Resource) -> list[Finding]:
    """What is still found once the journal's word and then WorkOS's were put in place, as `--repair` does."""
    findings = await accused(listener, resource)
    async for _ in rebuild.rebuild(listener.pool, [resource]):
        pass
    findings = [await repair.reread(listener.pool, one) for one in findings]
    for plan in await repair.plan(listener.pool, listener.workos, ALL, findings):
        if plan.action != repair.NOTHING:
            await repair.carry_out(listener.pool, ALL, plan)
    return await accused(listener, resource)


async def victim(listener: Listener, resource: Resource) -> tuple[str, dict[str, Any]]:
    """The newest live row of a resource: WorkOS lists the session of whoever has just signed in."""
    listed = await copies.live(listener.pool, resource.name)
    return max(listed.items(), key=lambda one: str(one[1]["created_at"]))


@pytest.mark.parametrize("resource", WORDED, ids=lambda one: one.name)
async def test_a_word_that_was_changed_is_found_and_mended(followed: Listener, resource: Resource) -> None:
    """One key of one row, behind the journal's back."""
    key, body = await victim(followed, resource)
    word = next(name for name in ("email", "name", "ip_address", "domain", "slug", "status") if body.get(name))
    body[word] = "tampered" if word != "slug" else body[word]
    body["object"] = body["object"] if word != "slug" else "tampered"
    await followed.pool.execute(
        f"UPDATE {resource.name} SET body = $2::text::json WHERE id = $1", key, jsontext.dumps(body)
    )
    assert [(one.object_id, one.standing) for one in await accused(followed, resource)] == [(key, "differs")]
    assert await mended(followed, resource) == []


@pytest.mark.parametrize("resource", ALL, ids=lambda one: one.name)
async def test_a_row_that_was_lost_is_found_and_mended(followed: Listener, resource: Resource) -> None:
    """WorkOS lists it, the copy has none."""
    key, _ = await victim(followed, resource)
    await followed.pool.execute(f"DELETE FROM {resource.name} WHERE id = $1", key)
    assert [(one.object_id, one.standing) for one in await accused(followed, resource)] == [(key, "missing")]
    assert await mended(followed, resource) == []
    assert key in await copies.live(followed.pool, resource.name)


@pytest.mark.parametrize("name", ["api_keys", "feature_flags", "groups", "permissions"])
async def test_what_the_copy_never_heard_of_is_repaired(followed: Listener, name: str) -> None:
    """WorkOS is asked for none of these by id alone: by whose it is, or by its list."""
    resource = next(one for one in ALL if one.name == name)
    key, _ = await victim(followed, resource)
    await followed.pool.execute(f"DELETE FROM {name} WHERE id = $1", key)
    [plan] = await repair.plan(followed.pool, followed.workos, ALL, await accused(followed, resource))
    assert await repair.carry_out(followed.pool, ALL, plan) == repair.REPAIRED
    assert key in await copies.live(followed.pool, name)


def invented(resource: Resource, key: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A row that WorkOS knows nothing of, beside one that it knows."""
    made = {**body, resource.key[-1]: f"{body[resource.key[-1]]}0"}
    if "slug" in made:
        made["slug"] = f"{body['slug']}0"
    return str(resource.name_of(made)), made


@pytest.mark.parametrize("resource", WHOLE, ids=lambda one: one.name)
async def test_a_row_too_many_is_found_and_mended(followed: Listener, resource: Resource) -> None:
    """The copy has one that WorkOS neither lists nor shows; the journal knows none either, so a rebuild drops it."""
    key, made = invented(resource, *await victim(followed, resource))
    columns = ", ".join(resource.columns)
    values = ", ".join(f"${n}" for n in range(4, 4 + len(resource.columns)))
    await followed.pool.execute(
        f"INSERT INTO {resource.name} (id, created_at, updated_at, position, body, {columns}) "
        f"VALUES ($1, $2, $2, 1, $3::text::json, {values})",
        key, await followed.pool.fetchval(f"SELECT max(created_at) FROM {resource.name}"), jsontext.dumps(made),
        *resource.column_values(made, live=True),
    )  # fmt: skip
    assert [(one.object_id, one.standing) for one in await accused(followed, resource)] == [(key, "extra")]
    assert await mended(followed, resource) == []


async def test_of_what_is_not_listed_whole_nothing_is_too_much(followed: Listener) -> None:
    """Sessions that ended, and API keys, are told by events alone."""
    for resource in (one for one in ALL if one.listing.partial):
        before = await copies.live(followed.pool, resource.name)
        await followed.pool.execute(f"UPDATE {resource.name} SET id = id || '0'")
        standings = {one.standing for one in await accused(followed, resource)}
        assert standings <= {"missing"}, resource.name
        assert len(await copies.live(followed.pool, resource.name)) == len(before)


async def test_whom_nobody_can_ask_about_accuses_nobody(followed: Listener) -> None:
    """A member of a group that the copy does not know: where WorkOS lists it is not known, and the run goes on."""
    resource = group_memberships.resource
    async with transaction(followed.pool) as connection:
        await record(connection, ALL, [samples.entry(resource, "created")])
    assert samples.key(resource) in await copies.live(followed.pool, resource.name)
    assert await accused(followed, resource) == []
