from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import Final

from user_management.sandbox.event_types import KNOWN

ODD: Final = "*"
"""The type under which an event of no known type is filed: every filter sees it, so that clients meet it."""


class Feed:
    """Every event in the one order it happened; positions count from zero and never change."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.blobs: list[bytes] = []
        self.types: list[str] = []
        self._moments = array("q")
        self._positions: dict[str, int] = {}
        self._by_type: dict[str, array[int]] = defaultdict(_positions)
        self._by_organization: dict[str, array[int]] = defaultdict(_positions)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._positions

    def append(self, event_id: str, kind: str, blob: bytes, moment: int, organization_id: str | None = None) -> None:
        """File one event behind all others, at its moment or at the last one's if that is later."""
        kind = kind if kind in KNOWN else ODD
        position = len(self.ids)
        self.ids.append(event_id)
        self.blobs.append(blob)
        self.types.append(kind)
        self._moments.append(max(moment, self._moments[-1]) if position else moment)
        self._positions[event_id] = position
        self._by_type[kind].append(position)
        if organization_id is not None:
            self._by_organization[organization_id].append(position)

    def position(self, event_id: str) -> int | None:
        """Where an event stands, or None if it never happened."""
        return self._positions.get(event_id)

    def since(self, moment: int) -> int:
        """The position of the first event later than a moment."""
        return bisect_right(self._moments, moment)

    def until(self, moment: int) -> int:
        """The position behind the last event earlier than a moment."""
        return bisect_left(self._moments, moment)

    def select(
        self, kinds: frozenset[str], start: int, stop: int, limit: int, organization_id: str | None
    ) -> list[int]:
        """At most `limit` positions in [start, stop) of the wanted kinds; costs the same wherever it starts."""
        kinds |= {ODD}
        if organization_id is not None:
            return self._of_organization(kinds, start, stop, limit, organization_id)
        if kinds.issuperset(self._by_type):
            return list(range(start, max(start, min(stop, start + limit))))
        runs = (_run(self._by_type[kind], start, stop, limit) for kind in kinds if kind in self._by_type)
        return sorted(chain.from_iterable(runs))[:limit]

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
