from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict
from dataclasses import fields as fields_of
from itertools import islice
from typing import Any, Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from user_management.sandbox import (
    api_keys,
    bodies,
    clock,
    errors,
    invitations,
    organization_roles,
    organizations,
    replies,
    sessions,
)
from user_management.sandbox.activity import Activity
from user_management.sandbox.faults import FaultInjector
from user_management.sandbox.store import Store, Table, store_of
from user_management.sandbox.webhooks import Deliveries, Endpoint

NUMBER: Final[bodies.Types] = (int, float)
_CHUNK: Final = 1_000
_LEAN: Final[dict[str, Callable[[dict[str, Any]], bytes]]] = {
    "organization": organizations.lean,
    "invitation": invitations.lean,
    "organization_role": lambda role: orjson.dumps(
        organization_roles.shown(role) | {"organization_id": role["organization_id"]}
    ),
    "api_key": lambda key: orjson.dumps(api_keys.shown(key)),
}


async def show(request: Request) -> Response:
    """What the sandbox holds and how it behaves."""
    store, injector = store_of(request), _faults(request)
    config = asdict(store.config) | {
        "hold_back": store.hold_back,
        "unknown_cursor": store.unknown_cursor,
        **asdict(store.rules),
        "activity": _activity(request).rate,
    }
    state = {
        "counts": {name: len(table) for name, table in _tables(store).items()} | {"roles": len(store.roles)},
        "events": len(store.feed),
        "head": store.feed.ids[-1] if store.feed.ids else None,
        "writes": len(store.writes),
        "faults": {"shares": injector.shares, "seed": injector.seed, "paths": injector.paths},
        "injected": dict(injector.counts),
        "webhooks": _told(_webhooks(request)),
        "config": {name: value for name, value in config.items() if name not in {"faults", "webhook_secret"}},
    }
    return replies.ok(orjson.dumps(state))


async def set_faults(request: Request) -> Response:
    """Misbehave from now on as told: `{"shares": {name: 0..1}, "seed": 1, "paths": "/", "slow_seconds": 5}`."""
    fields = await bodies.read(
        request,
        {"shares": (dict,), "seed": (int,), "paths": bodies.TEXT, "slow_seconds": NUMBER},
        required=("shares",),
    )
    try:
        _faults(request).set(**fields)
    except (TypeError, ValueError) as error:
        raise errors.invalid("shares", "shares_invalid", str(error)) from error
    return JSONResponse(_faults(request).shares)


async def set_webhook(request: Request) -> Response:
    """Tell `{"url": u, "secret": s}` of every event from now on, a share `lost` or `repeated`, perhaps `shuffle`d."""
    shares = {"lost": NUMBER, "repeated": NUMBER}
    types = {"url": bodies.TEXT, "secret": bodies.TEXT, **shares, "shuffle": (bool,), "seed": (int,)}
    fields = await bodies.read(request, types, required=("url",))
    for name in shares:
        if not 0 <= fields.get(name, 0) <= 1:
            raise errors.invalid(name, f"{name}_invalid", f"{name} must be a share between 0 and 1.")
    _webhooks(request).point_at(Endpoint(**fields))
    return JSONResponse(_told(_webhooks(request)))


async def set_activity(request: Request) -> Response:
    """Go on at `{"rate": events per second}`."""
    _activity(request).rate = await _number(request, "rate")
    return JSONResponse({"rate": _activity(request).rate})


async def burst(request: Request) -> Response:
    """Let `{"count": n}` events happen at once; says how many did."""
    return JSONResponse({"events": _activity(request).burst(int(await _number(request, "count")))})


async def set_hold_back(request: Request) -> Response:
    """Hold every event back for `{"seconds": s}`."""
    store = store_of(request)
    store.hold_back = await _number(request, "seconds")
    return JSONResponse({"seconds": store.hold_back})


async def set_unknown_cursor(request: Request) -> Response:
    """Answer a cursor nobody knows with `{"answer": "refuse"}`, `"restart"` (from the start) or `"empty"`."""
    store = store_of(request)
    fields = await bodies.read(request, {"answer": bodies.TEXT}, required=("answer",))
    if fields["answer"] not in {"refuse", "restart", "empty"}:
        raise errors.invalid("answer", "answer_invalid", "answer must be refuse, restart or empty.")
    store.unknown_cursor = fields["answer"]
    return JSONResponse({"answer": store.unknown_cursor})


