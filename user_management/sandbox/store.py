from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson
from starlette.requests import Request

from user_management.sandbox import clock
from user_management.sandbox.config import Config
from user_management.sandbox.feed import Feed
from user_management.sandbox.identifiers import Identifiers
from user_management.sandbox.roster import Roster

_CONTEXT: Final = {"actor": {"id": "sandbox", "source": "api", "name": None}}
_REMEMBERED_WRITES: Final = 200_000


class Table:
    """The live objects of one kind as JSON, in the ascending order of their time-ordered ids."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.ids: list[str] = []
        self.blobs: dict[str, bytes] = {}
        self.external_ids: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, key: str) -> dict[str, Any] | None:
        """The object of an id, parsed, or None."""
        blob = self.blobs.get(key)
        return None if blob is None else cast("dict[str, Any]", orjson.loads(blob))

    def write(self, value: dict[str, Any]) -> bytes:
        """Put an object in, new or changed, and return its JSON."""
        key = value["id"]
        if key not in self.blobs:
            insort(self.ids, key)
        blob = self.blobs[key] = compact(value)
        return blob

    def name(self, value: dict[str, Any], former: dict[str, Any] | None = None) -> None:
        """Keep the index of external ids in step with an object and what it was before."""
        if former is not None:
            self.external_ids.pop(former["external_id"], None)
        if value["external_id"] is not None:
            self.external_ids[value["external_id"]] = value["id"]

    def remove(self, key: str) -> None:
        """Forget an object."""
        del self.blobs[key]
        del self.ids[bisect_left(self.ids, key)]


def compact(value: dict[str, Any]) -> bytes:
    """JSON in no more memory than it needs: orjson leaves some 4 kB of room behind what it returns."""
    return bytes(memoryview(orjson.dumps(value)))


@dataclass(slots=True)
class Store:
    """Everything one sandbox knows; one thread owns it, so a request that does not wait is atomic."""

    config: Config
    time: clock.Clock
    identifiers: Identifiers
    hold_back: float
    unknown_cursor: str = "refuse"
    users: Table = field(default_factory=lambda: Table("user"))
    organizations: Table = field(default_factory=lambda: Table("organization"))
    memberships: Table = field(default_factory=lambda: Table("organization_membership"))
    sessions: Table = field(default_factory=lambda: Table("session"))
    roles: dict[str, bytes] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    seeded_until: str = ""
    sessions_of: dict[str, list[str]] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    feed: Feed = field(default_factory=Feed)
    writes: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_WRITES))

    def now(self) -> int:
        """The current moment in milliseconds."""
        return clock.milliseconds(self.time())

    def new_id(self, prefix: str, moment: int) -> str:
        """A fresh id of a prefix."""
        return self.identifiers.new(prefix, moment)

    def emit(
        self,
        kind: str,
        blob: bytes,
        moment: int,
        organization_id: str | None = None,
        previous: dict[str, Any] | None = None,
    ) -> None:
        """Append an event about an object, given as its JSON in the lean shape of events."""
        event_id = self.new_id("event", moment)
        context = _CONTEXT if previous is None else _CONTEXT | {"previous_attributes": previous}
        head = f'{{"object":"event","id":"{event_id}","event":"{kind}","data":'.encode()
        tail = f',"created_at":"{clock.stamp(moment)}","context":'.encode()
        self.feed.append(
            event_id, kind, b"".join((head, blob, tail, orjson.dumps(context), b"}")), moment, organization_id
        )


def store_of(request: Request) -> Store:
    """The state behind a request."""
    return cast("Store", request.app.state.store)
