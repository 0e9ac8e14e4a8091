"""What reads answer with: JSON from the copy with its age, told apart from what the caller has already."""

import hashlib
import re
import zlib
from collections.abc import Mapping
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response

UNCACHED = {"Cache-Control": "no-store", "Vary": "Accept"}
"""People's data is not for caches to keep; `Age` speaks of the copy. What a caller keeps itself, the ETag tells."""
JSON = "application/json"
RELEASE = format(zlib.crc32(version("user-management").encode()), "x")
"""Another release may word the same rows in another way."""
TAG = re.compile(r'(?:W/)?("[^"]*")')
NOT_MODIFIED = 304


def asked_for(request: Request) -> tuple[str, str]:
    """What a request accepts, and the ETags it has."""
    accept, tags = "", ""
    for name, value in request.scope["headers"]:
        if name == b"accept":
            accept = value.decode("latin-1") if not accept else f"{accept},{value.decode('latin-1')}"
        elif name == b"if-none-match":
            tags = value.decode("latin-1") if not tags else f"{tags},{value.decode('latin-1')}"
    return accept, tags


def wants(accept: str, media_type: str) -> bool:
    """Whether a caller names a media type of ours; whoever accepts anything gets plain JSON."""
    if media_type not in accept:
        return False
    ranges = (one.replace(" ", "").lower() for one in accept.split(","))
    return any(one.partition(";")[0] == media_type and not one.endswith((";q=0", ";q=0.0")) for one in ranges)


def digest(content: bytes) -> str:
    """What stands for a content in its ETag."""
    return hashlib.sha256(content).hexdigest()[:20]


def tagged(of: str) -> str:
    """A weak ETag (the content may come compressed) for what `of` stands for."""
    return f'W/"{RELEASE}-{of}"'


def known(tags: str, tag: str) -> bool:
    """Whether one of the caller's ETags is this one, as `If-None-Match` compares them."""
    return tags.strip() == "*" or tag.removeprefix("W/") in TAG.findall(tags)


def answer(
    content: bytes, headers: Mapping[str, str], *, tag: str | None = None, tags: str = "", media_type: str = JSON
) -> Response:
    """JSON from the copy, with its age; or only that nothing has changed since the caller was told its ETag."""
    told = {**headers, **UNCACHED}
    if tag is not None:
        told["ETag"] = tag
        if tags and known(tags, tag):
            return Response(status_code=NOT_MODIFIED, headers=told)
    return Response(content, headers=told, media_type=media_type)
