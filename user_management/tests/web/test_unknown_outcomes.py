"""When WorkOS does not answer a write: what is found there is told, and what is not known is called so."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
import structlog

from user_management.db.session import Pool
from user_management.journal.timestamps import render
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import NOBODY, Tell, ids
from user_management.tests.web.test_writes import ADA, USER

WRITES = "/user_management/users"
KEY = {"Idempotency-Key": "first-try"}


def now(seconds: float = 0) -> str:
    """A moment near this one, as WorkOS writes it."""
    return render(datetime.now(UTC) + timedelta(seconds=seconds))


def shows(remote: respx.MockRouter, **changes: Any) -> None:
    """Let WorkOS show a user with Ada's address."""
    user = {**USER, **ADA, "created_at": now(), **changes}
    answer = {"object": "list", "data": [user], "list_metadata": {"before": None, "after": None}}
    remote.routes["look"].respond(json=answer)


async def test_a_write_whose_answer_was_lost_is_found(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """The caller gets the user as if WorkOS had answered, and the copy has it at once."""
    await local.misbehave({"lost-reply": 1.0}, paths=WRITES)
    with structlog.testing.capture_logs() as logs:
        answer = await api.post("/api/users", json={**ADA, "email": " Ada@Example.COM"})
    user = answer.json()
    assert (answer.status_code, user["email"]) == (201, "ada@example.com")
    assert answer.headers["Location"] == f"/api/users/{user['id']}"
    assert ids(await api.get("/api/users")) == [user["id"]] == list(await local.objects("users"))
    assert [(line["event"], line["object_id"]) for line in logs] == [("write.found", user["id"])]


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"created_at": now(-3600)}, "an older one"),
        ({"first_name": "Grace"}, "a different one"),
        ({"metadata": {"team": "looms"}}, "a different one"),
    ],
)
async def test_somebody_else_is_never_taken_for_it(
    afar: httpx.AsyncClient, remote: respx.MockRouter, changes: dict[str, Any], seen: str
) -> None:
    """A user who was there before, or who never was what was asked for, is no proof that it was done."""
    remote.post(WRITES).mock(side_effect=httpx.ReadTimeout("slow"))
    shows(remote, **changes)
    answer = await afar.post("/api/users", json=ADA)
    assert (answer.status_code, answer.json()["outcome"]) == (504, "unknown")
    assert answer.json()["looked_for"] == [{"by": "email", "found": seen}]
    assert "ada@example.com" not in answer.text


async def test_whom_the_copy_knew_before_is_never_taken_for_it(
    afar: httpx.AsyncClient, remote: respx.MockRouter, tell: Tell
) -> None:
    """A user of a second ago is older than the request, whatever the clocks say."""
    await tell("users")
    remote.post(WRITES).mock(side_effect=httpx.ReadTimeout("slow"))
    shows(remote, id="user_0000")
    answer = await afar.post("/api/users", json=ADA)
    assert answer.status_code == 504
    assert answer.json()["looked_for"] == [{"by": "email", "found": "one of another write"}]


