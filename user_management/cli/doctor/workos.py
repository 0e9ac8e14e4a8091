"""WorkOS: reachable, our key good for all we ask, our clocks agreed, and the environment that of the copy."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import asyncpg
import httpx

from user_management import settings as configuration
from user_management.cli.doctor.checkup import Checkup, Health, bad, doubtful, good, unknown
from user_management.db import session
from user_management.errors import Misconfigured, UserManagementError, Wait
from user_management.listener import subscription
from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import client, events, objects
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import KeyRefused, ObjectNotFound, Refused
from user_management.settings import Settings, Source

SKEW = 30.0
"""Seconds by which clocks may differ before ages and webhook signatures suffer."""
SAMPLE = 5
"""Users of the copy that are looked for at WorkOS."""
NOWHERE = "org_00000000000000000000000000"
NOBODY = "user_00000000000000000000000000"
"""An id that nobody has: what may be done to it tells what may be done."""


class Clock:
    """WorkOS's clock, by the `Date` of its answers."""

    skew: float | None = None

    async def note(self, response: httpx.Response) -> None:
        """Compare the clocks by an answer."""
        told = response.headers.get("Date")
        with suppress(ValueError, TypeError):  # a date that is none tells nothing
            self.skew = (datetime.now(UTC) - parsedate_to_datetime(told)).total_seconds() if told else self.skew


async def probes(settings: Settings, source: Source) -> AsyncIterator[Checkup]:
    """Every probe of WorkOS; when it cannot be reached or refuses the key, that is all there is to say."""
    clock = Clock()
    async with httpx.AsyncClient(event_hooks={"response": [clock.note]}) as http:
        asked = client.over(http, api_key=source.api_key, client_id=source.client_id, base_url=source.base_url,
                            seconds=settings.workos_timeout)  # fmt: skip
        first = await key(asked, source)
        yield first
        if first.health is Health.BAD:
            return
        yield skewed(clock.skew)
        for resource in catalog.resources():
            yield await listing(asked, resource)
        yield await writing(asked)
        yield await feed(asked, settings)
        yield await identity(asked, source)
        yield await environment(asked, settings)


async def key(workos: WorkOS, source: Source) -> Checkup:
    """Whether WorkOS is there and takes the key."""
    try:
        await objects.page(workos, catalog.resources()[0].listing.path, after="", parameters={})
    except KeyRefused as error:
        fix = "Copy the key of your environment again, from WorkOS's dashboard, into USER_MANAGEMENT_WORKOS_API_KEY."
        return bad("WorkOS key", str(error), fix)
    except UserManagementError as error:
        fix = "Look at USER_MANAGEMENT_WORKOS_BASE_URL, the network, and https://status.workos.com; then try again."
        return bad("WorkOS", f"{source.base_url}: {error}", fix)
    where = f"{source.base_url} takes the key"
    if source.sandbox:
        return doubtful("WorkOS key", f"{where}; it is a sandbox", configuration.MADE_UP)
    return good("WorkOS key", where)


def skewed(skew: float | None) -> Checkup:
    """Whether our clock and WorkOS's agree."""
    if skew is None:
        return unknown("clock", "WorkOS's answers carry no Date")
    if abs(skew) > SKEW:
        ahead = "ahead of" if skew > 0 else "behind"
        fix = "Let NTP set this machine's clock: webhook signatures are refused and ages are wrong by as much."
        return bad("clock", f"{abs(skew):.0f} s {ahead} WorkOS's", fix)
    return good("clock", f"within {abs(skew):.0f} s of WorkOS's")


async def permitted(name: str, request: str, ask: Callable[[], Awaitable[Any]], *, fix: str) -> Checkup:
    """Whether something may be asked; a refusal of the object and not of the key means that it may."""
    try:
        await ask()
    except (ObjectNotFound, Refused):
        return good(name, f"{request}: permitted")
    except KeyRefused as error:
        return bad(name, f"{request}: {error}", fix)
    except UserManagementError as error:
        return unknown(name, f"{request}: {error}", "Try again in a minute.")
    return good(name, f"{request}: permitted")


