"""Magic codes, verifications, password resets and changes of address: what is mailed, and what it is good for."""

from typing import Any

import pytest

from user_management.tests.sandbox.conftest import Start, Watch, WorkOS
from user_management.tests.sandbox.signing_in import EMAIL, PASSWORD, enter, kinds, letter

MAGIC = "/user_management/magic_auth"
RESET = "/user_management/password_reset"


async def post(workos: WorkOS, user: Any, path: str, body: Any = None, status: int = 200) -> Any:
    """The answer to a POST below a user."""
    return await workos.send("POST", f"/user_management/users/{user['id']}/{path}", body, status)


async def test_a_magic_code_is_shown_to_its_asker_only(workos: WorkOS) -> None:
    """The answer and the object hold six digits, the event does not."""
    await workos.user()
    sent = await workos.send("POST", MAGIC, {"email": "ADA@example.com"}, 201)
    assert len(sent["code"]) == 6
    assert sent["code"].isdecimal()
    assert sent["expires_at"] == "2026-03-01T12:10:00.000Z"
    assert await workos.get(f"{MAGIC}/{sent['id']}") == sent
    (event,) = await workos.events("magic_auth.created")
    assert event["data"] == {name: value for name, value in sent.items() if name != "code"}


async def test_asking_for_a_magic_code_signs_up(workos: WorkOS) -> None:
    """An address nobody has becomes a user, unverified until the code comes back; what is no address is a 422."""
    sent = await workos.send("POST", MAGIC, {"email": EMAIL}, 201)
    user = await workos.get(f"/user_management/users/{sent['user_id']}")
    assert (user["email"], user["email_verified"]) == (EMAIL, False)
    await workos.send("POST", MAGIC, {"email": "nonsense"}, 422)


async def test_a_verification_flips_the_address(workos: WorkOS) -> None:
    """The code that was mailed verifies it, once; a verified one is neither sent nor confirmed again."""
    user = await workos.user()
    assert await post(workos, user, "email_verification/send") == {"user": user}
    code = {"code": (await letter(workos))["code"]}
    wrong = await post(workos, user, "email_verification/confirm", {"code": "nonsense"}, 400)
    verified = (await post(workos, user, "email_verification/confirm", code))["user"]
    assert verified == user | {"email_verified": True, "updated_at": verified["updated_at"]}
    again = await post(workos, user, "email_verification/confirm", code, 400)
    sent = await post(workos, user, "email_verification/send", status=400)
    codes = [answer["code"] for answer in (wrong, again, sent)]
    assert codes == ["email_verification_code_incorrect", "email_previously_verified", "email_already_verified"]
    assert await kinds(workos) == ["user.created", "email_verification.created", "user.updated"]


async def test_a_verification_cannot_be_guessed(workos: WorkOS) -> None:
    """After five wrong codes the right one is wrong too, until another is sent."""
    user = await workos.user()
    await post(workos, user, "email_verification/send")
    code = {"code": (await letter(workos))["code"]}
    for given in (*[{"code": "nonsense"}] * 5, code):
        refused = await post(workos, user, "email_verification/confirm", given, 400)
        assert refused["code"] == "email_verification_code_incorrect"
    await post(workos, user, "email_verification/send")
    await post(workos, user, "email_verification/confirm", {"code": (await letter(workos))["code"]})


async def test_a_verification_is_for_the_address_it_went_to(workos: WorkOS, watch: Watch) -> None:
    """Neither a new address nor a later hour is verified by an old code."""
    user = await workos.user()
    await post(workos, user, "email_verification/send")
    code = {"code": (await letter(workos))["code"]}
    await workos.send("PUT", f"/user_management/users/{user['id']}", {"email": "eva@example.com"})
    moved = await post(workos, user, "email_verification/confirm", code, 400)
    await workos.send("PUT", f"/user_management/users/{user['id']}", {"email": EMAIL})
    watch.forward(minutes=10)
    late = await post(workos, user, "email_verification/confirm", code, 400)
    assert moved["code"] == "email_verification_code_incorrect"
    assert late["code"] == "email_verification_code_expired"


