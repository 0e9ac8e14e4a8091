"""Access: what a person may do in an organization, decided from memberships and roles as WorkOS words them.

A permission is had through a role, a role through an active membership. A role that an organization has of its own
stands before the environment's of the same slug. Whatever is not known is not allowed; where the facts at hand cannot
tell, `Undecided` says so, and nothing is guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Roles: TypeAlias = Mapping[tuple[str | None, str], Mapping[str, Any]]
"""Roles by organization (None: the environment) and slug."""


class Undecided(Exception):
    """The facts at hand cannot tell."""


class Presence(StrEnum):
    """Whether there is an object of some id."""

    LIVE = "live"
    DELETED = "deleted"
    ABSENT = "absent"


class Reason(StrEnum):
    """Why somebody may or may not do something."""

    GRANTED = "granted"
    NOT_GRANTED = "permission_not_granted"
    NO_USER = "user_not_found"
    USER_DELETED = "user_deleted"
    NO_ORGANIZATION = "organization_not_found"
    ORGANIZATION_DELETED = "organization_deleted"
    NO_MEMBERSHIP = "no_membership"
    NOT_ACTIVE = "membership_not_active"


@dataclass(frozen=True, slots=True)
class Facts:
    """A user and an organization, the user's memberships, and the roles there are."""

    memberships: Sequence[Mapping[str, Any]]
    roles: Roles
    user: Presence = Presence.LIVE
    organization: Presence = Presence.LIVE


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody may do in an organization, or the reason why nothing."""

    reason: Reason = Reason.GRANTED
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = field(default=())

    def allows(self, permission: str) -> Reason:
        """Whether a permission is among them, as the reason."""
        if self.reason is not Reason.GRANTED:
            return self.reason
        return Reason.GRANTED if permission in self.permissions else Reason.NOT_GRANTED


MISSING = {
    ("user", Presence.ABSENT): Reason.NO_USER,
    ("user", Presence.DELETED): Reason.USER_DELETED,
    ("organization", Presence.ABSENT): Reason.NO_ORGANIZATION,
    ("organization", Presence.DELETED): Reason.ORGANIZATION_DELETED,
}


def decide(facts: Facts, organization_id: str) -> Access:
    """What the user may do in the organization; `Undecided` when a role at hand does not say what it permits."""
    for name in ("user", "organization"):
        if reason := MISSING.get((name, getattr(facts, name))):
            return Access(reason)
    mine = [one for one in facts.memberships if one.get("organization_id") == organization_id]
    active = [one for one in mine if one.get("status") == "active"]
    if not active:
        return Access(Reason.NOT_ACTIVE if mine else Reason.NO_MEMBERSHIP)
    held = tuple(dict.fromkeys(slug for one in active for slug in roles_of(one)))
    granted = {name for slug in held for name in permitted(facts.roles, organization_id, slug)}
    return Access(Reason.GRANTED, held, tuple(sorted(granted)))


def roles_of(membership: Mapping[str, Any]) -> list[str]:
    """The slugs of a membership's roles: all of them where WorkOS tells all, else the one.

    `Undecided` when the one is not among them.
    """
    several, one = membership.get("roles"), slugs([membership.get("role")])
    found = slugs(several) if isinstance(several, list) and several else one
    if not set(found).issuperset(one):
        raise Undecided(f"whether the membership's role is {one[0]} or one of {', '.join(found)}")
    return found


def slugs(roles: Iterable[Any]) -> list[str]:
    """The slugs of roles."""
    return [one["slug"] for one in roles if isinstance(one, Mapping) and isinstance(one.get("slug"), str)]


def permitted(roles: Roles, organization_id: str, slug: str) -> Iterable[str]:
    """The permissions of a role in an organization."""
    role = in_force(roles, organization_id, slug)
    permissions = role.get("permissions") if role else None
    if not isinstance(permissions, list):
        raise Undecided(f"what the role {slug} permits is not known")
    return [one for one in permissions if isinstance(one, str)]


def in_force(roles: Roles, organization_id: str, slug: str) -> Mapping[str, Any] | None:
    """The role that a slug means in an organization."""
    return roles.get((organization_id, slug)) or roles.get((None, slug))
