"""Writes that change or end what is there: forwarded once, in the copy at once, and looked for when no answer comes."""

import json
from typing import Any

import httpx
import pytest
import respx

from user_management.db.session import Pool
from user_management.journal.timestamps import render
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import START, Tell, ids
from user_management.tests.web.test_writes import USER

KEY = {"Idempotency-Key": "first-try"}
AT = "/user_management/users/user_1"
LATER = {**USER, "first_name": "Ada", "updated_at": "2026-01-02T00:00:00.000Z"}


async def test_a_change_is_in_the_copy_at_once(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """PUT and PATCH answer 200 with WorkOS's user, which the next read shows; what was left out stays."""
    user = (await api.post("/api/users", json={"email": "ada@example.com", "first_name": "Ada"})).json()
    path = f"/api/users/{user['id']}"
    for method, change in (("PUT", {"last_name": "King"}), ("PATCH", {"first_name": None})):
        answer = await api.request(method, path, json=change)
        assert answer.status_code == 200, answer.text
        user = (await api.get(path)).json()
        assert user == answer.json()
    assert (user["first_name"], user["last_name"]) == (None, "King")
    assert (await local.objects("users"))[user["id"]]["last_name"] == "King"


async def test_a_deleted_user_is_gone_at_once_with_all_memberships(api: httpx.AsyncClient, local: LocalWorkOS) -> None:
    """DELETE answers 204; user and memberships are gone from the copy before any event tells of it."""
    user = (await api.post("/api/users", json={"email": "ada@example.com"})).json()
    organization = (await api.post("/api/organizations", json={"name": "Engines"})).json()
    pair = {"user_id": user["id"], "organization_id": organization["id"]}
    membership = (await api.post("/api/organization_memberships", json=pair)).json()
    answer = await api.delete(f"/api/users/{user['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    for path in (f"users/{user['id']}", f"organization_memberships/{membership['id']}"):
        assert (await api.get(f"/api/{path}")).json()["type"] == "/api/problems/deleted"
    assert await local.objects("users") == {}


async def test_an_end_that_is_only_accepted_is_no_end_yet(
    afar: httpx.AsyncClient, remote: respx.MockRouter, tell: Tell
) -> None:
    """202 is handed through, under a key again and again, and the copy keeps the object until its event comes."""
    await tell("organizations")
    route = remote.delete("/organizations/organization_0000").respond(202)
    answers = [await afar.delete("/api/organizations/organization_0000", headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert (route.call_count, ids(await afar.get("/api/organizations"))) == (1, ["organization_0000"])


@pytest.mark.parametrize("body", [{"text": "<html>Welcome</html>"}, {"status_code": 500}])
@pytest.mark.parametrize("look", [404, 200, 503])
async def test_an_end_without_an_answer_is_looked_for(
    afar: httpx.AsyncClient, remote: respx.MockRouter, tell: Tell, body: dict[str, Any], look: int
) -> None:
    """What is not there any more was deleted, whatever stood between us and WorkOS; else nobody knows."""
    await tell("users", id="user_1")
    remote.delete(AT).respond(**body)
    remote.get(AT).respond(look, json=USER if look == 200 else {"message": "No."})
    answer = await afar.delete("/api/users/user_1")
    assert answer.status_code == (204 if look == 404 else 504)
    assert ids(await afar.get("/api/users")) == ([] if look == 404 else ["user_1"])


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"first_name": "Ada"}, 200),
        ({"first_name": "Grace"}, 504),
        ({"last_name": None}, 200),
        ({"first_name": None}, 504),
        ({"metadata": {"team": "engines", "old": None}}, 200),
        ({"metadata": {}}, 504),
        ({"first_name": "Ada", "password": "s3cret"}, 504),
    ],
)
async def test_a_change_without_an_answer_is_looked_for(
    afar: httpx.AsyncClient, remote: respx.MockRouter, sent: dict[str, Any], expected: int
) -> None:
    """A user who has all that was sent is the outcome; what cannot be seen to be so is not called so."""
    shown = {**LATER, "last_name": None, "metadata": {"team": "engines"}}
    route = remote.put(AT).mock(side_effect=httpx.ReadTimeout("slow"))
    remote.get(AT).respond(json=shown)
    answer = await afar.put("/api/users/user_1", json=sent)
    assert (answer.status_code, route.call_count) == (expected, 1)
    assert ids(await afar.get("/api/users")) == (["user_1"] if expected == 200 else [])


