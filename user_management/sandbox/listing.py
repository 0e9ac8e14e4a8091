"""What every family's lists and lookups have in common."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from user_management.sandbox import errors, pages, replies
from user_management.sandbox.store import Store, Table


def respond(
    request: Request, table: Table, ids: Sequence[str] | None = None, render: Callable[[str], bytes] | None = None
) -> Response:
    """One page of a table, or of some of its ids, newest first unless told."""
    wanted = pages.cut(request.query_params, table.blobs)
    page = pages.take(table.ids if ids is None else ids, wanted)
    return replies.ok(pages.render([(render or table.blobs.__getitem__)(key) for key in page.ids], page))


def matching(table: Table, ids: Sequence[str], **values: str | None) -> Sequence[str]:
    """The ids whose objects have these values; None stands for any."""
    wanted = {name: value for name, value in values.items() if value is not None}
    return [key for key in ids if wanted.items() <= one(table, key).items()] if wanted else ids


def one(table: Table, key: str) -> dict[str, Any]:
    """The object of an id, or 404."""
    found = table.read(key)
    if found is None:
        raise errors.not_found(table.kind.replace("_", " ").capitalize(), key)
    return found


def organization(store: Store, key: str) -> str:
    """The id of an organization that is there, or 404."""
    if key not in store.organizations.blobs:
        raise errors.not_found("Organization", key)
    return key


def named(table: Table, ids: Sequence[str], text: str | None) -> Sequence[str]:
    """The ids whose objects' names hold a text, in any case; None stands for any."""
    return [key for key in ids if text.lower() in one(table, key)["name"].lower()] if text else ids
