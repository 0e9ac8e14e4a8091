from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any, Final

from user_management.sandbox.event_types import KNOWN

ODD: Final = "*"
"""The type under which an event of no known type is filed: every filter sees it, so that clients meet it."""

Created = tuple[int | None, int | None]
"""The moments after and before which events happened; None where there is no such bound."""
EVER: Final[Created] = (None, None)


class Feed:
    """Every event in one order, which need not be that of the times they bear; positions count from zero and stay."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.blobs: list[bytes] = []
        self.types: list[str] = []
        self._created = array("q")
        self._moments = array("q")
        self._in_order = True
        self._positions: dict[str, int] = {}
        self._by_type: dict[str, array[int]] = defaultdict(_positions)
        self._by_organization: dict[str, array[int]] = defaultdict(_positions)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was remembered, also by a sandbox that knew no other order than that of times."""
        self.__dict__ |= {"_created": state["_moments"][:], "_in_order": True} | state

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._positions

    def append(self, event_id: str, kind: str, blob: bytes, moment: int, organization_id: str | None = None) -> None:
        """File one event behind all others, shown from its moment on, or from the last one's if that is later."""
        kind = kind if kind in KNOWN else ODD
        position = len(self.ids)
        self.ids.append(event_id)
        self.blobs.append(blob)
        self.types.append(kind)
        self._in_order = self._in_order and not (position and moment < self._moments[-1])
        self._created.append(moment)
        self._moments.append(max(moment, self._moments[-1]) if position else moment)
        self._positions[event_id] = position
        self._by_type[kind].append(position)
        if organization_id is not None:
            self._by_organization[organization_id].append(position)

    def position(self, event_id: str) -> int | None:
        """Where an event stands, or None if it never happened."""
        return self._positions.get(event_id)

    def since(self, moment: int) -> int:
        """The position of the first event later than a moment; some behind it may be earlier."""
        return bisect_right(self._moments, moment)

    def until(self, moment: int) -> int:
        """The position of the first event that is shown at a moment or later."""
        return bisect_left(self._moments, moment)

    def before(self, moment: int) -> int:
        """A position behind which no event is earlier than a moment."""
        return self.until(moment) if self._in_order else len(self)

    def select(
        self,
        kinds: frozenset[str],
        start: int,
        stop: int,
        limit: int,
        organization_id: str | None,
        *,
        created: Created = EVER,
    ) -> list[int]:
        """At most `limit` positions in [start, stop) of the wanted kinds; costs the same wherever it starts.

        `created` takes out those that bear other times, which only a feed out of order has there.
        """
        kinds |= {ODD}
        if created != EVER and not self._in_order:
            every = self.select(kinds, start, stop, stop, organization_id)
            return list(islice((position for position in every if self._bears(position, created)), limit))
        if organization_id is not None:
            return self._of_organization(kinds, start, stop, limit, organization_id)
        if kinds.issuperset(self._by_type):
            return list(range(start, max(start, min(stop, start + limit))))
        runs = (_run(self._by_type[kind], start, stop, limit) for kind in kinds if kind in self._by_type)
        return sorted(chain.from_iterable(runs))[:limit]

    def _bears(self, position: int, created: Created) -> bool:
        low, high = created
        moment = self._created[position]
        return (low is None or moment > low) and (high is None or moment < high)

    def _of_organization(
        self, kinds: frozenset[str], start: int, stop: int, limit: int, organization_id: str
    ) -> list[int]:
        positions = self._by_organization.get(organization_id, _positions())
        within = positions[bisect_left(positions, start) : bisect_left(positions, stop)]
        return [position for position in within if self.types[position] in kinds][:limit]


def _positions() -> "array[int]":
    return array("q")


def _run(positions: "array[int]", start: int, stop: int, limit: int) -> Iterable[int]:
    low = bisect_left(positions, start)
    return positions[low : min(low + limit, bisect_left(positions, stop))]
