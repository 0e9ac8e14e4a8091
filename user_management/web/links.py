"""Links: where an answer leads, relative to where it was asked for, so that they hold behind any proxy's prefix."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, unquote_plus

from starlette.requests import Request

from user_management.db import jsontext
from user_management.mirror.engine import filters
from user_management.mirror.engine.resource import Resource

PLAIN = re.compile(r"[A-Za-z0-9=&%._~,:+\[\]-]*")
"""A query that can stand in a link as it is."""
ALLOWED = "=&%._~,:+[]-!$'()*;/?@"
PLACE = frozenset({"after", "before", "offset"})
"""The parameters that choose the page."""
HAL = "application/hal+json"


def pages(request: Request, before: str | None, after: str | None) -> dict[str, str]:
    """The pages around one: the first, the next and the one before, where they are."""
    name = last(request)
    kept = rest(request.scope["query_string"])
    found = {"first": f"{name}?{kept}" if kept else name}
    start = f"{name}?{kept}&" if kept else f"{name}?"
    if before is not None:
        found["prev"] = f"{start}before={quote(before, safe='')}"
    if after is not None:
        found["next"] = f"{start}after={quote(after, safe='')}"
    return found


def header(found: Mapping[str, str]) -> str:
    """The links as the `Link` header words them (RFC 8288)."""
    return ", ".join(f'<{target}>; rel="{relation}"' for relation, target in found.items())


def last(request: Request) -> str:
    """The last segment of the path."""
    path: str = request.scope["path"]
    return path[path.rindex("/") + 1 :]


def rest(raw: bytes) -> str:
    """A query without what chooses the page."""
    if not raw:
        return ""
    text = raw.decode("latin-1")
    if not PLAIN.fullmatch(text):
        text = quote(text, safe=ALLOWED, encoding="latin-1")
    return "&".join(one for one in text.split("&") if one and unquote_plus(one.partition("=")[0]) not in PLACE)


def upwards(request: Request) -> str:
    """The way from where a request was sent to `/api/`."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return "../" * (raw.partition(b"?")[0].partition(b"/api/")[2].count(b"/"))


def linked(resource: Resource, resources: Iterable[Resource], body: str, up: str) -> str:
    """An object with its `_links`: itself, the objects it names, and the lists of those that name it."""
    found: dict[str, Any] = jsontext.loads(body)
    key_of_it = quote(str(resource.name_of(found)), safe="")
    links = {"self": {"href": f"{up}{resource.name}/{key_of_it}"}}
    for key, name in named(resource, tuple(resources)).items():
        if isinstance(found.get(key), str):
            links[key.removesuffix("_id")] = {"href": f"{up}{name}/{quote(found[key], safe='')}"}
    for name, parameter in naming(resource, tuple(resources)).items():
        links[name] = {"href": f"{up}{name}?{parameter}={key_of_it}"}
    return f'{body[:-1]},"_links":{jsontext.dumps(links)}}}'


@cache
def named(resource: Resource, resources: tuple[Resource, ...]) -> dict[str, str]:
    """The keys by which a resource names others, and what they name."""
    keys = {f"{one.object}_id": one.name for one in resources}
    return {key: keys[key] for key in resource.columns if key in keys}


@cache
def naming(resource: Resource, resources: tuple[Resource, ...]) -> dict[str, str]:
    """The resources whose lists can be narrowed to what names an object of this one, and by which parameter."""
    wanted = f"{resource.object}_id"
    return {one.name: wanted for one in resources if wanted in {declared.name for declared in filters.of(one)}}
