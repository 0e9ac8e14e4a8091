"""What happens, beside people coming and going, in the families that organizations and the environment have."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from user_management.sandbox import (
    api_keys,
    connections,
    dashboard,
    directories,
    directory_groups,
    directory_users,
    feature_flags,
    group_members,
    groups,
    invitations,
    names,
    organization_domains,
    organization_roles,
    permissions,
    roles,
)
from user_management.sandbox.store import Store, Table

_CROWD: Final = 8
"""How many more than at first there may be of a kind, and roughly how many there will be of a new one."""
_MADE: Final = "made-"
_RECENT: Final = 40
_STATES: Final = (directory_users.ACTIVE, directory_users.SUSPENDED)


class Errands:
    """Things to do to the families, repeatable by the random numbers handed in; what is refused raises."""

    def __init__(self, store: Store, random: Random) -> None:
        self._store = store
        self._random = random
        tables = (store.groups, store.connections, store.directories, store.directory_users, store.directory_groups)
        more = (store.api_keys, store.organization_roles, store.permissions, store.flags, store.organization_domains)
        self._crowds = {table.kind: 2 * len(table) + _CROWD for table in (*tables, *more)}
        self.steps: dict[Callable[[], object], int] = {
            self._invite: 4,
            self._answer: 4,
            self._domain: 2,
            self._role: 2,
            self._own_role: 2,
            self._permission: 1,
            self._group: 2,
            self._group_member: 4,
            self._connection: 2,
            self._directory: 1,
            self._directory_user: 4,
            self._directory_group: 2,
            self._directory_member: 3,
            self._key: 2,
            self._flag: 2,
        }

    def _one(self, table: Table) -> dict[str, Any]:
        """An object of a table, or nothing."""
        return (table.read(self._random.choice(table.ids)) if table.ids else None) or {}

    def _full(self, table: Table) -> bool:
        """Whether it is time for one to go rather than to come."""
        return len(table) > self._random.randrange(self._crowds[table.kind])

    def _word(self) -> str:
        return f"{self._random.choice(names.ADJECTIVES)} {self._random.choice(names.NOUNS)}"

    def _number(self) -> int:
        return self._random.randrange(10_000)

    def _invite(self) -> None:
        user, organization = self._one(self._store.users), self._one(self._store.organizations)
        stranger = names.address(self._random.choice(names.FIRST), "Guest", self._number(), "guest.example")
        email = user["email"] if user and self._random.random() < 0.5 else stranger  # noqa: PLR2004 - every other one
        fields = {"email": email, "organization_id": organization.get("id"), "inviter_user_id": user.get("id")}
        invitations.send(self._store, fields | {"role_slug": self._random.choice([None, *self._store.roles])})

    def _answer(self) -> None:
        """One of the newest invitations is accepted, sent again or revoked, if it is still pending."""
        recent = self._store.invitations.ids[-_RECENT:]
        verb = self._random.choice((invitations.accept, invitations.accept, invitations.resend, invitations.revoke))
        if recent:
            verb(self._store, self._random.choice(recent))

    def _domain(self) -> None:
        domain, organization = self._one(self._store.organization_domains), self._one(self._store.organizations)
        if domain and domain["state"] != organization_domains.VERIFIED:
            verb = self._random.choice((organization_domains.verify, organization_domains.fail))
            verb(self._store, domain["id"])
        elif self._full(self._store.organization_domains) and len(self._own_domains(domain)) > 1:
            organization_domains.delete(self._store, domain["id"])
        elif organization:
            name = f"{self._word().replace(' ', '').lower()}{self._number()}"
            end = self._random.choice((".example", ".example", organization_domains.HOPELESS))
            organization_domains.create(self._store, organization["id"], name + end)

    def _own_domains(self, domain: dict[str, Any]) -> list[Any]:
        return list(self._store.organization_domains.of("organization_id", domain.get("organization_id", "")))

    def _role(self) -> None:
        """A role of the environment changes or comes, and goes again when there are many."""
        made = [slug for slug in self._store.roles if slug.startswith(_MADE)]
        if len(made) > self._random.randrange(_CROWD):
            dashboard.delete_role(self._store, self._random.choice(made))
        elif self._random.random() < 0.5:  # noqa: PLR2004 - every other time
            slug = self._random.choice(list(self._store.roles))
            roles.update(self._store, slug, {"permissions": self._some_permissions()})
        else:
            number = self._number()
            roles.create(self._store, {"slug": f"{_MADE}{number}", "name": f"Made {number}"})

    def _some_permissions(self) -> list[str]:
        slugs = [self._one(self._store.permissions).get("slug") for _ in range(3)]
        return list(dict.fromkeys(slug for slug in slugs if slug))

    def _own_role(self) -> None:
        role, organization = self._one(self._store.organization_roles), self._one(self._store.organizations)
        if role and self._full(self._store.organization_roles):
            organization_roles.delete(self._store, role["organization_id"], role["slug"])
        elif role and self._random.random() < 0.5:  # noqa: PLR2004 - every other time
            change = self._random.choice(({"permissions": self._some_permissions()}, {"description": self._word()}))
            organization_roles.update(self._store, role["organization_id"], role["slug"], change)
        elif organization:
            organization_roles.create(self._store, organization["id"], {"name": f"{self._word()} {self._number()}"})

    def _permission(self) -> None:
        permission = self._one(self._store.permissions)
        made = permission and permission["slug"].startswith(_MADE)
        if made and self._full(self._store.permissions):
            permissions.delete(self._store, permission["slug"])
        elif made:
            permissions.update(self._store, permission["slug"], {"description": self._word()})
        else:
            permissions.create(self._store, {"slug": f"{_MADE}{self._number()}", "name": self._word()})

    def _group(self) -> None:
        group, organization = self._one(self._store.groups), self._one(self._store.organizations)
        if group and self._full(self._store.groups):
            groups.delete(self._store, group["organization_id"], group["id"])
        elif group and self._random.random() < 0.5:  # noqa: PLR2004 - every other time
            groups.update(self._store, group["organization_id"], group["id"], {"name": self._word()})
        elif organization:
            groups.create(self._store, organization["id"], {"name": self._word()})

    def _group_member(self) -> None:
        """Somebody joins a group of their organization, or leaves it."""
        group = self._one(self._store.groups)
        candidates = self._store.roster.of_organization(group["organization_id"]) if group else ()
        inside = group_members.memberships(self._store, group["id"]) if group else []
        if inside and len(inside) > self._random.randrange(_CROWD):
            self._regroup(group, [], [self._random.choice(inside)])
        elif candidates:
            self._regroup(group, [self._random.choice(candidates)], [])

    def _regroup(self, group: dict[str, Any], add: list[str], remove: list[str]) -> None:
        groups.change_members(self._store, group["organization_id"], group["id"], add, remove)

    def _connection(self) -> None:
        connection, organization = self._one(self._store.connections), self._one(self._store.organizations)
        if connection and self._full(self._store.connections):
            connections.delete(self._store, connection["id"])
        elif connection and connection["state"] == connections.ACTIVE:
            connections.switch(self._store, connection["id"], connections.INACTIVE)
        elif connection and self._random.random() < 0.5:  # noqa: PLR2004 - every other time
            connections.switch(self._store, connection["id"], connections.ACTIVE)
        elif organization:
            fresh = connections.create(self._store, organization["id"], self._random.choice(connections.TYPES))
            connections.switch(self._store, fresh["id"], connections.ACTIVE)

    def _directory(self) -> None:
        directory, organization = self._one(self._store.directories), self._one(self._store.organizations)
        if directory and self._full(self._store.directories):
            directories.delete(self._store, directory["id"])
        elif organization:
            directories.create(self._store, organization["id"], self._random.choice(directories.TYPES))

    def _directory_user(self) -> None:
        user, directory = self._one(self._store.directory_users), self._one(self._store.directories)
        pick = self._random.choice
        if user and self._full(self._store.directory_users):
            directory_users.delete(self._store, user["id"])
        elif user and self._random.random() < 0.5:  # noqa: PLR2004 - every other time
            change = pick(({"job_title": self._word()}, {"last_name": pick(names.LAST)}, {"state": pick(_STATES)}))
            directory_users.push(self._store, user["directory_id"], {"idp_id": user["idp_id"], **change})
        elif directory:
            first, last, number = pick(names.FIRST), pick(names.LAST), self._number()
            email = names.address(first, last, number, "directory.example")
            fields = {"idp_id": f"idp-{number}", "email": email, "first_name": first, "last_name": last}
            directory_users.push(self._store, directory["id"], fields)

    def _directory_group(self) -> None:
        group, directory = self._one(self._store.directory_groups), self._one(self._store.directories)
        if group and self._full(self._store.directory_groups):
            directory_groups.delete(self._store, group["id"])
        elif group and self._random.random() < 0.5:  # noqa: PLR2004 - every other time
            renamed = {"idp_id": group["idp_id"], "name": self._word()}
            directory_groups.push(self._store, group["directory_id"], renamed)
        elif directory:
            directory_groups.push(self._store, directory["id"], {"idp_id": f"g-{self._number()}", "name": self._word()})

    def _directory_member(self) -> None:
        group = self._one(self._store.directory_groups)
        if not group:
            return
        users = self._store.directory_users.of("directory_id", group["directory_id"])
        inside = self._store.directory_members.all("directory_group_id", group["id"])
        if inside and len(inside) > self._random.randrange(_CROWD):
            directory_groups.remove(self._store, group["id"], self._random.choice(inside)["directory_user_id"])
        elif users:
            directory_groups.add(self._store, group["id"], self._random.choice(users))

    def _key(self) -> None:
        key, membership = self._one(self._store.api_keys), self._one(self._store.memberships)
        if key and self._full(self._store.api_keys):
            api_keys.revoke(self._store, key["id"])
        elif key and self._random.random() < 0.3:  # noqa: PLR2004 - some are let expire
            api_keys.expire(self._store, key["id"], None)
        elif membership:
            fields = {"name": self._word(), "organization_id": membership["organization_id"]}
            owner = self._random.choice(({}, {"user_id": membership["user_id"]}))
            api_keys.create(self._store, fields | owner)

    def _flag(self) -> None:
        flag, organization = self._one(self._store.flags), self._one(self._store.organizations)
        choice = self._random.randrange(4)
        if not flag or (choice == 0 and not self._full(self._store.flags)):
            feature_flags.create(self._store, {"slug": f"{_MADE}{self._number()}", "name": self._word()})
        elif choice == 0:
            feature_flags.delete(self._store, flag["slug"])
        elif choice == 1 and organization:
            feature_flags.set_rule(self._store, flag["slug"], feature_flags.SOME, [organization["id"]])
        else:
            feature_flags.update(self._store, flag["slug"], {"enabled": not flag["enabled"]})
