from typing import Any

import pytest

from user_management.tests.sandbox.conftest import EVENTS, Watch, WorkOS

USERS = "/user_management/users"


async def test_created_is_readable_by_id_and_external_id(workos: WorkOS) -> None:
    """A new user is answered with 201 and found both ways."""
    user = await workos.user(" Ada@Example.com ", first_name="Ada", external_id="p/1", unknown_field=1)
    assert (user["email"], user["last_name"], user["created_at"]) == (
        "ada@example.com",
        None,
        "2026-03-01T12:00:00.000Z",
    )
    assert await workos.get(f"{USERS}/{user['id']}") == user
    assert await workos.get(f"{USERS}/external_id/p%2F1") == user


async def test_missing_user_is_404(workos: WorkOS) -> None:
    """By id or by external id, the answer is a message alone."""
    assert await workos.get(f"{USERS}/user_x", 404) == {"message": "User not found: 'user_x'."}
    user = await workos.user()
    await workos.get(f"{USERS}/external_id/{user['id']}", 404)


async def test_duplicate_email_is_400(workos: WorkOS) -> None:
    """The body is the one observed live, whatever the case of the address."""
    await workos.user("ada@example.com")
    body = await workos.send("POST", USERS, {"email": "ADA@example.com"}, 400)
    assert body == {
        "message": "Could not create user.",
        "code": "user_creation_error",
        "errors": [{"code": "email_not_available", "message": "This email is not available."}],
    }


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c.example", "two words@example.com", "@example.com"])
async def test_what_is_no_address_is_refused(workos: WorkOS, email: str) -> None:
    """On creation as on update."""
    user = await workos.user()
    body = await workos.send("POST", USERS, {"email": email}, 400)
    assert body["errors"][0]["code"] == "invalid_email"
    assert (await workos.send("PUT", f"{USERS}/{user['id']}", {"email": email}, 400))["code"] == "invalid_email"


async def test_taken_email_on_update_is_another_400(workos: WorkOS) -> None:
    """PUT names `email_not_available` at the top level."""
    await workos.user("ada@example.com")
    eva = await workos.user("eva@example.com")
    body = await workos.send("PUT", f"{USERS}/{eva['id']}", {"email": "ada@example.com"}, 400)
    assert body["code"] == "email_not_available"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": 5}, "email"),
        ({"email": None}, "email"),
        ({"email": "a@b.example", "first_name": 5}, "first_name"),
        ({"email": "a@b.example", "metadata": []}, "metadata"),
        ({"email": "a@b.example", "external_id": "x" * 129}, "external_id"),
        ([], "body"),
    ],
)
async def test_wrong_types_are_422(workos: WorkOS, body: Any, field: str) -> None:
    """The error names the field."""
    answer = await workos.send("POST", USERS, body, 422)
    assert answer["code"] == "invalid_request_parameters"
    assert answer["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"email": "nobody"}, "user_creation_error"),
        ({"password": "short"}, "password_strength_error"),
        ({"password": "long-enough-1", "password_hash": "x"}, "password_and_password_hash_provided"),
        ({"password": "long-enough-1", "password_hash_type": "bcrypt"}, "password_and_password_hash_type_provided"),
        ({"password_hash": "x"}, "invalid_password_hash"),
        ({"metadata": {"k": 1}}, "invalid_metadata"),
        ({"metadata": {"k" * 41: "v"}}, "invalid_metadata"),
        ({"external_id": "taken"}, "external_id_already_used"),
    ],
)
async def test_refusals_carry_their_code(workos: WorkOS, fields: dict[str, Any], code: str) -> None:
    """Each refusal of a creation is a 400 of its own, and nothing is created."""
    await workos.user("first@example.com", external_id="taken")
    body = await workos.send("POST", USERS, {"email": "second@example.com", **fields}, 400)
    assert body["code"] == code
    assert len(await workos.events()) == 1


async def test_update_changes_only_what_is_given(workos: WorkOS, watch: Watch) -> None:
    """Omitted fields stay, null clears, and `updated_at` moves with one event."""
    user = await workos.user(first_name="Ada", last_name="Byrne", external_id="p-1")
    watch.forward(seconds=5)
    changed = await workos.send("PUT", f"{USERS}/{user['id']}", {"last_name": None, "external_id": None})
    assert changed == user | {"last_name": None, "external_id": None, "updated_at": "2026-03-01T12:00:05.000Z"}
    await workos.get(f"{USERS}/external_id/p-1", 404)
    assert (await workos.events("user.updated"))[0]["data"] == changed


@pytest.mark.parametrize(
    ("change", "merged"),
    [
        ({"b": "2"}, {"a": "1", "b": "2"}),
        ({"a": None, "b": "2"}, {"b": "2"}),
        ({}, {}),
        (None, {}),
    ],
)
async def test_metadata_is_merged(workos: WorkOS, change: Any, merged: dict[str, str]) -> None:
    """Keys are merged, a null deletes its key, an empty object deletes all; the event carries the result."""
    user = await workos.user(metadata={"a": "1"})
    changed = await workos.send("PUT", f"{USERS}/{user['id']}", {"metadata": change})
    assert changed["metadata"] == merged
    assert (await workos.events("user.updated"))[0]["data"]["metadata"] == merged


async def test_changing_nothing_says_nothing(workos: WorkOS, watch: Watch) -> None:
    """A PUT of the same values neither moves `updated_at` nor emits an event."""
    user = await workos.user(first_name="Ada")
    watch.forward(seconds=5)
    assert await workos.send("PUT", f"{USERS}/{user['id']}", {"first_name": "Ada"}) == user
    assert await workos.events("user.updated") == []


async def test_a_new_address_is_unverified_and_frees_the_old_one(workos: WorkOS) -> None:
    """After a change of address somebody else may take the old one."""
    user = await workos.user("old@example.com", email_verified=True)
    changed = await workos.send("PUT", f"{USERS}/{user['id']}", {"email": "new@example.com"})
    assert (changed["email"], changed["email_verified"]) == ("new@example.com", False)
    assert (await workos.user("old@example.com"))["id"] != user["id"]


async def test_filters(crowd: WorkOS) -> None:
    """`email` matches without regard to case, `organization_id` gives the members, both together both."""
    organization = (await crowd.get("/organizations", order="asc"))["data"][0]["id"]
    members = await crowd.get(USERS, organization_id=organization, limit=100)
    one = members["data"][3]
    found = await crowd.get(USERS, email=one["email"].upper(), organization_id=organization)
    assert [user["id"] for user in found["data"]] == [one["id"]]
    assert (await crowd.get(USERS, email="nobody@example.com"))["data"] == []
    assert (await crowd.get(USERS, email=one["email"], organization_id="org_x"))["data"] == []
    assert 1 < len(members["data"]) < 300


async def test_deleted_is_gone_and_its_names_are_free(workos: WorkOS) -> None:
    """A deletion answers 200 without a body and emits the last object; a second one is a 404."""
    user = await workos.user(external_id="p-1")
    assert await workos.send("DELETE", f"{USERS}/{user['id']}") is None
    await workos.send("DELETE", f"{USERS}/{user['id']}", status=404)
    again = await workos.user(external_id="p-1")
    kinds = [(event["event"], event["data"]) for event in await workos.events(EVENTS)]
    assert kinds == [("user.created", user), ("user.deleted", user), ("user.created", again)]
