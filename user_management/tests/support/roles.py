"""Roles, whose events tell only a part: made at the source, and read again by the listener."""

from typing import Any

from user_management.listener import rereads
from user_management.listener.worker import Listener
from user_management.tests.support.local_workos import LocalWorkOS


async def role(local: LocalWorkOS, slug: str = "auditor") -> dict[str, Any]:
    """A new role of the environment."""
    made: dict[str, Any] = await local.call("POST", "/authorization/roles", {"slug": slug, "name": slug.title()})
    return made


async def read_all(listener: Listener) -> None:
    """Read again whatever waits."""
    while await rereads.turn(listener.pool, listener.workos, listener.resources):
        pass