async def listing(workos: WorkOS, resource: Resource) -> Checkup:
    """Whether the key may list a resource."""
    path = "/" + "/".join(resource.listing.path)
    nobody = tuple(NOWHERE if part.startswith("{") else part for part in resource.listing.path)
    parameters = {**resource.listing.parameters}
    if resource.listing.parameter:
        parameters[resource.listing.parameter] = NOWHERE
    return await permitted(
        f"read {resource.name}",
        f"GET {path}",
        lambda: objects.page(workos, nobody, after="", parameters=parameters),
        fix=f"Give the API key the permission to read {resource.name}, in WorkOS's dashboard.",
    )


async def writing(workos: WorkOS) -> Checkup:
    """Whether the key may write users, asked about nobody, so that nothing is written."""
    return await permitted(
        "write users",
        "PUT /user_management/users/…",
        lambda: workos.request("put", ("user_management", "users", NOBODY), body={}),
        fix="Give the API key the permission to write users, or do without POST /api/users.",
    )


async def feed(workos: WorkOS, settings: Settings) -> Checkup:
    """Whether the Events API knows every event type we follow."""
    types = subscription.types(catalog.resources(), settings.ignored_event_types)
    try:
        await events.page(workos, types=types, after=None, since=None, limit=1)
    except Refused as error:
        fix = "Name the event type in USER_MANAGEMENT_IGNORED_EVENT_TYPES to go on without it."
        return bad("read events", f"GET /events: {error}", fix)
    except KeyRefused as error:
        return bad(
            "read events",
            f"GET /events: {error}",
            "Give the API key the permission to read events, in WorkOS's dashboard.",
        )
    except UserManagementError as error:
        return unknown("read events", f"GET /events: {error}", "Try again in a minute.")
    return good("read events", f"GET /events: {len(types)} event types are known")


async def identity(workos: WorkOS, source: Source) -> Checkup:
    """Whether the client id and the key belong together: a sign-in that cannot succeed tells, by how it fails."""
    if not source.client_id:
        fix = "Set USER_MANAGEMENT_WORKOS_CLIENT_ID to the client id of the key's environment."
        return doubtful("client id", "not set", fix)
    body = {"client_id": source.client_id, "client_secret": source.api_key, "grant_type": "refresh_token",
            "refresh_token": "none"}  # fmt: skip
    try:
        await workos.request("post", ("user_management", "authenticate"), body=body)
    except Refused as error:
        if error.refusal.code == "invalid_client" or "client" in error.refusal.message.lower():
            fix = "Copy USER_MANAGEMENT_WORKOS_CLIENT_ID from the same environment as the key."
            return bad("client id", str(error), fix)
    except KeyRefused as error:
        return bad("client id", str(error), "Copy USER_MANAGEMENT_WORKOS_CLIENT_ID from the key's environment.")
    except UserManagementError as error:
        return unknown("client id", str(error), "Try again in a minute.")
    return good("client id", "belongs to the key")


async def environment(workos: WorkOS, settings: Settings) -> Checkup:
    """Whether the copy is of this environment: at least one of some old users must be known at WorkOS."""
    users = next(one for one in catalog.resources() if one.name == "users")
    try:
        connection = await session.connect(configuration.database_url(settings), application="user-management-doctor")
    except (Misconfigured, Wait):
        return unknown("environment", "needs the database")
    try:
        rows = await connection.fetch(
            "SELECT id FROM users WHERE deleted_at IS NULL ORDER BY created_at, id LIMIT $1", SAMPLE
        )
    except asyncpg.PostgresError as error:
        return unknown("environment", f"the copy cannot be read: {error}")
    finally:
        await connection.close()
    try:
        known = [row["id"] for row in rows if await objects.get(workos, (*users.listing.path, row["id"]))]
    except UserManagementError as error:
        return unknown("environment", str(error), "Try again in a minute.")
    if not rows:
        return unknown("environment", "the copy holds nobody yet")
    if not known:
        fix = "Use the key of the environment that was copied, or another database: never two environments in one."
        return bad("environment", "WorkOS knows none of the oldest users of the copy", fix)
    return good("environment", "the copy is of this environment")
