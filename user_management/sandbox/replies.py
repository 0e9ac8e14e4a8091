from starlette.requests import Request
from starlette.responses import Response

from user_management.sandbox import clock
from user_management.sandbox.store import store_of


def ok(body: bytes) -> Response:
    """200 with JSON."""
    return Response(body, media_type="application/json")


def wrote(request: Request, object_id: str, body: bytes = b"", *, status: int = 200) -> Response:
    """The answer to an accepted write, which goes into the log of writes."""
    store = store_of(request)
    store.writes.append(
        {"method": request.method, "path": request.url.path, "id": object_id, "at": clock.stamp(store.now())}
    )
    return Response(body, status, media_type="application/json" if body else None)
