"""The public keys that WorkOS signs session tokens with: fetched when needed, kept, and looked for again sparingly."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from user_management.errors import Misconfigured
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer, KeyRefused, Refused, WorkOSUnavailable

KEPT = 3600.0
"""Seconds after which the keys are fetched again, aside: one that WorkOS withdraws is not honoured for ever."""
INTERVAL = 10.0
"""Seconds between two fetches at least, whatever the tokens of strangers name."""
PATIENCE = 5.0
"""Seconds a fetch may take, for somebody waits."""


@dataclass(slots=True)
class Keyring:
    """The signing keys of one client, by their `kid`."""

    client_id: str
    now: Callable[[], float] = time.monotonic
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    fetched: float = -KEPT
    tried: float = -INTERVAL
    failure: WorkOSUnavailable | Misconfigured | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def key(self, workos: WorkOS, kid: str, aside: set[asyncio.Task[None]]) -> jwt.PyJWK | None:
        """The key of this name; None if WorkOS has none, and the error of the last fetch if that cannot be told.

        Nobody waits for WorkOS whose key is known: keys that are old are fetched by a task put `aside`.
        """
        if kid not in self.keys:
            await self.refresh(workos, kid)
        elif self.old and self.now() - self.tried >= INTERVAL:
            task = asyncio.create_task(self.refresh(workos, kid))
            aside.add(task)
            task.add_done_callback(aside.discard)
        found = self.keys.get(kid)
        if found is None and self.failure is not None:
            raise self.failure
        return found

    @property
    def old(self) -> bool:
        """Whether the keys were kept for long enough."""
        return self.now() - self.fetched >= KEPT

    async def refresh(self, workos: WorkOS, kid: str) -> None:
        """Fetch the keys, unless somebody just did."""
        async with self.turn:
            if (kid in self.keys and not self.old) or self.now() - self.tried < INTERVAL:
                return
            self.tried = self.now()
            try:
                self.keys = usable(await self.fetch(workos))
            except (WorkOSUnavailable, Misconfigured) as error:
                self.failure = error
            else:
                self.fetched, self.failure = self.now(), None

    async def fetch(self, workos: WorkOS) -> Mapping[str, Any]:
        """What WorkOS answers; `Misconfigured` when it knows no such client."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await workos.request("get", ("sso", "jwks", self.client_id))
        except (TimeoutError, BadAnswer) as error:
            raise WorkOSUnavailable("WorkOS does not show the keys of its tokens", retry_after=INTERVAL) from error
        except (Refused, KeyRefused) as error:
            raise Misconfigured("WorkOS shows no keys of our client; check USER_MANAGEMENT_WORKOS_CLIENT_ID") from error


def usable(answer: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """The keys that RS256 can be checked with; `WorkOSUnavailable` when the answer is no set of keys."""
    listed = answer.get("keys")
    if not isinstance(listed, list):
        raise WorkOSUnavailable("WorkOS answers with something that is no set of keys", retry_after=INTERVAL)
    found = {one["kid"]: key for one in listed if signs(one) and (key := read(one)) is not None}
    if not found:
        raise WorkOSUnavailable("WorkOS shows no key that we can use", retry_after=INTERVAL)
    return found


def signs(one: Any) -> bool:
    """Whether this is a key for RS256 signatures that has a name."""
    return (
        isinstance(one, dict)
        and isinstance(one.get("kid"), str)
        and one.get("kty") == "RSA"
        and one.get("use", "sig") == "sig"
        and one.get("alg", "RS256") == "RS256"
    )


def read(one: dict[str, Any]) -> jwt.PyJWK | None:
    """The key; None when its numbers are none."""
    try:
        return jwt.PyJWK(one, algorithm="RS256")
    except (jwt.PyJWTError, ValueError):
        return None
