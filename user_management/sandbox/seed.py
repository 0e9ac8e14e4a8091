import gc
from collections.abc import Iterator
from datetime import UTC, datetime, time
from random import Random
from typing import Any, Final

from user_management.sandbox import (
    clock,
    names,
    organization_domains,
    organization_memberships,
    organizations,
    roles,
    seed_families,
    users,
)
from user_management.sandbox.roster import ACTIVE, INACTIVE, PENDING
from user_management.sandbox.store import Store

SPAN: Final = 730 * clock.DAY
"""How far back the creation dates of seeded objects reach, in milliseconds."""
_MEMBERSHIPS: Final = (0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3)
_STATUSES: Final = (ACTIVE,) * 16 + (INACTIVE,) * 3 + (PENDING,)
_ROLES: Final = ("member",) * 14 + ("admin", "admin", "billing", "viewer")


def fill(store: Store) -> None:
    """Put in the roles, organizations, users and memberships that the configuration asks for, without events."""
    random, end = Random(store.config.seed), end_of(store)  # noqa: S311 - test data by seed, no secrets
    roles.install(store, end - SPAN)
    collecting = gc.isenabled()
    gc.disable()
    _fill_organizations(store, random, end)
    _fill_users(store, random, end)
    seed_families.fill(store, end, SPAN)
    store.seeded_until = store.users.ids[-1] if store.users.ids else ""
    if collecting:
        gc.enable()
    if store.config.users:
        gc.collect()
        gc.freeze()


def end_of(store: Store) -> int:
    """The newest creation date: as configured, else today's midnight, so that a day's runs are alike; never to come."""
    until = store.config.seed_until or datetime.combine(store.time().astimezone(UTC), time(), UTC)
    return min(clock.milliseconds(until), store.now())


def _moments(random: Random, count: int, end: int) -> Iterator[int]:
    """Rising creation dates, one in each of `count` equal slots."""
    slot = SPAN / max(count, 1)
    for index in range(count):
        yield int(end - SPAN + (index + random.random() / 2) * slot)


def _fill_organizations(store: Store, random: Random, end: int) -> None:
    for number, moment in enumerate(_moments(random, store.config.organizations_count, end), 1):
        name, stem = names.company(random)
        organization = organizations.blank(store.new_id("org", moment), name, moment)
        host = f"{stem}.example" if f"{stem}.example" not in store.domains else f"{stem}{number}.example"
        organization["domains"] = [_domain(store, random, organization["id"], host, moment)]
        _dress_organization(random, organization, number)
        store.domains[host] = organization["id"]
        store.organizations.name(organization)
        store.organizations.write(organization)


def _domain(store: Store, random: Random, organization_id: str, host: str, moment: int) -> dict[str, Any]:
    state = random.choice(("verified", "verified", "pending"))
    return organization_domains.blank(store, organization_id, host, state, moment)


def _dress_organization(random: Random, organization: dict[str, Any], number: int) -> None:
    organization["allow_profiles_outside_organization"] = random.random() < 0.1  # noqa: PLR2004 - one in ten
    if number % 3 == 0:
        organization["external_id"] = f"customer-{number:06d}"
    if number % 4 == 0:
        organization["metadata"] = {"tier": random.choice(("bronze", "silver", "gold"))}


def _fill_users(store: Store, random: Random, end: int) -> None:
    slot = SPAN / max(store.config.users, 1)
    for index, moment in enumerate(_moments(random, store.config.users, end)):
        chosen = _choose_organizations(store, random, index)
        user = _person(store, random, chosen, moment, end)
        if index % 5 == 0:
            user["external_id"] = f"person-{index + 1:07d}"
            store.users.external_ids[user["external_id"]] = user["id"]
        store.emails[user["email"]] = user["id"]
        store.users.write(user)
        for number, organization_id in enumerate(chosen, 1):
            joined = moment + int(number * slot / 8)
            _join(store, random, user["id"], organization_id, joined)


def _choose_organizations(store: Store, random: Random, index: int) -> list[str]:
    """None to three organizations that exist by now; the older ones are the larger."""
    existing = len(store.organizations) * (index + 1) // store.config.users
    if not existing:
        return []
    wanted = range(random.choice(_MEMBERSHIPS))
    return list({store.organizations.ids[int(existing * random.random() ** 2)]: None for _ in wanted})


def _person(store: Store, random: Random, chosen: list[str], moment: int, end: int) -> dict[str, Any]:
    """A user with names, sometimes without, and an address at the organization's domain or elsewhere."""
    first, last = random.choice(names.FIRST), random.choice(names.LAST)
    email = free_address(store, random, first, last, _host(store, random, chosen))
    user = users.blank(store.new_id("user", moment), email, moment)
    if random.random() < 0.92:  # noqa: PLR2004 - one in twelve has told no name
        user |= {"first_name": first, "last_name": last, "name": f"{first} {last}"}
    user["email_verified"] = random.random() < 0.85  # noqa: PLR2004 - most have clicked the link
    user["locale"] = random.choice(names.LOCALES)
    _add_history(random, user, moment, end)
    return user


def _host(store: Store, random: Random, chosen: list[str]) -> str:
    if chosen and random.random() < 0.7:  # noqa: PLR2004 - the rest use a private mailbox
        organization = store.organizations.read(chosen[0]) or {}
        return str(organization["domains"][0]["domain"])
    return random.choice(names.MAILBOXES)


def free_address(store: Store, random: Random, first: str, last: str, host: str) -> str:
    """An address nobody has."""
    number, email = 0, names.address(first, last, 0, host)
    while email in store.emails:
        number = random.randrange(1, 1_000 * (number // 1_000 + 2))
        email = names.address(first, last, number, host)
    return email


def _add_history(random: Random, user: dict[str, Any], moment: int, end: int) -> None:
    """What became of a user since: changes, sign-ins, metadata."""
    if random.random() < 0.6:  # noqa: PLR2004 - the rest never changed
        user["updated_at"] = clock.stamp(random.randint(moment, end))
    if random.random() < 0.8:  # noqa: PLR2004 - the rest never came
        user["last_sign_in_at"] = clock.stamp(random.randint(moment, end))
    if random.random() < 0.3:  # noqa: PLR2004 - the rest carry none
        user["metadata"] = {"department": random.choice(names.DEPARTMENTS), "timezone": random.choice(names.ZONES)}


def _join(store: Store, random: Random, user_id: str, organization_id: str, moment: int) -> None:
    membership = organization_memberships.blank(store.new_id("om", moment), user_id, organization_id, moment)
    slug, status = random.choice(_ROLES), random.choice(_STATUSES)
    membership |= {"role": {"slug": slug}, "roles": [{"slug": slug}], "status": status}
    store.roster.add(membership["id"], user_id, organization_id, status)
    store.memberships.write(membership)
