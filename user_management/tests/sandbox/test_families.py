"""What all the families have in common: seeds, activity, memory, and the official SDK's understanding of them."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from workos.events.models.event_schema import EventSchemaUnknown

from user_management.sandbox import memory
from user_management.sandbox.event_types import KNOWN
from user_management.sandbox.store import Shelved, Store
from user_management.tests.sandbox.conftest import Start, WorkOS
from user_management.tests.sandbox.test_sdk import sdk

NAMES: Final = [field.name for field in fields(Store) if field.name in memory.ADDED and field.name != "flag_rules"]
FOLDED: Final = {
    "organization_domain": "organization_domains",
    "permission": "permissions",
    "group": "groups",
    "dsync.user": "directory_users",
    "dsync.group": "directory_groups",
    "api_key": "api_keys",
    "flag": "flags",
}
ENDS: Final = {"deleted", "revoked"}
DELTAS: Final = {"member_added", "member_removed", "user_added", "user_removed"}


def held(workos: WorkOS) -> dict[str, list[bytes]]:
    """The objects of each family."""
    return {name: list(getattr(workos.app.state.store, name).blobs.values()) for name in NAMES}


async def test_every_family_is_seeded(start: Start) -> None:
    """A sandbox with people has some of everything, and again the same for the same seed."""
    one, two, other = (start(users=300, seed=seed) for seed in (5, 5, 6))
    assert held(one) == held(two) != held(other)
    assert all(held(one).values())
    states = {state["state"] for state in (await one.get("/user_management/invitations", limit=100))["data"]}
    assert states == {"pending", "accepted", "revoked", "expired"}
    assert one.app.state.store.feed.ids == []


def test_the_families_do_not_change_who_is_seeded(crowd: WorkOS) -> None:
    """Ids and dates of people come from numbers that the families do not touch."""
    first = crowd.app.state.store.users.ids[0]
    assert first == "user_01HQX9VNEMY1P04PT17Y59M0GY"


async def test_seeded_ids_and_dates_rise_together(crowd: WorkOS) -> None:
    """Lists in the order of ids are lists in the order of time."""
    for name, blobs in held(crowd).items():
        if name not in {"group_members", "directory_members"}:
            table = getattr(crowd.app.state.store, name)
            dates = [table.read(key)["created_at"] for key in table.ids]
            assert dates == sorted(dates), (name, len(blobs))


async def test_the_sdk_understands_every_event(crowd: WorkOS) -> None:
    """Much activity makes all that the sandbox can cause, and no event is unknown or odd to the typed feed."""
    crowd.app.state.activity.burst(6_000)
    page = await sdk(crowd).events.list_events(events=sorted(KNOWN), limit=100)
    events = [event async for event in page.auto_paging_iter()]
    assert len(events) == len(crowd.app.state.store.feed)
    known = [event for event in events if not isinstance(event, EventSchemaUnknown)]
    assert len(known) == len(events)
    assert len({event.event for event in known}) == 54


@pytest.mark.parametrize("family", sorted(FOLDED))
async def test_events_alone_rebuild_a_family(start: Start, family: str) -> None:
    """What is live is what its events tell, less what went with a parent, silently."""
    workos = start(users=0)
    table, folded = getattr(workos.app.state.store, FOLDED[family]), dict[str, Any]()
    seeded = set(table.ids)
    workos.app.state.activity.burst(8_000)
    for event in map(orjson.loads, workos.app.state.store.feed.blobs):
        kind, _, verb = event["event"].rpartition(".")
        data = event["data"].get("organization_domain", event["data"])
        if kind == family and verb not in DELTAS:
            folded[data["id"]] = None if verb in ENDS else data
    live = {key: table.read(key) for key in table.ids if key not in seeded}
    assert live
    for key, value in live.items():
        told = {name: folded[key][name] for name in value.keys() & folded[key].keys()}
        assert told == {name: value[name] for name in value if name in folded[key]}
        assert value.keys() - told.keys() <= {"organization_id", "user_id"}, "only what the sandbox keeps for itself"


async def test_shelves_agree_after_much_activity(crowd: WorkOS) -> None:
    """Every object stands on the shelves where it belongs and on no other."""
    crowd.app.state.activity.burst(6_000)
    for field in fields(Store):
        table = getattr(crowd.app.state.store, field.name)
        if isinstance(table, Shelved):
            fresh = Shelved(table.kind, *table.fields)
            for key in table.ids:
                fresh.write(table.read(key) or {})
            assert (fresh.shelves, fresh.ids) == (table.shelves, table.ids)


async def test_what_is_gone_leaves_nothing_behind(crowd: WorkOS) -> None:
    """No family has an object of an organization that is not there."""
    crowd.app.state.activity.burst(6_000)
    store = crowd.app.state.store
    for name, blobs in held(crowd).items():
        owners = {orjson.loads(blob).get("organization_id") for blob in blobs} - {None}
        assert owners <= set(store.organizations.blobs), name
    assert {one["directory_id"] for one in map(orjson.loads, store.directory_users.blobs.values())} <= set(
        store.directories.blobs
    )


async def test_a_file_from_before_the_families_is_loaded(start: Start, tmp_path: Path) -> None:
    """What it does not have begins empty, but for the permissions and the domains of its organizations."""
    file = tmp_path / "state"
    old = start(users=100, state=str(file)).app.state.store
    memory.keep(old, file)
    shape, store = pickle.loads(file.read_bytes())  # noqa: S301  our own file
    for name in memory.ADDED:
        delattr(store, name)
    file.write_bytes(pickle.dumps(([name for name in shape if name not in memory.ADDED], store)))
    workos = start(state=str(file))
    domain = (await workos.get("/organizations"))["data"][0]["domains"][0]
    assert (await workos.get(f"/organization_domains/{domain['id']}"))["domain"] == domain["domain"]
    assert (await workos.get("/user_management/invitations"))["data"] == []
    assert len((await workos.get("/authorization/permissions"))["data"]) == 6
    workos.app.state.activity.burst(500)
