"""Clients of a simulated API, with one request or with as many as an outcome takes, and WorkOS telling it of events."""

import asyncio

import httpx

from user_management.tests.chaos import simulator_world, virtual
from user_management.tests.chaos.simulator_world import SECRET, Post, World
from user_management.web import signature

PATIENCE = 40
"""Times that a client asks again."""


async def api(world: World) -> None:
    """One API process after the other, until nobody needs it."""
    while not world.leaving_api:
        await world.live(world.born("api"), simulator_world.serve)
        await asyncio.sleep(1.0)


async def leave(world: World, api: asyncio.Future[None]) -> None:
    """Let the API go for good."""
    world.leaving_api = True
    world.alive["api"].stopping.set()
    await api


async def post(world: World, email: str) -> None:
    """A client creates a user, and looks whether the API shows what it has accepted."""
    told = Post(email)
    world.posts.append(told)
    await attempt(world, told)


async def attempt(world: World, told: Post) -> None:
    """One request of a client."""
    told.status = None
    process = world.alive.get("api")
    if process is None or process.dead or process.stopping.is_set() or not hasattr(world.api.state, "backend"):
        told.status, told.problem = 503, "nobody there"
        return
    task = process.spawn(request(world, told))
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) and not process.dead:
        world.crashes.append(f"the API failed: {error!r}")


async def request(world: World, told: Post) -> None:
    """The request, and the look."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.api), base_url="http://api.test") as http:
        answer = await http.post("/api/users", json={"email": told.email, "first_name": "Ada"},
                                 headers={"Idempotency-Key": told.email} if told.keyed else {})  # fmt: skip
        told.status, body = answer.status_code, answer.json()
        told.problem, told.id = body.get("type", ""), body.get("id", "")
        if told.status == httpx.codes.CREATED:
            found = await http.get(answer.headers["Location"])
            told.visible = found.status_code != httpx.codes.NOT_FOUND


async def until_told(world: World, email: str) -> None:
    """A client that repeats its write with one key until it has an outcome."""
    told, wait = Post(email, keyed=True), 0.5
    world.posts.append(told)
    for _ in range(PATIENCE):
        await attempt(world, told)
        if told.status == httpx.codes.CREATED:
            return
        await asyncio.sleep(wait)
        wait = min(wait * 5, 60.0)


async def webhook(world: World, blob: bytes, *, forged: bool) -> None:
    """WorkOS tells of an event, or somebody who claims to be WorkOS does."""
    process = world.alive.get("api")
    if process is None or process.dead or process.stopping.is_set() or not hasattr(world.api.state, "backend"):
        return
    task = process.spawn(tell(world, blob, forged=forged))
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) and not process.dead:
        world.crashes.append(f"the API failed on a webhook: {error!r}")


async def tell(world: World, blob: bytes, *, forged: bool) -> None:
    """The request."""
    stamp = f"{virtual.true_time().timestamp() * 1000:.0f}"
    body = blob.replace(b'"first_name":"', b'"first_name":"Mallory ') if forged else blob
    headers = {"WorkOS-Signature": f"t={stamp}, v1={signature.sign('forged' if forged else SECRET, stamp, body)}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.api), base_url="http://api.test") as http:
        answer = await http.post("/webhooks/workos", content=body, headers=headers)
    assert answer.is_success or answer.is_server_error or forged, answer.text
    assert not (forged and answer.is_success), "a forged webhook was taken"
