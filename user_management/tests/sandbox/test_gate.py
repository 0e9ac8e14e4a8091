import pytest

from user_management.sandbox.limits import READS, WRITES
from user_management.tests.sandbox.conftest import EVENTS, Start, Watch, WorkOS

USERS = "/user_management/users"


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer sk_other"}])
@pytest.mark.parametrize("path", [USERS, "/organizations", "/events?events=user.created", "/authorization/roles"])
async def test_no_key_no_answer(workos: WorkOS, path: str, headers: dict[str, str]) -> None:
    """Every endpoint asks for the key."""
    answer = await workos.client.get(path, headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


async def test_answers_have_a_request_id(workos: WorkOS) -> None:
    """Each answer, good or bad, can be told apart."""
    ids = {(await workos.client.get(path)).headers["x-request-id"] for path in (USERS, USERS, "/nowhere")}
    assert len(ids) == 3


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PATCH", USERS)])
async def test_what_the_sandbox_does_not_have_is_404(workos: WorkOS, method: str, path: str) -> None:
    """Unknown paths and methods answer with a JSON message, as the API does."""
    body = await workos.send(method, path, status=404)
    assert body["message"] == f"Cannot {method} {path}"


async def test_reads_of_users_are_limited(workos: WorkOS, watch: Watch) -> None:
    """One too many in ten seconds is a 429 that says how long to wait, and waiting helps."""
    for _ in range(READS.requests):
        await workos.client.get(f"{USERS}?limit=1")
    watch.forward(seconds=3.5)
    answer = await workos.client.get(USERS)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["code"] == "rate_limit_exceeded"
    watch.forward(seconds=7)
    assert (await workos.client.get(USERS)).status_code == 200


async def test_writes_have_a_limit_of_their_own(workos: WorkOS) -> None:
    """Refused writes count too, but reads and the feed go on."""
    for _ in range(WRITES.requests):
        await workos.client.post(USERS, json={})
    assert (await workos.client.post(USERS, json={})).status_code == 429
    await workos.get(USERS)
    await workos.get("/events", events=EVENTS)


async def test_deleting_organizations_is_limited(workos: WorkOS) -> None:
    """Fifty a minute."""
    for _ in range(50):
        await workos.send("DELETE", "/organizations/org_x", status=404)
    await workos.send("DELETE", "/organizations/org_x", status=429)


async def test_limits_can_be_off(start: Start) -> None:
    """Without rate limits nothing is refused."""
    workos = start(rate_limits=False)
    for _ in range(60):
        await workos.send("DELETE", "/organizations/org_x", status=404)
