"""What a request to WorkOS asks of a list, if the copy can answer it exactly; what it cannot is WorkOS's to answer."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from user_management.mirror.engine.read import Order
from user_management.mirror.engine.walk import Cursor
from user_management.web.api.reads import lookable
from user_management.web.workos.places import Narrowing, Place

LIMIT, MOST = 10, 100
"""How many WorkOS answers with unless told, and at most."""
ORDERS: Mapping[str, Order] = {"asc": "asc", "desc": "desc"}
"""The orders we know WorkOS's meaning of; there is `normal` as well."""
SIDES: tuple[Cursor, ...] = ("after", "before")
PAGING = frozenset({"limit", "order", *SIDES})


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of a list: how much of it, from where on, and narrowed by what."""

    limit: int
    order: Order
    side: Cursor | None
    cursor: str | None
    filters: Mapping[str, Any]
    parents: tuple[tuple[str, str], ...]
    """The resource and the id of each object that it is narrowed by."""


def page(place: Place, query: QueryParams, path: Mapping[str, str]) -> Asked | None:
    """What is asked of a list, by a query and a path; None if we do not know for certain what WorkOS makes of it."""
    given = values(query, {name for name, one in place.narrowings.items() if one.several})
    if not given.keys().isdisjoint(path):
        return None
    given |= {name: [value] for name, value in path.items()}
    narrowed = narrow(place, given)
    limit, order = number(given.get("limit", [])), ORDERS.get(single(given, "order", "desc"))
    sides = [side for side in SIDES if side in given]
    cursor = single(given, sides[0], "") if sides else None
    if narrowed is None or limit is None or order is None or len(sides) > 1 or not plain(cursor):
        return None
    defaults = {one.name: list(one.default) for one in place.resource.filters if one.default is not None}
    parents = tuple(
        (found.parent, value)
        for name, value in narrowed.items()
        if (found := place.narrowings[name]).parent is not None
    )  # fmt: skip
    filters = {place.narrowings[name].filter: value for name, value in narrowed.items()}
    return Asked(limit, order, sides[0] if sides else None, cursor, {**defaults, **filters}, parents)


def values(query: QueryParams, several: Container[str]) -> dict[str, list[str]]:
    """The values of each parameter; `name[]` is another spelling of one that may be repeated, and of no other."""
    found: dict[str, list[str]] = {}
    for name, value in query.multi_items():
        plain_name = name.removesuffix("[]")
        found.setdefault(plain_name if plain_name in several else name, []).append(value)
    return found


def narrow(place: Place, given: Mapping[str, list[str]]) -> dict[str, Any] | None:
    """The values of the parameters that narrow a list; None for any we do not know, or if a required one is missing."""
    narrowed: dict[str, Any] = {}
    for name in given.keys() - PAGING:
        declared = place.narrowings.get(name)
        value = None if declared is None else read(declared, given[name])
        if value is None:
            return None
        narrowed[name] = value
    return narrowed if not place.required or place.required & narrowed.keys() else None


def read(declared: Narrowing, given: list[str]) -> Any:
    """A parameter's value; None for what the copy cannot be asked for."""
    words = ",".join(given)
    if len(given) > 1 and not declared.several:
        return None
    return declared.read(words) if lookable(words) else None


def number(given: list[str]) -> int | None:
    """The size of a page; None for what WorkOS refuses."""
    words = given[0] if given else str(LIMIT)
    known = len(given) <= 1 and words.isascii() and words.isdigit()
    return int(words) if known and 1 <= int(words[:9]) <= MOST and len(words) <= len(str(MOST)) else None


def single(given: Mapping[str, list[str]], name: str, default: str) -> str:
    """The one value of a parameter; nothing when it is repeated."""
    found = given.get(name, [default])
    return found[0] if len(found) == 1 else ""


def plain(cursor: str | None) -> bool:
    """Whether there is no cursor, or one that can be looked up."""
    return cursor is None or lookable(cursor)
