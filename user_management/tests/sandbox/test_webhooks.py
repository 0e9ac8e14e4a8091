import json
from contextlib import closing

import httpx
import pytest
import respx
import workos as sdk

from user_management.sandbox import webhooks
from user_management.tests.sandbox.conftest import WorkOS

URL = "http://copy.test/webhooks/workos"
SECRET = "whsec_test"


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> respx.MockRouter:
    """An endpoint that takes what it is told, and a sandbox that does not wait long between two tries."""
    monkeypatch.setattr(webhooks, "_PAUSE", 0.001)
    router = respx.MockRouter()
    router.post(URL).respond(200)
    return router


async def deliver(workos: WorkOS, router: respx.MockRouter) -> list[str]:
    """Let the sandbox send what is due; the ids of the events as they came."""
    before = len(router.calls)
    async with httpx.AsyncClient(transport=httpx.MockTransport(router.async_handler)) as client:
        await workos.app.state.webhooks.send(client)
    return [json.loads(call.request.content)["id"] for call in list(router.calls)[before:]]


async def happen(workos: WorkOS, count: int) -> list[str]:
    """Let users be created; the ids of the events."""
    known = len(workos.app.state.store.feed)
    for number in range(count):
        await workos.user(f"user{known + number}@example.com")
    return list(workos.app.state.store.feed.ids[known:])


async def test_events_are_told_at_once_and_in_order(workos: WorkOS, posts: respx.MockRouter) -> None:
    """Whatever the feed still holds back, the endpoint hears of, once; not of what happened before it was named."""
    await happen(workos, 2)
    await workos.send("PUT", "/_sandbox/webhook", {"url": URL, "secret": SECRET})
    told = await happen(workos, 5)
    assert await deliver(workos, posts) == told
    assert await deliver(workos, posts) == []
    state = (await workos.get("/_sandbox"))["webhooks"]
    assert (state["delivered"], "secret" in state) == (5, False)


async def test_the_signature_is_one_that_the_sdk_accepts(
    workos: WorkOS, posts: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook is signed as WorkOS signs."""
    await workos.send("PUT", "/_sandbox/webhook", {"url": URL, "secret": SECRET})
    await happen(workos, 1)
    moment = workos.app.state.store.now() / 1000
    monkeypatch.setattr("time.time", lambda: moment)
    await deliver(workos, posts)
    request = posts.calls.last.request
    with closing(sdk.WorkOSClient(api_key="sk_test", client_id="client_test")) as client:
        client.webhooks.verify_header(
            event_body=request.content, event_signature=request.headers["WorkOS-Signature"], secret=SECRET
        )


async def test_what_goes_wrong_goes_wrong_by_seed(workos: WorkOS, posts: respx.MockRouter) -> None:
    """A share is lost, a share comes twice, the order is another: the same for the same seed."""
    ways = {"url": URL, "secret": SECRET, "lost": 0.3, "repeated": 0.3, "shuffle": True, "seed": 7}
    found = []
    for _ in range(2):
        await workos.send("PUT", "/_sandbox/webhook", ways)
        told = await happen(workos, 20)
        found.append([told.index(event_id) for event_id in await deliver(workos, posts)])
    assert found[0] == found[1] != sorted(found[0])
    assert len(set(found[0])) < 20 < len(found[0]) + 6


async def test_an_endpoint_that_fails_is_tried_again(workos: WorkOS, posts: respx.MockRouter) -> None:
    """A few times, then the event is left to the feed."""
    await workos.send("PUT", "/_sandbox/webhook", {"url": URL, "secret": SECRET})
    posts.post(URL).mock(side_effect=[httpx.Response(503), httpx.ConnectError("away"), httpx.Response(200)])
    told = await happen(workos, 1)
    assert await deliver(workos, posts) == told * 3
    posts.post(URL).mock(side_effect=None, return_value=httpx.Response(500))
    told = await happen(workos, 1)
    assert await deliver(workos, posts) == told * 4
    assert (await workos.get("/_sandbox"))["webhooks"]["failed"] == 1


async def test_a_share_is_a_share(workos: WorkOS) -> None:
    """More than all cannot be lost."""
    await workos.send("PUT", "/_sandbox/webhook", {"url": URL, "lost": 2}, 422)
