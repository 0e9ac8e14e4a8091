"""Who asks, and whether the copy may answer: only those who have WorkOS's own key, and only while it is young."""

from hmac import compare_digest

from starlette.requests import Request

from user_management.journal.freshness import Freshness, State
from user_management.web.dependencies import Backend, backend


def known(request: Request) -> bool:
    """Whether a caller has the very key that we ask WorkOS with; every other key is for WorkOS to judge."""
    given = request.headers.getlist("Authorization")
    key = backend(request).passage.key
    # Compared as bytes, in a time that tells nothing; an empty key is nobody's.
    return bool(key) and len(given) == 1 and compare_digest(given[0].encode("latin-1"), b"Bearer " + key)


def content_with_copy(request: Request) -> bool:
    """Whether a caller leaves it to us where the answer comes from."""
    told = ",".join(request.headers.getlist("Cache-Control")).lower()
    return "no-cache" not in {word.strip().partition("=")[0] for word in told.split(",")}


def young(found: Freshness, server: Backend) -> bool:
    """Whether the copy is complete, and no older than it may be to stand in for WorkOS."""
    return found.state is not State.BACKFILLING and found.age is not None and found.age <= server.max_staleness