async def test_a_repeated_change_looks_first(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """Under its key, what was done after all is told without asking again; what was not is asked for once more."""
    route = remote.put(AT).respond(500)
    look = remote.get(AT).respond(json=USER)
    assert (await afar.put("/api/users/user_1", json={"first_name": "Ada"}, headers=KEY)).status_code == 504
    look.respond(json=LATER)
    answers = [await afar.put("/api/users/user_1", json={"first_name": "Ada"}, headers=KEY) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in answers] == [(200, LATER)] * 2
    assert (route.call_count, answers[1].headers["Idempotency-Replayed"]) == (1, "true")


async def test_a_repeated_end_that_meets_its_own_work_is_no_refusal(
    afar: httpx.AsyncClient, remote: respx.MockRouter
) -> None:
    """The first try arrives late, between look and repeat: a 404 then means that it was done."""
    route = remote.delete(AT).respond(500)
    look = remote.get(AT).respond(json=USER)
    assert (await afar.delete("/api/users/user_1", headers=KEY)).status_code == 504

    def gone(_request: httpx.Request) -> httpx.Response:
        look.respond(404, json={"message": "No."})
        return httpx.Response(404, json={"message": "No."})

    route.mock(side_effect=gone)
    assert (await afar.delete("/api/users/user_1", headers=KEY)).status_code == 204


async def test_whom_workos_does_not_know_is_refused_in_its_words(api: httpx.AsyncClient) -> None:
    """A 404 of WorkOS's is the caller's, for a change as for an end."""
    for answer in (await api.put("/api/users/user_9", json={}), await api.delete("/api/users/user_9")):
        assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems/refused")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_another_user_in_the_reply_is_not_believed(
    afar: httpx.AsyncClient, remote: respx.MockRouter, method: str, pool: Pool
) -> None:
    """A reply about somebody else leaves open what was done, and nothing of it is kept."""
    remote.put(AT).respond(json={**USER, "id": "user_2"})
    remote.get(AT).respond(json=USER)
    assert (await afar.request(method, "/api/users/user_1", json={"first_name": "Ada"})).status_code == 504
    assert await pool.fetchval("SELECT count(*) FROM journal") == 0


async def test_null_and_absent_stay_apart(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """WorkOS gets exactly what was sent: nulls, unknown keys, and no body where there was none."""
    route = remote.put(AT).respond(json=LATER)
    sent = {"first_name": None, "brand_new": {"a": [None]}}
    await afar.put("/api/users/user_1", json=sent)
    assert json.loads(route.calls.last.request.content) == sent
    delete = remote.delete(AT).respond(200)
    await afar.delete("/api/users/user_1")
    assert delete.calls.last.request.content == b""


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("..%2froles", None), ("a%2Fb", None), ("%2e%2e", None), (".", None), ("x%00", None),
        ("%ED%A0%80", "%EF%BF%BD%EF%BF%BD%EF%BF%BD"),
        ("x" * 501, None), ("%252e%252e", "%252e%252e"), ("a%3Fb%23c", "a%3Fb%23c"), ("a%25", "a%25"),
        ("a;b", "a%3Bb"), ("%5c..%5c", "%5C..%5C"), ("...", "..."), ("external_id", "external_id"),
    ],
)  # fmt: skip
async def test_an_id_cannot_leave_its_segment(
    afar: httpx.AsyncClient, remote: respx.MockRouter, asked: str, sent: str | None
) -> None:
    """Whatever stands in the path: WorkOS is asked for just that id, or not at all."""
    route = remote.route(method="DELETE").respond(404, json={"message": "No such user."})
    url = httpx.URL("http://api.test").copy_with(raw_path=f"/api/users/{asked}".encode())
    answer = await afar.request("DELETE", url)
    assert answer.status_code in {404, 405}, answer.text
    told = [call.request.url.raw_path.decode() for call in route.calls]
    assert told == ([] if sent is None else [f"/user_management/users/{sent}"])


async def test_what_is_paused_is_looked_for_by_its_state(afar: httpx.AsyncClient, remote: respx.MockRouter) -> None:
    """A membership that is inactive was deactivated, whatever was lost on the way; an active one was not."""
    path, at = "/user_management/organization_memberships/om_1", render(START)
    body = {"object": "organization_membership", "id": "om_1", "user_id": "user_1", "organization_id": "org_1",
            "status": "inactive", "created_at": at, "updated_at": at}  # fmt: skip
    remote.put(f"{path}/deactivate").respond(500)
    remote.put(f"{path}/reactivate").respond(500)
    remote.get(path).respond(json=body)
    answers = [await afar.post(f"/api/organization_memberships/om_1/{what}") for what in ("deactivate", "reactivate")]
    assert [answer.status_code for answer in answers] == [200, 504]
    assert answers[1].json()["looked_for"] == [{"by": "id", "found": "not as it was to be"}]