async def test_a_neighbour_is_never_told_as_the_outcome(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """A domain that somebody verifies meanwhile is not the one that was asked for, nor is its token told."""
    other = {"object": "organization_domain", "id": "org_domain_1", "organization_id": "org_1", "domain": "a.example",
             "verification_token": "t0ken", "created_at": now(), "updated_at": now(1)}  # fmt: skip
    remote.post("/organization_domains").respond(500)
    remote.get("/organizations/org_1").respond(json={"id": "org_1", "domains": [other]})
    for _ in range(2):
        answer = await afar.post(
            "/api/organization_domains", json={"organization_id": "org_1", "domain": "b.example"}, headers=KEY
        )
        assert (answer.status_code, "t0ken" in answer.text) == (504, False)
        assert answer.json()["looked_for"] == [{"by": "organization", "found": "nothing"}]


async def test_one_user_is_the_outcome_of_one_write(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """Of two callers who ask for the same and get no answer, one has made the user there is."""
    remote.post(WRITES).mock(side_effect=httpx.ReadTimeout("slow"))
    shows(remote)
    answers = await asyncio.gather(*(afar.post("/api/users", json=ADA) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 504]
    assert await pool.fetchval("SELECT count(*) FROM journal") == 1


async def test_the_external_id_is_looked_for_first(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """Each place that was looked at is told, with what was seen there."""
    remote.post(WRITES).respond(500)
    route = remote.get("/user_management/users/external_id/customer%2F1").respond(404, json={"message": "No."})
    answer = await afar.post("/api/users", json={**ADA, "external_id": "customer/1"})
    assert answer.json()["looked_for"] == [
        {"by": "external_id", "found": "nothing"}, {"by": "email", "found": "nothing"},
    ]  # fmt: skip
    assert (route.call_count, remote.routes["look"].call_count) == (1, 1)


async def test_a_look_that_fails_leaves_it_unknown(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """Whoever cannot look knows nothing, and says so."""
    remote.post(WRITES).respond(500)
    remote.routes["look"].respond(503)
    answer = await afar.post("/api/users", json=ADA)
    assert (answer.status_code, answer.json()["looked_for"]) == (504, [{"by": "email", "found": "no answer"}])


async def test_a_repeat_that_meets_its_own_work_is_no_refusal(
    afar: httpx.AsyncClient, remote: respx.MockRouter
) -> None:
    """The first try arrives late, between look and repeat: `email_not_available` then means that it was done."""
    route = remote.post(WRITES).mock(side_effect=httpx.ReadTimeout("slow"))
    assert (await afar.post("/api/users", json=ADA, headers=KEY)).status_code == 504

    def taken(_request: httpx.Request) -> httpx.Response:
        shows(remote)
        errors = [{"code": "email_not_available"}]
        return httpx.Response(400, json={"message": "No.", "code": "user_creation_error", "errors": errors})

    route.mock(side_effect=taken)
    answer = await afar.post("/api/users", json=ADA, headers=KEY)
    assert (answer.status_code, answer.json()["id"]) == (201, "user_1")


@pytest.mark.parametrize(("older", "status"), [(True, 400), (False, 504)])
async def test_a_repeat_that_is_refused_for_somebody_else(
    afar: httpx.AsyncClient, remote: respx.MockRouter, *, older: bool, status: int
) -> None:
    """An older user with the address makes it a refusal; as long as none is seen, it may still be our own."""
    route = remote.post(WRITES).respond(500)
    await afar.post("/api/users", json=ADA, headers=KEY)
    if older:
        shows(remote, created_at=now(-3600))
    route.respond(400, json={"message": "No.", "errors": [{"code": "email_not_available"}]})
    answers = [await afar.post("/api/users", json=ADA, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, status]
    assert route.call_count == (2 if older else 3)


async def test_a_membership_that_was_made_active_again_is_no_refusal(
    afar: httpx.AsyncClient, remote: respx.MockRouter
) -> None:
    """Who is a member already may be so by this very write, though their membership is an older one."""
    at, pair = "/user_management/organization_memberships", {"user_id": "user_1", "organization_id": "org_1"}
    member = {"object": "organization_membership", "id": "om_1", **pair, "status": "active",
              "role": {"slug": "member"}, "created_at": now(-3600), "updated_at": now()}  # fmt: skip
    remote.get(at).respond(json={**NOBODY, "data": [member]})
    route = remote.post(at).respond(500)
    await afar.post("/api/organization_memberships", json=pair, headers=KEY)
    route.respond(400, json={"message": "No.", "code": "user_already_organization_member"})
    answers = [await afar.post("/api/organization_memberships", json=pair, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [504, 504]
    assert answers[0].json()["looked_for"][0]["found"] == "an older one that was changed since"


async def test_a_user_who_was_changed_through_us_since_is_no_refusal(
    afar: httpx.AsyncClient, remote: respx.MockRouter
) -> None:
    """The first try arrives late and somebody changes who it made: a refusal of the repeat is not final."""
    route = remote.post(WRITES).respond(500)
    await afar.post("/api/users", json=ADA, headers=KEY)
    shows(remote, updated_at=now(1))
    remote.put(f"{WRITES}/user_1").respond(json={**USER, **ADA, "created_at": now(), "updated_at": now(1)})
    assert (await afar.put("/api/users/user_1", json={"first_name": "Ada"})).status_code == 200
    route.respond(400, json={"message": "No.", "errors": [{"code": "email_not_available"}]})
    answers = [await afar.post("/api/users", json=ADA, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [504, 504]
    assert answers[0].json()["looked_for"] == [{"by": "email", "found": "one of another write"}]


async def test_an_unknown_outcome_stays_one_while_workos_is_away(
    afar: httpx.AsyncClient, remote: respx.MockRouter
) -> None:
    """That nothing was done is not said of a write whose first try may have been done; nor is its key free."""
    route = remote.post(WRITES).respond(500)
    await afar.post("/api/users", json=ADA, headers=KEY)
    route.mock(side_effect=httpx.ConnectError("away"))
    assert (await afar.post("/api/users", json=ADA, headers=KEY)).status_code == 504
    other = await afar.post("/api/users", json={"email": "grace@example.com"}, headers=KEY)
    assert other.json()["type"] == "/api/problems/key-reused"


async def test_what_is_found_while_the_database_is_broken_is_not_claimed(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """Whose a found user is only the journal can tell."""
    remote.post(WRITES).respond(500)
    shows(remote)
    await pool.execute("ALTER TABLE journal RENAME TO gone")
    answer = await afar.post("/api/users", json=ADA)
    assert (answer.status_code, answer.json()["looked_for"]) == (504, [{"by": "email", "found": "found"}])


async def test_what_is_found_is_the_outcome_whoever_has_the_turn(
    afar: httpx.AsyncClient, remote: respx.MockRouter, pool: Pool
) -> None:
    """One who was taken for dead finds what it did: that is the outcome, though somebody else is at work by now."""

    async def late(_request: httpx.Request) -> httpx.Response:
        await pool.execute("UPDATE writes SET owner = 'somebody else'")
        shows(remote)
        return httpx.Response(500)

    remote.post(WRITES).mock(side_effect=late)
    first, second = [await afar.post("/api/users", json=ADA, headers=KEY) for _ in range(2)]
    assert (first.status_code, second.status_code, second.content) == (201, 201, first.content)
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/users/user_1/password", {"current_password": "old horse", "new_password": "new horse"}),
        ("POST", "/api/users/user_1/soft-delete", None), ("POST", "/api/users/user_1/restore", None),
        ("POST", "/api/auth/resend-verification", {"email": "ada@example.com"}),
    ],
)  # fmt: skip
async def test_nothing_is_done_to_whom_workos_does_not_show(
    afar: httpx.AsyncClient, remote: respx.MockRouter, method: str, path: str, body: Any
) -> None:
    """Where we have to ask for the user first, a page that is no answer says nothing of them, and nothing is sent."""
    for look in (WRITES, f"{WRITES}/user_1"):
        remote.get(look).respond(text="<html>Welcome</html>")
    sent = remote.route(method__in=["POST", "PUT"]).respond(json=USER)
    remote.get(path__regex=r".*").respond(json=NOBODY)
    answer = await afar.request(method, path, json=body)
    assert (answer.status_code, "Retry-After" in answer.headers, sent.call_count) == (503, True, 0)
