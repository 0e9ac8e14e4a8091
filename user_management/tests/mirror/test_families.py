"""What is special about each family: its words, its secrets, its names, and what passes by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.db.session import Pool, transaction
from user_management.journal import entries
from user_management.journal.entries import Entry, Lane, Verdict
from user_management.journal.timestamps import render
from user_management.mirror import roles
from user_management.mirror.engine import catalog, compare, read, store
from user_management.mirror.engine.fold import fold
from user_management.mirror.engine.record import Recorded, record
from user_management.mirror.engine.resource import Resource
from user_management.mirror.engine.verbs import Row
from user_management.tests.support import copies, samples
from user_management.tests.support.samples import entry

UNDER = [one for one in catalog.resources() if {c.parent for c in one.cascades} & {"organizations", "directories"}]


def named(name: str) -> Resource:
    """A resource."""
    found = catalog.by_name(name)
    assert found is not None
    return found


async def put(pool: Pool, *told: Entry) -> Recorded:
    """Record a page of entries."""
    async with transaction(pool) as connection:
        return await record(connection, catalog.resources(), told)


async def told(pool: Pool, type_: str, data: dict[str, Any], *, name: str = "event_1") -> Recorded:
    """Record one event."""
    said = {"object": "event", "id": name, "event": type_, "created_at": render(datetime.now(UTC)), "data": data}
    return await put(pool, entries.of_event(said, received_at=datetime.now(UTC)))


async def test_a_domain_that_failed_stands_inside_its_event(pool: Pool) -> None:
    """`verification_failed` has the domain under a key of its own, beside the reason."""
    await put(pool, entry(named("organization_domains"), "created"))
    failed = samples.sample(named("organization_domains"), minutes=2, state="failed")
    data = {"reason": "domain_verification_period_expired", "organization_domain": failed}
    await told(pool, "organization_domain.verification_failed", data)
    [found] = (await copies.live(pool, "organization_domains")).values()
    assert (found["state"], "reason" in found) == ("failed", False)


async def test_a_failed_domain_without_a_domain_is_parked(pool: Pool) -> None:
    """An event that does not have the form its type promises harms nothing and is not lost."""
    done = await told(pool, "organization_domain.verification_failed", {"reason": "x"})
    assert [failure.resource for failure in done.failures] == ["organization_domains"]


@pytest.mark.parametrize(
    ("said", "kept"), [("active", "linked"), ("inactive", "unlinked"), ("validating", "validating")]
)
async def test_directories_are_worded_as_lists_word_them(pool: Pool, said: str, kept: str) -> None:
    """Events call a linked directory active; whoever reads meets one word only."""
    await told(pool, "dsync.activated", samples.sample(named("directories"), state=said))
    [found] = (await copies.live(pool, "directories")).values()
    assert found["state"] == kept
    await told(pool, "dsync.deleted", samples.sample(named("directories"), state=said), name="event_2")
    assert await pool.fetchval("SELECT body ->> 'state' FROM directories WHERE deleted_at IS NOT NULL") == kept


async def test_a_directory_user_has_neither_groups_nor_what_was_before(pool: Pool) -> None:
    """Groups are resources of their own; previous attributes are about the event."""
    extra: dict[str, Any] = {"groups": [{"id": "directory_group_1"}], "previous_attributes": {"first_name": "Old"}}
    await told(pool, "dsync.user.updated", samples.sample(named("directory_users"), **extra))
    [found] = (await copies.live(pool, "directory_users")).values()
    assert found.keys().isdisjoint(extra)


@pytest.mark.parametrize(
    ("owner", "columns"),
    [
        ({"type": "organization", "id": "org_1"}, ("org_1", None)),
        ({"type": "user", "id": "user_1", "organization_id": "org_1"}, ("org_1", "user_1")),
        (None, (None, None)),
    ],
)
async def test_a_key_is_found_by_its_owner(pool: Pool, owner: object, columns: tuple[str | None, str | None]) -> None:
    """An organization's own, and one of a user in an organization."""
    await told(pool, "api_key.created", samples.sample(named("api_keys"), owner=owner, previous_attributes={}))
    row = await pool.fetchrow("SELECT organization_id, user_id, body::text AS body FROM api_keys")
    assert row is not None
    assert (row["organization_id"], row["user_id"], "previous" in row["body"]) == (*columns, False)


async def test_the_value_of_a_key_is_never_kept(pool: Pool) -> None:
    """Whoever tells of it, an event or a reply: neither the mirror nor the journal has it."""
    value = "sk_live_of_somebody"
    await told(pool, "api_key.created", samples.sample(named("api_keys"), value=value))
    reply = entries.of_object(samples.sample(named("api_keys"), minutes=1, value=value), lane=Lane.REPLY,
                              type=named("api_keys").replied, at=datetime.now(UTC))  # fmt: skip
    await put(pool, reply)
    for table in ("journal", "api_keys"):
        kept = await pool.fetch(f"SELECT body::text AS body FROM {table}")
        assert kept
        assert not [row for row in kept if value in row["body"]]


