"""The state API: pages of objects, oldest first, and single objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer, ObjectNotFound
from user_management.services.workos.events import envelope, next_of

LIMIT = 100
"""The most objects WorkOS gives at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """Objects, oldest first; `after` is the cursor of the next page, None on the last."""

    objects: list[dict[str, Any]]
    after: str | None


async def page(workos: WorkOS, path: tuple[str, ...], *, after: str, parameters: Mapping[str, str]) -> Page:
    """A page of a list, ascending so that nothing created meanwhile is missed; `BadAnswer` for a 200 that is none."""
    params = {**parameters, "limit": LIMIT, "order": "asc"} | ({"after": after} if after else {})
    answer = await workos.request("get", path, params=params)
    objects = [checked(item) for item in envelope(answer)]
    following = next_of(answer)
    if following is not None and following == after:
        raise BadAnswer(f"WorkOS's list of {'/'.join(path)} does not move on from {after}")
    return Page(objects, following if objects else None)


def checked(item: Any) -> dict[str, Any]:
    """An object that can be told from others by its id."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise BadAnswer("WorkOS listed something that has no id")
    return item


async def get(workos: WorkOS, path: tuple[str, ...], object_id: str) -> dict[str, Any] | None:
    """One object; None when WorkOS says it does not exist, and only then."""
    try:
        found = await workos.request("get", (*path, object_id))
    except ObjectNotFound:
        return None
    if found.get("id") != object_id:
        raise BadAnswer(f"WorkOS was asked for {object_id} and answered with something else")
    return found
