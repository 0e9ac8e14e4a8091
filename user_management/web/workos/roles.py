"""`GET /authorization/roles`: a list in order of priority, which no event tells and no role; it is remembered a while.

The roles are the copy's. Their order is that of WorkOS's last answer, for as long as the copy may be old, and only if
the same roles are still there, unchanged: whoever changed one, by whatever process, may have changed their order.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import Request, Response

from user_management.db import jsontext
from user_management.mirror.engine import read
from user_management.web.api import reads
from user_management.web.dependencies import backend
from user_management.web.workos import copied
from user_management.web.workos.places import Place

NAME = "roles"
Known: TypeAlias = tuple[str, ...]
MOST = 1000
"""How many roles are put in order; environments have a dozen."""


@dataclass(frozen=True, slots=True)
class Order:
    """The roles in order of priority, as `known`, and when (`time.monotonic`) WorkOS listed them so."""

    roles: tuple[Known, ...]
    at: float


def told(body: Any, at: float) -> Order | None:
    """The order of a list that WorkOS answered with at a time; None for anything else, also for a part of it."""
    listed = body.get("data") if isinstance(body, dict) and body.keys() == {"object", "data"} else None
    roles = [known(one) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return Order(tuple(roles), at) if roles else None


def known(role: Mapping[str, Any]) -> Known:
    """What one role is told from others by, and from itself before it changed."""
    return tuple(str(role.get(key)) for key in ("slug", "created_at", "updated_at"))


def ordered(bodies: Mapping[str, str], order: Order) -> Sequence[str] | None:
    """The roles by their slugs, in order; None if they are no longer those that it was told of."""
    ours = {known(jsontext.loads(body)): body for body in bodies.values()}
    same = ours.keys() == set(order.roles) and len(ours) == len(order.roles)
    return [ours[role] for role in order.roles] if same else None


async def answer(request: Request, place: Place) -> Response | None:
    """All roles in order of priority; None if the copy cannot tell them, or their order."""
    server = backend(request)
    order = server.orders.get(place.template)
    if request.query_params or order is None or time.monotonic() - order.at > server.max_staleness:
        return None
    try:
        if not await copied.complete(request, place.resource):
            return None
        statement = read.page(place.resource, (), "asc", None, MOST, include_deleted=False)
        row = await reads.fetch(request, statement, {"cursor": None})
    except copied.Away:
        return None
    found = ordered(dict(zip(row["ids"] or [], row["bodies"] or [], strict=True)), order)
    if found is None or not copied.usable(request, row) or not copied.whole(place.resource, found):
        return None
    return copied.told(request, row, f'{{"object":"list","data":[{",".join(found)}]}}'.encode())