async def test_a_role_made_anew_lives_again_and_an_old_list_does_not_revive_it(pool: Pool) -> None:
    """A slug is a name, not an id: what is born after the end under it is another role."""
    first, again = samples.sample(roles.resource), samples.sample(roles.resource, minutes=60)
    again["created_at"] = again["updated_at"]
    await put(pool, entry(roles.resource, "created"), entry(roles.resource, "deleted", minutes=30))
    old = entries.of_object(first, lane=Lane.LIST, type=roles.resource.listed, at=datetime.now(UTC))
    assert [one.verdict for one in (await put(pool, old)).entries] in ([], [Verdict.FINAL])
    assert await copies.live(pool, "roles") == {}
    await told(pool, "role.created", again)
    assert list(await copies.live(pool, "roles")) == [first["slug"]]
    await copies.assert_equal_to_journal(pool)


async def test_the_late_end_of_a_former_role_does_not_end_the_new_one(pool: Pool) -> None:
    """An end is of who bore the name then."""
    again = samples.sample(roles.resource, minutes=60)
    again["created_at"] = again["updated_at"]
    await told(pool, "role.created", again)
    await put(pool, entry(roles.resource, "deleted", minutes=30))
    assert len(await copies.live(pool, "roles")) == 1


@pytest.mark.parametrize("resource", UNDER, ids=lambda resource: resource.name)
async def test_an_organization_that_ends_takes_everything_along(pool: Pool, resource: Resource) -> None:
    """Whether its event comes before or after those of what it has; and what stays is what the journal says."""
    everything = [entry(one, "created") for one in catalog.resources()]
    await put(pool, *everything)
    assert await copies.live(pool, resource.name)
    await put(pool, entry(named("organizations"), "deleted", minutes=5))
    assert await copies.live(pool, resource.name) == {}
    await copies.assert_equal_to_journal(pool)


@given(st.permutations([(0, "created"), (1, "updated"), (2, "updated"), (3, "deleted")]))
def test_the_order_in_which_events_come_does_not_matter(order: list[tuple[int, str]]) -> None:
    """For each resource with states: whichever comes first, in the end it is gone, with its last words."""
    for resource in (one for one in catalog.resources() if not one.pairs and "deleted" in "".join(one.events)):
        told_ = [entry(resource, what, minutes=minute) for minute, what in order]
        found = fold(resource, entries.number(told_, after=0), {}, {}).rows
        if any(verb.name == "tombstone" for verb in resource.events.values()):
            assert found[samples.key(resource)].deleted_at is not None, resource.name


@given(st.permutations([1, 2, 3]))
def test_the_newest_state_wins_in_any_order(order: list[int]) -> None:
    """Late news is no news."""
    for resource in (one for one in catalog.resources() if not one.pairs):
        told_ = [entry(resource, "updated", minutes=minute, word=minute) for minute in order]
        found = fold(resource, entries.number(told_, after=0), {}, {}).rows
        assert found[samples.key(resource)].body["word"] == 3, resource.name


@pytest.mark.parametrize("name", ["invitations", "sessions"])
async def test_a_state_that_time_alone_has_changed_is_no_difference(pool: Pool, name: str) -> None:
    """We hold `pending`, WorkOS says `expired`: nobody is accused; the other way round somebody is."""
    state = named(name).passing
    assert state is not None
    pending: dict[str, Any] = {state.key: state.now}
    await put(pool, entry(named(name), "created", **pending))
    async with pool.acquire() as connection:
        row = await store.row(connection, name, samples.key(named(name)))
    assert isinstance(row, Row)
    expired, revoked = {**row.body, state.key: state.then}, {**row.body, state.key: "revoked"}
    assert compare.judge(named(name), row, expired)[0] is compare.Standing.EQUAL
    assert compare.judge(named(name), row, revoked)[1] == [state.key]


@pytest.mark.parametrize("name", ["invitations", "sessions"])
@pytest.mark.parametrize(("seconds", "over"), [(-1, True), (0, True), (60, False)])
async def test_what_expires_is_served_as_expired_and_kept_as_told(
    pool: Pool, name: str, seconds: float, over: bool
) -> None:
    """From the very instant on; the stored words stay WorkOS's, so that journal and mirror stay one."""
    resource, state = named(name), named(name).passing
    assert state is not None
    async with pool.acquire() as connection, connection.transaction():
        now = await connection.fetchval("SELECT now()")
        until = render(now + timedelta(seconds=seconds))
        fields: dict[str, Any] = {state.key: state.now, "expires_at": until}
        told_ = entry(resource, "created", **fields)
        await record(connection, catalog.resources(), [told_])
        statement = read.one(resource, "id", include_deleted=False)
        row = await connection.fetchrow(statement.text, *statement.bind({"value": samples.key(resource)}))
        stored = await connection.fetchval(f"SELECT body->>'{state.key}' FROM {name}")
    assert row is not None
    assert (f'"{state.key}": "{state.then}"' in row["body"].replace('":"', '": "')) is over
    assert stored == state.now


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda one: one.name)
def test_the_id_of_a_row_tells_what_it_was_made_of(resource: Resource) -> None:
    """Also where a slug holds a colon, which nobody rules out."""
    body = samples.sample(resource) | {resource.key[-1]: "a:b"}
    assert resource.names_in(str(resource.name_of(body))) == {name: body[name] for name in resource.key}
