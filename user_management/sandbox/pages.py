from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from user_management.sandbox import errors


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a list a request asks for."""

    limit: int = 10
    order: str = "desc"
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The ids of one page, in the order asked for, and the cursors of its neighbours."""

    ids: Sequence[str]
    before: str | None
    after: str | None


def limit(parameters: Mapping[str, str]) -> int:
    """The page size: 10 unless told, 1 to 100, else 422."""
    text = parameters.get("limit", "10")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 100):  # noqa: PLR2004 - WorkOS's bound
        raise errors.invalid("limit", "invalid_limit", "limit must be between 1 and 100.")
    return int(text)


def cut(parameters: Mapping[str, str], known: Container[str]) -> Cut:
    """The part a request asks for; 422 when its cursor is not a live object of the list's kind."""
    order = parameters.get("order", "desc")
    if order not in {"asc", "desc", "normal"}:
        raise errors.invalid("order", "invalid_order", "order must be asc, desc or normal.")
    before, after = parameters.get("before") or None, parameters.get("after") or None
    if before and after:
        raise errors.invalid("before", "mutually_exclusive", "before and after exclude each other.")
    for name, cursor in (("before", before), ("after", after)):
        if cursor and cursor not in known:
            raise errors.invalid(name, "invalid_cursor", f"No such object: '{cursor}'.")
    if order == "normal":
        order, before, after = "desc", after, before
    return Cut(limit(parameters), order, before, after)


def take(ids: Sequence[str], wanted: Cut) -> Page:
    """One page of ascending ids, found by bisection."""
    low, high = _bounds(ids, wanted)
    chosen = ids[low:high]
    older = ids[low - 1] if low > 0 else None
    newer = ids[high] if high < len(ids) else None
    if wanted.order == "desc":
        chosen = chosen[::-1]
        older, newer = newer, older
    if not chosen:
        return Page(chosen, None, None)
    return Page(chosen, older and chosen[0], newer and chosen[-1])


def _bounds(ids: Sequence[str], wanted: Cut) -> tuple[int, int]:
    """The slice of an ascending list that holds the page."""
    ascending = wanted.order == "asc"
    floor, ceiling = (wanted.after, wanted.before) if ascending else (wanted.before, wanted.after)
    if floor is not None:
        low = bisect_left(ids, floor)
        low += low < len(ids) and ids[low] == floor
        return low, min(low + wanted.limit, len(ids))
    if ceiling is not None:
        high = bisect_left(ids, ceiling)
        return max(high - wanted.limit, 0), high
    return (0, min(wanted.limit, len(ids))) if ascending else (max(len(ids) - wanted.limit, 0), len(ids))


def render(blobs: Iterable[bytes], page: Page) -> bytes:
    """The list envelope around objects that are JSON already."""
    cursors = orjson.dumps({"before": page.before, "after": page.after})
    return b'{"object":"list","data":[' + b",".join(blobs) + b'],"list_metadata":' + cursors + b"}"