async def test_a_reset_sets_a_password_and_verifies(workos: WorkOS) -> None:
    """The token of the mail works once, and proves the address too."""
    user = await workos.user(password=PASSWORD)
    sent = await workos.send("POST", RESET, {"email": EMAIL}, 201)
    assert sent["password_reset_url"].endswith(f"?token={sent['password_reset_token']}")
    assert await workos.get(f"{RESET}/{sent['id']}") == sent
    body = {"token": (await letter(workos))["token"], "new_password": "another-horse"}
    answer = await workos.send("POST", f"{RESET}/confirm", body)
    assert (answer["user"]["id"], answer["user"]["email_verified"]) == (user["id"], True)
    await enter(workos, status=400)
    await enter(workos, password="another-horse")
    await workos.send("POST", f"{RESET}/confirm", body, 400)
    created, succeeded = await workos.events("password_reset.created,password_reset.succeeded")
    lean = {name: sent[name] for name in ("object", "id", "user_id", "email", "expires_at", "created_at")}
    assert created["data"] == succeeded["data"] == lean


async def test_a_reset_refuses_what_is_weak_late_or_unknown(workos: WorkOS, watch: Watch) -> None:
    """A weak password leaves the token usable; an hour does not."""
    await workos.user()
    token = (await workos.send("POST", RESET, {"email": EMAIL}, 201))["password_reset_token"]
    weak = await workos.send("POST", f"{RESET}/confirm", {"token": token, "new_password": "short"}, 400)
    assert (weak["code"], weak["errors"][0]["code"]) == ("password_reset_error", "password_too_short")
    watch.forward(hours=1)
    late = await workos.send("POST", f"{RESET}/confirm", {"token": token, "new_password": PASSWORD}, 400)
    assert (late["code"], late["errors"][0]["code"]) == ("password_reset_error", "password_reset_token_expired")
    await workos.send("POST", f"{RESET}/confirm", {"token": "nonsense", "new_password": PASSWORD}, 404)
    await workos.send("POST", RESET, {"email": "nobody@example.com"}, 404)


async def test_a_change_of_address_is_confirmed_from_the_new_one(workos: WorkOS) -> None:
    """Nothing changes until the code comes back; then the new address is there, verified."""
    user = await workos.user()
    sent = await post(workos, user, "email_change/send", {"new_email": "Eva@example.com"})
    assert (sent["object"], sent["user"], sent["new_email"]) == ("email_change", user, "eva@example.com")
    code = {"code": (await letter(workos, "eva@example.com"))["code"]}
    assert (await post(workos, user, "email_change/confirm", {"code": "x"}, 400))[
        "code"
    ] == "email_change_code_incorrect"
    changed = (await post(workos, user, "email_change/confirm", code))["user"]
    assert (changed["email"], changed["email_verified"]) == ("eva@example.com", True)
    again = await post(workos, user, "email_change/confirm", code, 409)
    assert again["code"] == "email_change_code_previously_used"
    assert await kinds(workos) == ["user.created", "user.updated"]


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("nonsense", 422, "invalid_email"),
        (EMAIL, 409, "email_change_not_needed"),
        ("eva@example.com", 409, "email_not_available"),
    ],
)
async def test_not_every_address_can_be_changed_to(workos: WorkOS, address: str, status: int, code: str) -> None:
    """It must be one, another one, and nobody's."""
    user = await workos.user()
    await workos.user("eva@example.com")
    assert (await post(workos, user, "email_change/send", {"new_email": address}, status))["code"] == code


