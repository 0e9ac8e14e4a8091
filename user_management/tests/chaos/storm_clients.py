"""Who uses the copy during a storm: writers through the API and past it, readers that page through lists all the time.

They note what they were told; the judge decides afterwards, when it is known what was true at the time.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from random import Random
from typing import Any

import httpx

from user_management.db import jsontext
from user_management.tests.chaos.storm_scene import Scene

STATUSES = {"organization_memberships": "&statuses=active,inactive,pending"}
"""What a list must be asked for to be whole."""

TIMEOUT = 6.0
"""Seconds a client waits for an answer."""

BREATH, REST = 0.03, 0.2
"""Seconds between two requests of a client, and after one that came to nothing."""

ALIVE, DELETED, UNKNOWN = "alive", "deleted", "unknown"


@dataclass(frozen=True, slots=True)
class Told:
    """How fresh an answer says it is, and when we asked and heard (wall clock)."""

    sent: float
    heard: float
    state: str
    position: int
    as_of: float | None = None
    age: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list: what was asked for and the ids it held."""

    told: Told
    kind: str
    order: str
    limit: int
    after: str | None
    ids: tuple[str, ...]
    following: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """A look at one user: alive, deleted or unknown to the copy."""

    told: Told
    id: str
    found: str


@dataclass(slots=True)
class Write:
    """A user we asked the API to create: what each try came to, and the id if one was accepted."""

    email: str
    outcomes: list[str] = field(default_factory=list)
    id: str | None = None
    first_look: Look | None = None


@dataclass
class Heard:
    """All that the clients were told, and what no answer may ever be."""

    pages: list[Page] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unserved: int = 0


