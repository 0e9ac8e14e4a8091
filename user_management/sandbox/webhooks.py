import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Final

import httpx

from user_management.sandbox.store import Store

_TICK: Final = 0.05
_TRIES: Final = 4
_PAUSE: Final = 0.5
_AT_ONCE: Final = 8
_BEHIND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where webhooks go, and how badly: which share is lost, which is sent twice, whether the order is kept."""

    url: str = ""
    secret: str = ""
    lost: float = 0.0
    repeated: float = 0.0
    shuffle: bool = False
    seed: int = 1


def signature(secret: str, moment: int, body: bytes) -> str:
    """The `WorkOS-Signature` of a body at a moment in milliseconds."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment}, v1={digest}"


class Deliveries:
    """Tells an endpoint of every event at once, whatever the feed holds back; what lags too far behind is not told."""

    def __init__(self, store: Store, endpoint: Endpoint) -> None:
        self.counts = {"delivered": 0, "lost": 0, "failed": 0}
        self._store = store
        self.point_at(endpoint)

    def point_at(self, endpoint: Endpoint) -> None:
        """Send what happens from now on to an endpoint; nothing when it has no URL."""
        self.endpoint, self._random = endpoint, Random(endpoint.seed)  # noqa: S311 - test data by seed, no secrets
        self._next = len(self._store.feed)

    def due(self) -> list[bytes]:
        """The bodies to be sent now, in the order in which they are sent."""
        feed, endpoint = self._store.feed, self.endpoint
        first, self._next = max(self._next, len(feed) - _BEHIND), len(feed)
        found = []
        for body in feed.blobs[first:] if endpoint.url else []:
            if self._random.random() < endpoint.lost:
                self.counts["lost"] += 1
                continue
            found += [body] * (2 if self._random.random() < endpoint.repeated else 1)
        if endpoint.shuffle:
            self._random.shuffle(found)
        return found

    async def send(self, client: httpx.AsyncClient) -> None:
        """Send what is due, a few at a time."""
        turn = asyncio.Semaphore(1 if not self.endpoint.shuffle else _AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for body in self.due():
                tasks.create_task(self._deliver(client, body, turn))

    async def _deliver(self, client: httpx.AsyncClient, body: bytes, turn: asyncio.Semaphore) -> None:
        """Post one body until it is taken, a few times; whoever waits for the next try holds up nobody."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE * 2 ** (attempt - 1))
            async with turn:
                if await self._post(client, body):
                    self.counts["delivered"] += 1
                    return
        self.counts["failed"] += 1

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> bool:
        signed = signature(self.endpoint.secret, self._store.now(), body)
        headers = {"WorkOS-Signature": signed, "Content-Type": "application/json"}
        with suppress(httpx.HTTPError):
            return (await client.post(self.endpoint.url, content=body, headers=headers)).is_success
        return False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep sending while the block lasts."""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            task = asyncio.create_task(self._run(client))
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _run(self, client: httpx.AsyncClient) -> None:
        while True:
            await asyncio.sleep(_TICK)
            await self.send(client)
