"""The sandbox in the test's own process: reached over HTTP messages, without a port, by the real SDK."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from user_management.mirror.engine import catalog
from user_management.sandbox.application import create_app
from user_management.sandbox.config import Config
from user_management.services.workos import client
from user_management.services.workos.client import WorkOS
from user_management.tests.support.waiting import PATIENCE

URL = "http://workos.test"
KEY = "sk_sandbox"
HEADERS = {"Authorization": f"Bearer {KEY}"}


def connection(http: httpx.AsyncClient, url: str) -> WorkOS:
    """What the code under test uses to reach it."""
    return client.over(http, api_key=KEY, client_id="client_sandbox", base_url=url)


class Wire(httpx.ASGITransport):
    """The app behind what looks like a network: where the sandbox resets a connection, httpx reports it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The app's answer."""
        try:
            return await super().handle_async_request(request)
        except ConnectionResetError as error:
            raise httpx.ReadError(str(error), request=request) from error


@dataclass(frozen=True)
class LocalWorkOS:
    """A local WorkOS: the app, an HTTP client of the test's to command it, and a connection for the code under test."""

    http: httpx.AsyncClient
    connection: WorkOS
    app: Any = None

    @classmethod
    @asynccontextmanager
    async def running(cls, **config: Any) -> AsyncIterator["LocalWorkOS"]:
        """A local WorkOS that shows events at once and limits nothing, unless told otherwise."""
        app = create_app(Config(**{"hold_back": 0.0, "rate_limits": False, **config}))
        async with httpx.AsyncClient(transport=Wire(app=app), base_url=URL, headers=HEADERS) as http:
            yield cls(http, connection(http, URL), app)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator["LocalWorkOS"]:
        """A local WorkOS that runs in a process of its own."""
        async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=PATIENCE) as http:
            yield cls(http, connection(http, url))

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """What the local WorkOS answers; anything but success is the test's failure."""
        answer = await self.http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def user(self, email: str = "ada@example.com", **fields: Any) -> dict[str, Any]:
        """Create a user."""
        created: dict[str, Any] = await self.call("POST", "/user_management/users", {"email": email, **fields})
        return created

    async def organization(self, name: str = "Analytical Engines") -> dict[str, Any]:
        """Create an organization."""
        created: dict[str, Any] = await self.call("POST", "/organizations", {"name": name})
        return created

    async def membership(self, user: dict[str, Any], organization: dict[str, Any]) -> dict[str, Any]:
        """Make a user a member of an organization."""
        body = {"user_id": user["id"], "organization_id": organization["id"]}
        created: dict[str, Any] = await self.call("POST", "/user_management/organization_memberships", body)
        return created

    async def sign_in(self, email: str, password: str) -> None:
        """Let a user sign in."""
        body = {"grant_type": "password", "email": email, "password": password,
                "client_id": "client_sandbox", "client_secret": KEY}  # fmt: skip
        await self.call("POST", "/user_management/authenticate", body)

    async def activity(self, count: int) -> None:
        """Let so many things happen at once, as people would do them."""
        await self.call("POST", "/_sandbox/activity", {"count": count})

    async def misbehave(self, shares: dict[str, float], *, seed: int = 1, paths: str = "/") -> None:
        """Answer badly from now on: each fault to its share of the requests."""
        await self.call("PUT", "/_sandbox/faults", {"shares": shares, "seed": seed, "paths": paths})

    async def injected(self) -> int:
        """How often it has misbehaved by now."""
        return sum((await self.call("GET", "/_sandbox"))["injected"].values())

    async def emit(self, event: object) -> str:
        """Put an event into the feed as it is, however odd; its id."""
        answer = await self.call("POST", "/_sandbox/events", event)
        return str(answer["id"])

    async def objects(self, name: str) -> dict[str, dict[str, Any]]:
        """Everything of a resource that the local WorkOS holds, by the ids of its rows, in the words of its events."""
        resource = catalog.by_name(name)
        assert resource is not None
        if name == "roles":
            found: list[dict[str, Any]] = (await self.call("GET", "/authorization/roles"))["data"]
        else:
            answer = await self.http.get(f"/_sandbox/objects/{name}")
            answer.raise_for_status()
            found = [json.loads(line) for line in answer.text.splitlines()]
        return {str(resource.name_of(one)): one for one in found}
