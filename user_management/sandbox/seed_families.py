"""Seeds what organizations have beside people, from random numbers and ids of its own, so that those stay theirs."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from user_management.sandbox import (
    api_keys,
    clock,
    connections,
    directories,
    directory_groups,
    directory_users,
    feature_flags,
    groups,
    invitations,
    names,
    organization_domains,
    organization_roles,
    permissions,
)
from user_management.sandbox.identifiers import Identifiers
from user_management.sandbox.roster import ACTIVE, PENDING
from user_management.sandbox.store import Store

_OWN_ROLES: Final = ("Auditor", "Team Lead", "Contractor", "Support Agent")
_TEAMS: Final = ("Core", "Platform", "Field", "Launch", "Research", "On Call")
_FLAGS: Final = ("new-dashboard", "bulk-export", "audit-log", "dark-mode", "beta-search", "usage-billing")
_SHARES: Final = 64
"""How many steps of an organization's slot in time its own objects are spread over."""


@dataclass(frozen=True, slots=True)
class Soil:
    """What one seeding works with."""

    store: Store
    random: Random
    identifiers: Identifiers
    end: int
    span: int


@dataclass(frozen=True, slots=True)
class Plot:
    """One organization, and the rising moments at which it got things."""

    organization: dict[str, Any]
    moments: Iterator[int]

    @property
    def id(self) -> str:
        """The id of the organization."""
        return str(self.organization["id"])


def fill(store: Store, end: int, span: int) -> None:
    """Put in the permissions, and for the organizations there are everything they have, without events."""
    seed = store.config.seed
    soil = Soil(store, Random(f"families {seed}"), Identifiers(seed + 1_000_003), end, span)  # noqa: S311 - test data
    permissions.install(store, soil.identifiers, end - span)
    for number, organization_id in enumerate(list(store.organizations.ids)):
        _fill_organization(soil, number, store.organizations.read(organization_id) or {})
    _fill_invitations(soil)
    if store.organizations.ids:
        _fill_flags(soil)


def adopt(store: Store) -> None:
    """Put in what a sandbox that knew no families lacks to go on: permissions, and its domains as objects."""
    permissions.install(store, store.identifiers, store.now())
    for organization_id in store.organizations.ids:
        for domain in (store.organizations.read(organization_id) or {})["domains"]:
            organization_domains.file(store, domain)


def _fill_organization(soil: Soil, number: int, organization: dict[str, Any]) -> None:
    plot = Plot(organization, _moments(soil, organization))
    for domain in organization["domains"]:
        organization_domains.file(soil.store, domain)
    _invite(soil, plot)
    if number % 5 == 0:
        _add_roles(soil, plot)
    if number % 4 == 0:
        _add_groups(soil, plot)
    if number % 3 == 0:
        _add_connection(soil, plot)
    if number % 6 == 0:
        _add_directory(soil, plot)
    if number % 2 == 0:
        _add_keys(soil, plot)


def _moments(soil: Soil, organization: dict[str, Any]) -> Iterator[int]:
    """Moments soon after an organization began, before the next one did, each later than the one before."""
    start = clock.parse(organization["created_at"]) or 0
    step = soil.span // max(len(soil.store.organizations), 1) // 2 // _SHARES
    return (min(start + number * step, soil.end) for number in range(1, 10 * _SHARES))


def _members(soil: Soil, plot: Plot, most: int) -> list[dict[str, Any]]:
    ids = soil.store.roster.of_organization(plot.id, frozenset({ACTIVE}))[:most]
    return [found for found in map(soil.store.memberships.read, ids) if found]


def _invite(soil: Soil, plot: Plot) -> None:
    """One invitation that was accepted, if anybody is in, one that was revoked and one whose time is over."""
    for membership in _members(soil, plot, 1):
        user, moment = soil.store.users.read(membership["user_id"]) or {}, next(plot.moments)
        at, role = clock.stamp(moment), membership["role"]["slug"]
        ending = {"state": invitations.ACCEPTED, "accepted_at": at, "accepted_user_id": user["id"]}
        _invitation(soil, plot.id, moment, ending, email=user["email"], role_slug=role)
    moment = next(plot.moments)
    _invitation(soil, plot.id, moment, {"state": invitations.REVOKED, "revoked_at": clock.stamp(moment)})
    _invitation(soil, plot.id, next(plot.moments), {})


def _invitation(soil: Soil, organization_id: str | None, moment: int, ending: dict[str, Any], **fields: Any) -> None:
    first, last = soil.random.choice(names.FIRST), soil.random.choice(names.LAST)
    stranger = names.address(first, last, soil.random.randrange(10_000, 99_999), "guest.example")
    fields = {"email": stranger, "organization_id": organization_id} | fields
    value = invitations.blank(soil.store, soil.identifiers.new("invitation", moment), fields, moment)
    soil.store.invitations.write(value | ending)


def _fill_invitations(soil: Soil) -> None:
    """The newest ones, which still wait for an answer; one is to the application alone."""
    invited: list[str | None] = [*soil.store.organizations.ids[::4]]
    wait = 5 * clock.DAY // (len(invited) + 1)
    for number, organization_id in enumerate([*invited, None] if invited else []):
        moment = soil.end - 5 * clock.DAY + number * wait
        _invitation(soil, organization_id, moment, {"state": PENDING}, expires_in_days=soil.random.choice((7, 14, 30)))