async def sign_in(request: Request) -> Response:
    """Let `{"user_id": id}` sign in without a password; the session."""
    fields = await bodies.read(request, {"user_id": bodies.TEXT}, required=("user_id",))
    return JSONResponse(sessions.sign_in(store_of(request), fields["user_id"]))


async def writes(request: Request) -> Response:
    """The accepted writes, oldest first; the oldest are forgotten after many."""
    return replies.ok(orjson.dumps({"data": list(store_of(request).writes)}))


async def append_event(request: Request) -> Response:
    """Put the body into the feed as it is, however odd; one of no known type is shown to every filter."""
    store, blob = store_of(request), await request.body() or b"{}"
    event_id, kind = _labels(bodies.parse(blob))
    moment = store.now()
    event_id = event_id or store.new_id("event", moment)
    if event_id in store.feed:
        raise errors.ApiError(409, {"message": f"Event exists: '{event_id}'."})
    store.feed.append(event_id, kind, blob, moment)
    return JSONResponse({"id": event_id, "created_at": clock.stamp(moment)}, 201)


async def objects(request: Request) -> Response:
    """All live objects of a kind in the shape of events, one JSON object per line, in the order of their ids."""
    table = _tables(store_of(request)).get(request.path_params["kind"])
    if table is None:
        raise errors.not_found("Kind", request.path_params["kind"])
    return StreamingResponse(_lines(table), media_type="application/x-ndjson")


async def _lines(table: Table) -> AsyncIterator[bytes]:
    """Chunks of lines; an object that goes while this streams is left out."""
    keys: Iterator[str] = iter(table.ids.copy())
    while chunk := list(islice(keys, _CHUNK)):
        yield b"".join(line(table, key) for key in chunk if key in table.blobs)


def line(table: Table, key: str) -> bytes:
    """An object in the shape of events, on a line of its own."""
    lean = _LEAN.get(table.kind)
    return (table.blobs[key] if lean is None else lean(orjson.loads(table.blobs[key]))) + b"\n"


def _labels(event: object) -> tuple[str | None, str]:
    """The id and the type of an event, as far as it has them."""
    if not isinstance(event, dict):
        return None, ""
    found: dict[str, Any] = event
    event_id, kind = found.get("id"), found.get("event")
    return event_id if isinstance(event_id, str) else None, kind if isinstance(kind, str) else ""


def _tables(store: Store) -> dict[str, Table]:
    """The tables by the names of their kinds."""
    tables = (getattr(store, field.name) for field in fields_of(Store))
    return {plural(table.kind): table for table in tables if isinstance(table, Table)}


def plural(kind: str) -> str:
    """The name of a kind's objects, such as `directories`."""
    return f"{kind[:-1]}ies" if kind.endswith("y") and not kind.endswith("ey") else f"{kind}s"


async def _number(request: Request, name: str) -> float:
    fields = await bodies.read(request, {name: NUMBER}, required=(name,))
    if isinstance(fields[name], bool) or fields[name] < 0:
        raise errors.invalid(name, f"{name}_invalid", f"{name} must not be negative.")
    return float(fields[name])


def _faults(request: Request) -> FaultInjector:
    return cast("FaultInjector", request.app.state.faults)


def _webhooks(request: Request) -> Deliveries:
    return cast("Deliveries", request.app.state.webhooks)


def _told(deliveries: Deliveries) -> dict[str, Any]:
    """The endpoint, without its secret, and what became of what was sent there."""
    shown = {name: value for name, value in asdict(deliveries.endpoint).items() if name != "secret"}
    return {**shown, **deliveries.counts}


def _activity(request: Request) -> Activity:
    return cast("Activity", request.app.state.activity)


ROUTES: Final = [
    Route("/_sandbox", show),
    Route("/_sandbox/faults", set_faults, methods=["PUT"]),
    Route("/_sandbox/webhook", set_webhook, methods=["PUT"]),
    Route("/_sandbox/activity", set_activity, methods=["PUT"]),
    Route("/_sandbox/activity", burst, methods=["POST"]),
    Route("/_sandbox/hold-back", set_hold_back, methods=["PUT"]),
    Route("/_sandbox/unknown-cursor", set_unknown_cursor, methods=["PUT"]),
    Route("/_sandbox/sign-in", sign_in, methods=["POST"]),
    Route("/_sandbox/writes", writes),
    Route("/_sandbox/events", append_event, methods=["POST"]),
    Route("/_sandbox/objects/{kind}", objects),
]
