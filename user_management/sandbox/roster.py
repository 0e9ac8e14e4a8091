from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import merge
from typing import Final

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
PENDING: Final = "pending"
STATUSES: Final = frozenset({ACTIVE, INACTIVE, PENDING})


class Roster:
    """Who is in which organization: ids of memberships by user, by organization and status, all ascending."""

    def __init__(self) -> None:
        self._of_user: dict[str, tuple[str, ...]] = {}
        self._of_organization: dict[str, list[str]] = {}
        self._with_status: dict[tuple[str, str], list[str]] = {}
        self._members: dict[str, list[str]] = {}

    def of_user(self, user_id: str) -> tuple[str, ...]:
        """The memberships of a user, whatever their status."""
        return self._of_user.get(user_id, ())

    def of_organization(self, organization_id: str, statuses: frozenset[str] = STATUSES) -> Sequence[str]:
        """The memberships of an organization in any of the statuses; merged only when two statuses are asked for."""
        if statuses == STATUSES:
            return self._of_organization.get(organization_id, [])
        shelves = [self._with_status.get((organization_id, status), []) for status in statuses]
        return shelves[0] if len(shelves) == 1 else list(merge(*shelves))

    def members(self, organization_id: str) -> Sequence[str]:
        """The users with a membership in an organization, whatever its status."""
        return self._members.get(organization_id, [])

    def add(self, membership_id: str, user_id: str, organization_id: str, status: str) -> None:
        """File a new membership."""
        insort(self._shelf(organization_id, status), membership_id)
        insort(self._of_organization.setdefault(organization_id, []), membership_id)
        insort(self._members.setdefault(organization_id, []), user_id)
        self._of_user[user_id] = (*self.of_user(user_id), membership_id)

    def move(self, membership_id: str, organization_id: str, former: str, status: str) -> None:
        """File a membership under its new status."""
        _drop(self._shelf(organization_id, former), membership_id)
        insort(self._shelf(organization_id, status), membership_id)

    def remove(self, membership_id: str, user_id: str, organization_id: str, status: str) -> None:
        """Forget a membership."""
        _drop(self._shelf(organization_id, status), membership_id)
        _drop(self._of_organization[organization_id], membership_id)
        _drop(self._members[organization_id], user_id)
        rest = tuple(key for key in self.of_user(user_id) if key != membership_id)
        if rest:
            self._of_user[user_id] = rest
        else:
            self._of_user.pop(user_id)

    def _shelf(self, organization_id: str, status: str) -> list[str]:
        return self._with_status.setdefault((organization_id, status), [])


def _drop(ids: list[str], key: str) -> None:
    del ids[bisect_left(ids, key)]
