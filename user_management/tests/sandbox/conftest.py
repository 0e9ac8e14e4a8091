import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from user_management.sandbox.application import Sandbox, create_app
from user_management.sandbox.config import Config

KEY = {"Authorization": "Bearer sk_sandbox"}
EVENTS = "user.created,user.updated,user.deleted,session.created,session.revoked"
ORGANIZATION_EVENTS = "organization.created,organization.updated,organization.deleted"
MEMBERSHIP_EVENTS = "organization_membership.created,organization_membership.updated,organization_membership.deleted"


@dataclass
class Watch:
    """A clock that moves only when a test moves it."""

    moment: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.moment

    def forward(self, **span: float) -> None:
        """Let time pass."""
        self.moment += timedelta(**span)


@dataclass
class WorkOS:
    """A sandbox in this process and a client that has its key."""

    app: Sandbox
    client: httpx.AsyncClient

    async def get(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """The JSON of an answer, which has the status."""
        answer = await self.client.get(path, params=parameters or None)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def send(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The JSON of the answer to a request with a body, or None without one."""
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def user(self, email: str = "ada@example.com", **fields: Any) -> Any:
        """A new user."""
        return await self.send("POST", "/user_management/users", {"email": email, **fields}, 201)

    async def organization(self, name: str = "Northern Anchor", **fields: Any) -> Any:
        """A new organization."""
        return await self.send("POST", "/organizations", {"name": name, **fields}, 201)

    async def membership(self, user: Any, organization: Any, **fields: Any) -> Any:
        """A new membership."""
        body = {"user_id": user["id"], "organization_id": organization["id"], **fields}
        return await self.send("POST", "/user_management/organization_memberships", body, 201)

    async def events(self, kinds: str = EVENTS, **parameters: Any) -> list[Any]:
        """The first hundred events of the kinds."""
        page = await self.get("/events", events=kinds, limit=100, **parameters)
        return list(page["data"])


Start = Callable[..., WorkOS]
"""Starts one more sandbox, configured by keywords."""


@asynccontextmanager
async def served(config: Config) -> AsyncIterator[str]:
    """A sandbox behind a real socket of this machine; who connects early waits in its backlog."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(config), log_level="error"))
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@pytest.fixture
def watch() -> Watch:
    """The clock of every sandbox of a test."""
    return Watch()


@pytest.fixture
async def start(watch: Watch) -> AsyncIterator[Start]:
    """Starts sandboxes; events are visible at once unless told."""
    async with AsyncExitStack() as stack:

        def begin(**options: Any) -> WorkOS:
            app = create_app(Config(**{"hold_back": 0.0, **options}), time=watch)
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://workos.test", headers=KEY)
            stack.push_async_callback(client.aclose)
            return WorkOS(app, client)

        yield begin


@pytest.fixture
def workos(start: Start) -> WorkOS:
    """An empty sandbox."""
    return start()


@pytest.fixture
def crowd(start: Start) -> WorkOS:
    """A sandbox with 300 users in five organizations."""
    return start(users=300, organizations=5)
