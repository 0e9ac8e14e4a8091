"""Lists of a resource at WorkOS, whatever their form: addressed by their parent, and told in the resource's words."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from user_management.db.session import Connection, Pool
from user_management.errors import NotFound
from user_management.mirror.engine import catalog, store
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import objects
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer, ObjectNotFound, Refused

MOST = 10_000
"""Pages of one list that is looked at as a whole: beyond, it does not end."""


class Unaskable(NotFound):
    """WorkOS cannot be asked: what with is not known, or the only list that may show it need not."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a list is asked for, and the object whose list it is."""

    path: tuple[str, ...]
    parameters: Mapping[str, str]
    parent: Mapping[str, Any] = field(default_factory=dict)


def filled(path: tuple[str, ...], values: Mapping[str, Any]) -> tuple[str, ...]:
    """A path with its `{keys}` replaced; `Unaskable` when one of them is not known."""
    keys = [part[1:-1] for part in path if part.startswith("{")]
    if unknown := [key for key in keys if not isinstance(values.get(key), str)]:
        raise Unaskable(f"{', '.join(unknown)} of it is not known")
    return tuple(values[part[1:-1]] if part.startswith("{") else part for part in path)


async def address(connection: Connection, resource: Resource, partition: str) -> Address:
    """Where the list of a partition is; `Unaskable` if its parent is not known well enough."""
    listing = resource.listing
    asked = listing.per is not None and "{" in "".join(listing.path)
    row = await store.row(connection, str(listing.per), partition) if asked else None
    return address_of(resource, partition, row.body if row else {})


def address_of(resource: Resource, partition: str, parent: Mapping[str, Any]) -> Address:
    """The same, from what is known of the parent."""
    listing = resource.listing
    if listing.per is None:
        return Address(listing.path, listing.parameters)
    values = {**parent, listing.column: partition}
    named = {listing.parameter: partition} if listing.parameter else {}
    return Address(filled(listing.path, values), {**listing.parameters, **named}, values)


async def page(workos: WorkOS, resource: Resource, at: Address, after: str) -> objects.Page:
    """A page of a list, in the resource's words."""
    within, item = resource.listing.within, resource.listing.item
    if within:
        found = objects.Page(await objects.inside(workos, at.path, within), None)
    else:
        found = await objects.page(workos, at.path, after=after, parameters=at.parameters)
    told = found.objects if item is None else [one for said in found.objects if (one := item(at.parent, said))]
    for one in told:
        if resource.name_of(one) is None:
            raise BadAnswer(f"WorkOS listed something among {resource.name} that does not name itself")
    return replace(found, objects=told)


async def whole(workos: WorkOS, resource: Resource, at: Address) -> objects.Page:
    """All pages of a list as one."""
    told: list[dict[str, Any]] = []
    after = ""
    for _ in range(MOST):
        found = await page(workos, resource, at, after)
        told += found.objects
        if found.after is None:
            return objects.Page(told, None)
        after = found.after
    raise BadAnswer(f"WorkOS's list of {'/'.join(at.path)} does not end")


async def ended(pool: Pool, workos: WorkOS, resource: Resource, partition: str, refused: NotFound | Refused) -> bool:
    """Whether a list is not shown because its parent is gone; if WorkOS has that, it is the list that it refuses."""
    parent = catalog.by_name(resource.listing.per or "")
    if parent is None or not isinstance(refused, Refused):
        return parent is not None
    return await get(pool, workos, parent, partition) is None


@dataclass(frozen=True, slots=True)
class Question:
    """How one object is asked for: where WorkOS shows it, or in which list it must be."""

    id: str
    path: tuple[str, ...] | None
    known: Mapping[str, Any]
    address: Address | None = None
    partition: str = ""


async def get(
    pool: Pool, workos: WorkOS, resource: Resource, object_id: str, said: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """One object as WorkOS has it now, None when it has none; `Unaskable` if too little is known to ask.

    Where the copy does not hold it, what is `said` of it elsewhere, such as whose it is, may be enough.
    """
    async with pool.acquire() as connection:
        asked = await question(connection, resource, object_id, said or {})
    return await (answer(workos, resource, asked) if asked.path else searched(pool, workos, resource, asked))


async def question(connection: Connection, resource: Resource, object_id: str, said: Mapping[str, Any]) -> Question:
    """How to ask for an object, by its id and by what is known of it; by its list where its name is not known."""
    row = await store.row(connection, resource.name, object_id)
    known = {**said, **(row.body if row else {}), **resource.names_in(object_id)}
    one = resource.listing.one
    if one is not None:
        path = one[1:] if one[0] == "/" else (*resource.listing.path, *one)
        with suppress(Unaskable):
            return Question(object_id, filled(path, known), known)
    column = resource.listing.column
    partition = (known.get(column) or resource.value(column, known)) if resource.listing.per else ""
    if not isinstance(partition, str):
        raise Unaskable(f"where {object_id} is listed is not known")
    return Question(object_id, None, known, await address(connection, resource, partition), partition)


async def answer(workos: WorkOS, resource: Resource, asked: Question) -> dict[str, Any] | None:
    """What WorkOS says to it; None also for what is shown in its place and is none of ours (an environment's role)."""
    assert asked.path is not None  # noqa: S101  others are searched for
    said = await objects.get(workos, asked.path)
    item = resource.listing.item
    told = said if item is None or said is None else item(asked.known, said)
    if told is not None and resource.name_of(told) != asked.id:
        if by_another_name(resource):
            return None  # it is gone, and another bears its name by now
        raise BadAnswer(f"WorkOS was asked for {asked.id} and answered with something else")
    return told


def by_another_name(resource: Resource) -> bool:
    """Whether an object is asked for by a name that is not its id, such as its slug, and may be given anew."""
    return not any(f"{{{key}}}" in (resource.listing.one or ()) for key in resource.key)


async def searched(pool: Pool, workos: WorkOS, resource: Resource, asked: Question) -> dict[str, Any] | None:
    """One object, found in the list of its parent, for WorkOS shows it nowhere else."""
    assert asked.address is not None  # noqa: S101  a question without a path has one
    try:
        found = await whole(workos, resource, asked.address)
    except ObjectNotFound as missing:
        if await ended(pool, workos, resource, asked.partition, missing):
            return None
        raise Unaskable(f"WorkOS has no list that {asked.id} would be in") from missing
    shown = next((one for one in found.objects if resource.name_of(one) == asked.id), None)
    if shown is None and resource.listing.partial:
        raise Unaskable(f"WorkOS does not list {asked.id}, which it need not")
    return shown
