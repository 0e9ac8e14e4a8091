from collections.abc import Mapping
from typing import Final

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import clock, errors, pages, replies
from user_management.sandbox.event_types import KNOWN
from user_management.sandbox.feed import Feed
from user_management.sandbox.store import Store, store_of

WINDOW_DAYS: Final = 30
"""The widest span from `range_start` to `range_end` (else now) that one request may ask for."""


async def list_events(request: Request) -> Response:
    """The feed, oldest first whatever `order` and `before` say: production ignores both."""
    store, parameters = store_of(request), request.query_params
    kinds, limit = _kinds(parameters), pages.limit(parameters)
    organization_id = _organization(store, parameters)
    start, stop = _span(store, parameters)
    created = _date(parameters, "range_start"), _date(parameters, "range_end")
    found = store.feed.select(kinds, start, stop, limit + 1, organization_id, created=created)
    return replies.ok(_render(store.feed, found, limit))


def _render(feed: Feed, found: list[int], limit: int) -> bytes:
    """The list envelope of events: `after` is null once the end is reached, and there is no `before`."""
    after = feed.ids[found[limit - 1]] if len(found) > limit else None
    data = b",".join([feed.blobs[position] for position in found[:limit]])
    return b'{"object":"list","data":[' + data + b'],"list_metadata":' + orjson.dumps({"after": after}) + b"}"


def _kinds(parameters: QueryParams) -> frozenset[str]:
    """The event types asked for: `events=a,b`, and `events[]=a` as the live endpoint takes it too."""
    texts = [*parameters.getlist("events"), *parameters.getlist("events[]")]
    kinds = frozenset(name for text in texts for name in text.split(",") if name)
    if not kinds:
        raise errors.invalid_events("required")
    if not kinds <= KNOWN:
        raise errors.invalid_events("unknown_event_type", f"Invalid enum value: {', '.join(sorted(kinds - KNOWN))}.")
    return kinds


def _organization(store: Store, parameters: Mapping[str, str]) -> str | None:
    organization_id = parameters.get("organization_id")
    if organization_id is not None and organization_id not in store.organizations.blobs:
        raise errors.ApiError(400, {"message": f"Organization not found: '{organization_id}'."})
    return organization_id


def _span(store: Store, parameters: Mapping[str, str]) -> tuple[int, int]:
    """The positions a request may see: retained, no longer held back, behind its cursor and in its range."""
    now = store.now()
    retained = store.feed.since(now - store.config.retention_days * clock.DAY)
    visible = store.feed.until(now - round(store.hold_back * 1000) + 1)
    after, range_start = parameters.get("after"), _date(parameters, "range_start")
    range_end = _date(parameters, "range_end")
    if after and range_start is not None:
        raise errors.refused("invalid_request_parameters", "after and range_start exclude each other.")
    stop = visible if range_end is None else min(visible, store.feed.before(range_end))
    if after:
        return _behind(store.feed, after, retained, store.unknown_cursor), stop
    if range_start is None:
        return retained, stop
    _check_window(range_start, range_end or now, now, store.config.retention_days)
    return max(retained, store.feed.since(range_start)), stop


def _behind(feed: Feed, after: str, retained: int, answer: str) -> int:
    """The position behind a cursor. Nothing says what WorkOS does with a lost one; this refuses it unless told."""
    position = feed.position(after)
    if answer != "refuse" and (position is None or position < retained):
        return retained if answer == "restart" else len(feed)
    if position is None:
        raise errors.refused("invalid_cursor", f"Event not found: '{after}'.")
    if position < retained:
        raise errors.refused("expired_cursor", f"Event is older than the retention period: '{after}'.")
    return position + 1


def _date(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    moment = clock.parse(text)
    if moment is None:
        raise errors.refused("invalid_date", f"{name} must be an ISO 8601 date in UTC that ends in Z.")
    return moment


def _check_window(start: int, end: int, now: int, retention_days: int) -> None:
    """Refuse what cannot be answered whole rather than answer a part of it."""
    if end - start > WINDOW_DAYS * clock.DAY:
        raise errors.refused("invalid_date_range", f"At most {WINDOW_DAYS} days of events may be requested.")
    if start < now - retention_days * clock.DAY:
        raise errors.refused("invalid_date_range", f"Events are kept for {retention_days} days.")


ROUTES: Final = [Route("/events", list_events)]
