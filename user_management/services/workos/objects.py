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


async def inside(workos: WorkOS, path: tuple[str, ...], key: str) -> list[dict[str, Any]]:
    """The objects that stand under a key of another; `ObjectNotFound` without that one."""
    answer = await workos.request("get", path)
    found = answer.get(key)
    if not isinstance(answer.get("id"), str) or not isinstance(found, list):
        raise BadAnswer(f"WorkOS answered 200 with something that has no {key} ({', '.join(answer) or 'nothing'})")
    return [checked(item) for item in found]


async def get(workos: WorkOS, path: tuple[str, ...]) -> dict[str, Any] | None:
    """What stands at a path; None when WorkOS says that nothing does, and only then."""
    try:
        return checked(await workos.request("get", path))
    except ObjectNotFound:
        return None