def _add_roles(soil: Soil, plot: Plot) -> None:
    for name in soil.random.sample(_OWN_ROLES, soil.random.randint(1, 2)):
        moment = next(plot.moments)
        fields = {"slug": f"org-{name.lower().replace(' ', '-')}", "name": name}
        role = organization_roles.blank(soil.identifiers.new("role", moment), plot.id, fields, moment)
        soil.store.organization_roles.write(role | {"permissions": ["users:view", "reports:view"]})


def _add_groups(soil: Soil, plot: Plot) -> None:
    for name in soil.random.sample(_TEAMS, 2):
        moment = next(plot.moments)
        group_id = soil.identifiers.new("group", moment)
        description = soil.random.choice((None, f"Everybody of {name}"))
        fields = {"name": name, "description": description}
        soil.store.groups.write(groups.blank(group_id, plot.id, fields, moment))
        for membership in _members(soil, plot, soil.random.randint(1, 5)):
            soil.store.group_members.write(groups.member(group_id, membership["id"], moment))


def _add_connection(soil: Soil, plot: Plot) -> None:
    moment, kind = next(plot.moments), soil.random.choice(connections.TYPES)
    value = connections.blank(soil.identifiers.new("conn", moment), plot.organization, kind, moment)
    state = soil.random.choice((connections.ACTIVE, connections.ACTIVE, connections.INACTIVE, connections.DRAFT))
    status = "linked" if state == connections.ACTIVE else "unlinked"
    soil.store.connections.write(value | {"state": state, "status": status})


def _add_directory(soil: Soil, plot: Plot) -> None:
    """A directory with ten users in two groups; one user is suspended, and one has no address."""
    moment, kind, store = next(plot.moments), soil.random.choice(directories.TYPES), soil.store
    directory = directories.blank(store, soil.identifiers.new("directory", moment), plot.organization, kind, moment)
    store.directories.write(directory)
    users = [_add_directory_user(soil, plot, directory, number) for number in range(10)]
    for name in soil.random.sample(names.DEPARTMENTS, 2):
        moment = next(plot.moments)
        fields = {"idp_id": f"group-{name.lower()}", "name": name}
        group = directory_groups.blank(soil.identifiers.new("directory_group", moment), directory, fields, moment)
        store.directory_groups.write(group)
        for user_id in soil.random.sample(users, 4):
            store.directory_members.write(directory_groups.member(directory["id"], group["id"], user_id, moment))


def _add_directory_user(soil: Soil, plot: Plot, directory: dict[str, Any], number: int) -> str:
    first, last = soil.random.choice(names.FIRST), soil.random.choice(names.LAST)
    host = str(directory.get("domain", "directory.example"))
    fields = {
        "idp_id": f"idp-{number + 1:04d}",
        "email": None if number == 1 else names.address(first, last, number, host),
        "first_name": first,
        "last_name": last,
        "job_title": soil.random.choice(names.DEPARTMENTS),
        "state": directory_users.SUSPENDED if number == 2 else directory_users.ACTIVE,  # noqa: PLR2004 - the third
        "custom_attributes": {"department": soil.random.choice(names.DEPARTMENTS)},
    }
    moment = next(plot.moments)
    user = directory_users.blank(soil.identifiers.new("directory_user", moment), directory, fields, moment)
    soil.store.directory_users.write(user)
    return str(user["id"])


def _add_keys(soil: Soil, plot: Plot) -> None:
    """A key of the organization and, if anybody is in, one of a person."""
    owners = [{}, *({"user_id": one["user_id"]} for one in _members(soil, plot, 1))]
    for owner in owners:
        moment = next(plot.moments)
        fields: dict[str, Any] = {
            "name": soil.random.choice(("CI", "Backoffice", "Export", "Terraform")),
            "expires_at": soil.random.choice((None, clock.stamp(soil.end + 90 * clock.DAY))),
            "permissions": ["users:view"],
            "organization_id": plot.id,
            **owner,
        }
        soil.store.api_keys.write(api_keys.blank(soil.store, soil.identifiers.new("api_key", moment), fields, moment))


def _fill_flags(soil: Soil) -> None:
    for number, slug in enumerate(_FLAGS):
        moment = soil.end - soil.span + (number + 1) * soil.span // (len(_FLAGS) + 1)
        fields = {"slug": slug, "name": slug.replace("-", " ").capitalize(), "tags": ["beta"] if number % 2 else []}
        flag = feature_flags.blank(soil.identifiers.new("flag", moment), fields, moment)
        targets = soil.store.organizations.ids[number::40][:5] if number % 3 == 1 else []
        access = (feature_flags.NONE, feature_flags.SOME, feature_flags.EVERYBODY)[number % 3]
        soil.store.flags.write(flag | {"enabled": number % 3 > 0})
        soil.store.flag_rules[flag["id"]] = feature_flags.rule(
            access if targets or number % 3 != 1 else "none", targets
        )
