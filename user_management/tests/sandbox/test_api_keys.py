from user_management.tests.sandbox.conftest import Watch, WorkOS

EVENTS = "api_key.created,api_key.updated,api_key.revoked"


async def test_the_value_is_told_once(workos: WorkOS) -> None:
    """By the answer that creates the key, and by nothing else."""
    path = f"/organizations/{(await workos.organization())['id']}/api_keys"
    made = await workos.send("POST", path, {"name": "CI", "permissions": ["users:view"]}, 201)
    value = made.pop("value")
    assert (await workos.get(path))["data"] == [made] == [event["data"] for event in await workos.events(EVENTS)]
    assert made["obfuscated_value"] == f"sk_...{value[-4:]}"
    await workos.send("POST", path, {"name": "CI", "permissions": ["users:burn"]}, 422)


async def test_keys_of_users_belong_to_an_organization(workos: WorkOS) -> None:
    """Its active members may have some; they are listed by user, not with the organization's own."""
    user, organization, other = await workos.user(), await workos.organization(), await workos.organization()
    await workos.membership(user, organization)
    path = f"/user_management/users/{user['id']}/api_keys"
    made = await workos.send("POST", path, {"name": "Mine", "organization_id": organization["id"]}, 201)
    assert made["owner"] == {"type": "user", "id": user["id"], "organization_id": organization["id"]}
    assert len((await workos.get(path, organization_id=organization["id"]))["data"]) == 1
    assert (await workos.get(path, organization_id=other["id"]))["data"] == []
    assert (await workos.get(f"/organizations/{organization['id']}/api_keys"))["data"] == []
    await workos.send("POST", path, {"name": "Mine", "organization_id": other["id"]}, 400)


async def test_expired_and_revoked(workos: WorkOS, watch: Watch) -> None:
    """An expired key stays in the list and is no longer valid; a revoked one is gone."""
    path = f"/organizations/{(await workos.organization())['id']}/api_keys"
    made = await workos.send("POST", path, {"name": "CI"}, 201)
    value = made.pop("value")
    assert await workos.send("POST", "/api_keys/validations", {"value": value}) == {"api_key": made}
    watch.forward(minutes=1)
    expired = await workos.send("POST", f"/api_keys/{made['id']}/expire", {})
    assert expired["expires_at"] == "2026-03-01T12:01:00.000Z"
    assert await workos.send("POST", "/api_keys/validations", {"value": value}) == {"api_key": None}
    await workos.send("DELETE", f"/api_keys/{made['id']}", status=204)
    told = [event["data"] for event in await workos.events(EVENTS)]
    assert told == [made, expired | {"previous_attributes": {"expires_at": None}}, expired]
    assert (await workos.get(path))["data"] == []


async def test_owners_take_their_keys_along(workos: WorkOS) -> None:
    """Silently, the keys of users in a deleted organization too."""
    user, organization = await workos.user(), await workos.organization()
    await workos.membership(user, organization)
    path = f"/user_management/users/{user['id']}/api_keys"
    await workos.send("POST", path, {"name": "Mine", "organization_id": organization["id"]}, 201)
    await workos.send("DELETE", f"/organizations/{organization['id']}")
    assert (await workos.get(path))["data"] == []
    assert [event["event"] for event in await workos.events(EVENTS)] == ["api_key.created"]