@dataclass
class Clients:
    """The clients of a scene, until `stopping` is set."""

    scene: Scene
    http: httpx.AsyncClient
    heard: Heard = field(default_factory=Heard)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """All of them at once."""
        dice = Random(self.scene.plan.seed)  # noqa: S311  a test's dice
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.page_on("users", "asc", 37))
            tasks.create_task(self.page_on("users", "desc", 100))
            tasks.create_task(self.page_on("organizations", "asc", 3))
            tasks.create_task(self.page_on("organization_memberships", "desc", 20))
            tasks.create_task(self.write_on("a"))
            tasks.create_task(self.write_on("b"))
            tasks.create_task(self.look_on(dice))
            tasks.create_task(self.write_past_it(dice))

    async def page_on(self, kind: str, order: str, limit: int) -> None:
        """Walk through a list from one end to the other, again and again."""
        after: str | None = None
        while not self.stopping.is_set():
            page = await self.page(kind, order, limit, after)
            after = page.following if page else after
            await asyncio.sleep(BREATH)

    async def page(self, kind: str, order: str, limit: int, after: str | None) -> Page | None:
        """One page; None when the API did not serve it."""
        path = f"/api/{kind}?order={order}&limit={limit}{STATUSES.get(kind, '')}" + (f"&after={after}" if after else "")
        answer, told = await self.get(path)
        if answer is None or told is None:
            return None
        if answer.status_code != 200:
            self.heard.wrong.append(f"GET {path} was answered {answer.status_code}: {answer.text[:300]}")
            return None
        document = jsontext.loads(answer.text)
        ids = tuple(item["id"] for item in document["data"])
        page = Page(told, kind, order, limit, after, ids, document["list_metadata"]["after"])
        self.heard.pages.append(page)
        return page

    async def look_on(self, dice: Random) -> None:
        """Look at the users that were created through us, again and again."""
        while not self.stopping.is_set():
            await asyncio.sleep(BREATH)
            known = [write.id for write in self.heard.writes if write.id]
            if known:
                await self.look(dice.choice(known))

    async def look(self, user_id: str) -> Look | None:
        """One look at a user; None when the API did not serve it."""
        path = f"/api/users/{user_id}"
        answer, told = await self.get(path)
        if answer is None or told is None:
            return None
        problem = "" if answer.status_code == 200 else str(jsontext.loads(answer.text).get("type", ""))
        found = {"": ALIVE, "/api/problems/deleted": DELETED, "/api/problems/not-found": UNKNOWN}.get(problem)
        if found is None:
            self.heard.wrong.append(f"GET {path} was answered {answer.status_code}: {answer.text[:300]}")
            return None
        look = Look(told, user_id, found)
        self.heard.looks.append(look)
        return look

    async def get(self, path: str) -> tuple[httpx.Response | None, Told | None]:
        """An answer with its freshness; nothing when there was none, or one that asks to wait."""
        sent = time.time()
        answer = await self.ask("GET", path)
        if answer is None:
            return None, None
        with self.checking(f"GET {path}", answer):
            if answer.status_code == 503 and answer.headers["content-type"] == "application/problem+json":
                jsontext.loads(answer.text)
                self.heard.unserved += int(answer.headers["retry-after"]) > 0
                return None, None
            jsontext.loads(answer.text)
            return answer, told(answer.headers, sent)
        return None, None

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """An answer of the API; None when the connection broke or it took too long."""
        try:
            return await self.http.request(method, self.scene.api_url + path, **more)
        except httpx.TransportError:
            self.heard.unserved += 1
            await asyncio.sleep(REST)
            return None

    @contextmanager
    def checking(self, what: str, answer: httpx.Response) -> Iterator[None]:
        """Note an answer that cannot be understood."""
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            told = f"{answer.status_code} {dict(answer.headers)} {answer.text[:300]}"
            self.heard.wrong.append(f"{what} was answered with something odd ({error!r}): {told}")

    async def write_on(self, name: str) -> None:
        """Create one user after another through the API, and look at each at once."""
        for n in count():
            if self.stopping.is_set():
                return
            write = Write(f"storm-{self.scene.plan.seed}-{name}-{n}@example.com")
            self.heard.writes.append(write)
            await self.write(write)
            await asyncio.sleep(BREATH)

    async def write(self, write: Write) -> None:
        """Create a user; if nobody knows whether that was done, ask once more under the same key."""
        key = {"Idempotency-Key": write.email}
        for _ in range(2):
            answer = await self.ask("POST", "/api/users", json={"email": write.email}, headers=key)
            write.outcomes.append(outcome(answer))
            if answer is not None and answer.status_code == 500:
                self.heard.wrong.append(f"POST /api/users was answered 500: {answer.text[:300]}")
            if answer is not None and answer.status_code == 201:
                write.id = answer.json()["id"]
                await self.look_at_once(write)
            if write.outcomes[-1] != "unknown":
                return

    async def look_at_once(self, write: Write) -> None:
        """The first look at a user that was just created; again until it is served."""
        while write.first_look is None and write.id is not None and not self.stopping.is_set():
            write.first_look = await self.look(write.id)

    async def write_past_it(self, dice: Random) -> None:
        """Change the source directly, as everybody else does who uses it; our own users among others."""
        headers = {"Authorization": "Bearer sk_sandbox"}
        async with httpx.AsyncClient(base_url=self.scene.source_url, headers=headers, timeout=TIMEOUT) as http:
            for n in count():
                if self.stopping.is_set():
                    return
                with suppress(httpx.TransportError):
                    await self.change(http, dice, n)
                await asyncio.sleep(0.05)

    async def change(self, http: httpx.AsyncClient, dice: Random, n: int) -> None:
        """One change, by dice."""
        ours = [write.id for write in self.heard.writes[:-3] if write.id]
        what = dice.random()
        if what < 0.4 or not ours:
            email = f"direct-{self.scene.plan.seed}-{n}@example.com"
            await http.post("/user_management/users", json={"email": email})
        elif what < 0.8:
            await http.put(f"/user_management/users/{dice.choice(ours)}", json={"first_name": f"name {n}"})
        else:
            await http.delete(f"/user_management/users/{dice.choice(ours)}")


def told(headers: Mapping[str, str], sent: float) -> Told:
    """What the headers of a read say; `KeyError` or `ValueError` when they do not."""
    as_of = headers.get("replica-as-of")
    return Told(
        sent, time.time(), headers["replica-state"], int(headers["replica-position"]),
        datetime.fromisoformat(as_of).timestamp() if as_of else None,
        int(headers["age"]) if as_of else None,
    )  # fmt: skip


def outcome(answer: httpx.Response | None) -> str:
    """What an answer says of a write: done, not done, or unknown."""
    if answer is None:
        return "unknown"
    if answer.status_code == 201:
        return "done"
    return "unknown" if answer.status_code in {500, 504} else "not done"
