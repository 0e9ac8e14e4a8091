"""The Events API: one page of what happened, checked to be a page before it is believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from user_management.journal.timestamps import render
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer

LIMIT = 100
"""The most events WorkOS gives at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events, oldest first, as they came."""

    events: list[Any]
    end: bool
    """Whether the page says it is the last one: it is empty, or shorter than asked for and names no next one."""


async def page(
    workos: WorkOS, *, types: Sequence[str], after: str | None, since: datetime | None, limit: int = LIMIT
) -> Page:
    """The events behind `after`, or from `since` on when there is none; `BadAnswer` for a 200 that is no page."""
    params: dict[str, Any] = {"events": ",".join(types), "limit": limit, "order": "asc"}
    if after is not None:
        params["after"] = after
    elif since is not None:
        params["range_start"] = render(since)  # a `Z` it must be; an offset is refused
    answer = await workos.request("get", ("events",), params=params)
    events = envelope(answer)
    return Page(events, end=not events or (len(events) < limit and next_of(answer) is None))


def envelope(answer: dict[str, Any]) -> list[Any]:
    """The items of a list answer. The SDK turns HTML and truncated JSON into `{}`: that is no empty list."""
    data = answer.get("data")
    if answer.get("object") != "list" or not isinstance(data, list):
        found = f"with the keys {', '.join(answer)}" if answer else "no JSON object, or an empty one"
        raise BadAnswer(f"WorkOS answered 200 with something that is not a list ({found})")
    if data and all(item is None for item in data):
        raise BadAnswer("WorkOS answered 200 with a list of nulls")
    return data


def next_of(answer: dict[str, Any]) -> str | None:
    """The cursor of the next page; None when the answer names none."""
    metadata = answer.get("list_metadata")
    after = metadata.get("after") if isinstance(metadata, dict) else None
    return after if isinstance(after, str) and after else None
