"""Where WorkOS shows what we mirror: the addresses that are answered from the copy, each found in its declaration.

What a declaration does not say stands here: WorkOS's own names for what its lists can be narrowed by.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from user_management.mirror.engine.resource import Resource

STATUSES = frozenset({"active", "inactive", "pending"})


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A query parameter of WorkOS's: the filter of ours it is, and how its value is read; None for what we doubt."""

    filter: str
    read: Callable[[str], Any] = str
    parent: str | None = None
    """The resource whose object it names: what WorkOS says of one that is not there, only WorkOS knows."""
    several: bool = False
    """Whether it may be repeated."""


def address(value: str) -> str | None:
    """An e-mail address as WorkOS stores it; how it compares others is not documented."""
    return value if value == value.strip().lower() else None


def statuses(value: str) -> list[str] | None:
    """Some statuses, separated by commas."""
    words = value.split(",")
    return words if STATUSES.issuperset(words) else None


OF_ORGANIZATION = Narrowing("organization_id", parent="organizations")

NARROWINGS: Mapping[str, Mapping[str, Narrowing]] = {
    "users": {"email": Narrowing("email", address), "organization_id": OF_ORGANIZATION},
    "organization_memberships": {
        "user_id": Narrowing("user_id", parent="users"),
        "organization_id": OF_ORGANIZATION,
        "statuses": Narrowing("statuses", statuses, several=True),
    },
    "groups": {"organization_id": OF_ORGANIZATION},
    "directory_groups": {"directory": Narrowing("directory_id", parent="directories")},
    "feature_flags": {},
    "organizations": {},
    "permissions": {},
}
"""The resources whose lists the copy answers, and what each can be narrowed by, in WorkOS's words.

Not: roles, whose order (of priority) no event tells; sessions and API keys, of which the copy holds no complete list;
connections and directories, of which no event tells before they are activated, nor that they changed; invitations,
domains and directory users, whose objects the copy holds without their secrets or their groups.
"""

SINGLE = frozenset({"organization_domains", "roles"})
"""The resources of which the copy answers with one object only."""

REQUIRED: Mapping[str, frozenset[str]] = {
    "organization_memberships": frozenset({"user_id", "organization_id"}),
    "directory_groups": frozenset({"directory"}),
}
"""By resource, the parameters of which WorkOS demands one; it refuses in its own words."""

NEEDED: Mapping[str, frozenset[str]] = {
    "organization_memberships": frozenset({"roles"}),
    "roles": frozenset({"permissions"}),
    "organization_domains": frozenset({"verification_token", "verification_prefix", "verification_strategy"}),
}
"""By resource, what WorkOS's objects have that their events may leave out, beyond what the declaration names."""

FOREIGN: Mapping[str, frozenset[str]] = {
    "feature_flags": frozenset({"environment_id"}),
}
"""By resource, what only events have."""

ELSEWHERE: Mapping[str, str] = {"api_keys": "/api_keys/{id}"}
"""By resource, where WorkOS changes one object that it shows nowhere by itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """One address of WorkOS's: the path's template, the resource it shows, and the column its last part is, if any."""

    template: str
    resource: Resource
    by: str | None = None
    copied: bool = True
    """Whether the copy answers there."""

    @property
    def pattern(self) -> str:
        """The template as Starlette takes it: what is not an id of WorkOS's may hold slashes."""
        return self.template.replace("{external_id}", "{external_id:path}")

    @property
    def depth(self) -> int:
        """How many slashes its path has."""
        return self.template.count("/")

    @property
    def narrowings(self) -> Mapping[str, Narrowing]:
        """What its list can be narrowed by."""
        return NARROWINGS.get(self.resource.name, {})

    @property
    def required(self) -> frozenset[str]:
        """The parameters of which there must be one; those of the path are there."""
        return REQUIRED.get(self.resource.name, frozenset())

    @property
    def within(self) -> tuple[str, ...]:
        """The parts of the path that name the object it lies in."""
        names = [part[1:-1] for part in self.template.split("/") if part.startswith("{")]
        return tuple(name for name in names if name != self.by)


@cache
def of(resource: Resource) -> tuple[Place, ...]:
    """Where WorkOS shows a resource: its list, an object by its owner's own id, an object by its id or its slug."""
    if resource.pairs:  # which stand in lists of something else
        return ()
    listing, name = resource.listing, resource.name
    path = "/" + "/".join(listing.path)
    found = [] if listing.within else [Place(path, resource, None, name in NARROWINGS)]
    if resource.has_external_id:
        found.append(Place(f"{path}/external_id/{{external_id}}", resource, "external_id"))
    if listing.one is not None:
        whole = listing.one[1:] if listing.one[0] == "/" else (*listing.path, *listing.one)
        by = whole[-1][1:-1]
        found.append(Place("/" + "/".join(whole), resource, by, name in NARROWINGS or name in SINGLE))
    elif name in ELSEWHERE:
        found.append(Place(ELSEWHERE[name], resource, "id", copied=False))
    return tuple(found)


def all_of(resources: Iterable[Resource]) -> tuple[Place, ...]:
    """Every address of what is mirrored."""
    return tuple(place for resource in resources for place in of(resource))


@dataclass(frozen=True, slots=True)
class Found:
    """A place that a path leads to, the value of each part of its template, and what is done there, if anything."""

    place: Place
    values: Mapping[str, str]
    action: str = ""


def find(places: Iterable[Place], path: str) -> Found | None:
    """Where a path leads: to a place of ours, or to something that is done with the object there."""
    parts = path.split("/")
    whole = next((found for place in places if (found := matched(place, parts))), None)
    if whole is not None:
        return whole
    behind = (found for place in places if place.by is not None and (found := matched(place, parts[: place.depth + 1])))
    found = next(behind, None)
    return None if found is None else Found(found.place, found.values, "/".join(parts[found.place.depth + 1 :]))


def matched(place: Place, parts: Sequence[str]) -> Found | None:
    """The place with the values of a path that fits its template, part by part."""
    wanted = place.template.split("/")
    if len(parts) != len(wanted):
        return None
    values: dict[str, str] = {}
    for name, part in zip(wanted, parts, strict=True):
        if name.startswith("{") and part:
            values[name[1:-1]] = unquote(part)
        elif name != part:
            return None
    return Found(place, values)


FAMILIES = frozenset(
    "api_keys audit_logs auth authorization client connect connections data-integrations directories directory_groups "
    "directory_users events feature-flags fga groups mfa oauth2 organization_domains organizations passwordless pipes "
    "portal radar sso user_management vault webhook_endpoints widgets x".split()
)
"""The first words of WorkOS's paths; metrics know requests by them, for whatever follows may name somebody."""


def family(path: str) -> str:
    """A path as metrics and traces may know it."""
    first = path.split("/")[1]
    return f"/{first}/{{path}}" if first in FAMILIES else "/{path}"


def escapes(raw_path: bytes) -> bool:
    """Whether a path tries to leave its place: such are not passed on, whoever asks."""
    parts = re.split(rb"[/\\]", unquote_to_bytes(raw_path))
    return b"." in parts or b".." in parts