async def test_a_change_of_address_ends(workos: WorkOS, watch: Watch) -> None:
    """It must have been asked for, is not guessed, does not wait, and the address may be lost meanwhile."""
    user, path = await workos.user(), "email_change/confirm"
    none = await post(workos, user, path, {"code": "x"}, 409)
    await post(workos, user, "email_change/send", {"new_email": "eva@example.com"})
    code = {"code": (await letter(workos, "eva@example.com"))["code"]}
    for _ in range(5):
        await post(workos, user, path, {"code": "x"}, 400)
    many = await post(workos, user, path, code, 429)
    await post(workos, user, "email_change/send", {"new_email": "eva@example.com"})
    code = {"code": (await letter(workos, "eva@example.com"))["code"]}
    watch.forward(minutes=10)
    late = await post(workos, user, path, code, 400)
    await post(workos, user, "email_change/send", {"new_email": "eva@example.com"})
    await workos.user("eva@example.com")
    lost = await post(workos, user, path, {"code": (await letter(workos, "eva@example.com"))["code"]}, 409)
    assert [answer["code"] for answer in (none, many, late, lost)] == [
        "no_pending_email_change",
        "email_change_too_many_attempts",
        "email_change_code_expired",
        "email_not_available",
    ]


@pytest.mark.parametrize(("path", "status"), [(MAGIC, 201), (RESET, 201), ("email_verification/send", 200)])
async def test_three_mails_a_minute(workos: WorkOS, watch: Watch, path: str, status: int) -> None:
    """The fourth to the same person is a 429; somebody else is not concerned, and waiting helps."""
    people = [await workos.user(), await workos.user("eva@example.com")]

    async def ask(user: Any, expected: int) -> None:
        if path.startswith("/"):
            await workos.send("POST", path, {"email": user["email"]}, expected)
        else:
            await post(workos, user, path, status=expected)

    for _ in range(3):
        await ask(people[0], status)
    await ask(people[0], 429)
    await ask(people[1], status)
    watch.forward(seconds=60)
    await ask(people[0], status)


async def test_without_limits_mail_is_not_counted(start: Start) -> None:
    """A load test may ask as often as it likes."""
    workos = start(rate_limits=False)
    for _ in range(5):
        await workos.send("POST", MAGIC, {"email": EMAIL}, 201)


async def test_the_mailbox_shows_what_was_sent(workos: WorkOS) -> None:
    """The newest first, of everybody or of one address; the mail of a deleted user goes too."""
    ada, eva = await workos.user(), await workos.user("eva+1@example.com")
    await workos.send("POST", MAGIC, {"email": ada["email"]}, 201)
    await workos.send("POST", RESET, {"email": eva["email"]}, 201)
    assert [one["kind"] for one in (await workos.get("/_sandbox/mailbox"))["data"]] == ["password_reset", "magic_auth"]
    only = await letter(workos, "Eva+1@example.com")
    assert (only["to"], only["user_id"], only["used"]) == (eva["email"], eva["id"], False)
    await workos.send("DELETE", f"/user_management/users/{eva['id']}")
    assert [one["to"] for one in (await workos.get("/_sandbox/mailbox"))["data"]] == [ada["email"]]


@pytest.mark.parametrize("path", [f"{MAGIC}/x", f"{RESET}/x", "/user_management/email_verification/x"])
async def test_what_was_not_sent_is_404(workos: WorkOS, path: str) -> None:
    """Each kind has ids of its own."""
    await workos.get(path, 404)


async def test_codes_are_repeatable_by_seed(start: Start) -> None:
    """Two sandboxes alike send the same codes and tokens; another seed sends others."""
    sent = []
    for seed in (1, 1, 2):
        workos = start(seed=seed)
        magic = await workos.send("POST", MAGIC, {"email": EMAIL}, 201)
        reset = await workos.send("POST", RESET, {"email": EMAIL}, 201)
        sent.append((magic["code"], reset["password_reset_token"]))
    assert sent[0] == sent[1] != sent[2]


async def test_nobody_has_another_identity(workos: WorkOS) -> None:
    """A bare, empty array, and a 404 for who is unknown."""
    user = await workos.user()
    assert await workos.get(f"/user_management/users/{user['id']}/identities") == []
    await workos.get("/user_management/users/user_x/identities", 404)
