from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

import orjson
from starlette.requests import Request

from user_management.sandbox import clock
from user_management.sandbox.config import Config
from user_management.sandbox.continuations import Pending, Rules
from user_management.sandbox.feed import Feed
from user_management.sandbox.identifiers import Identifiers
from user_management.sandbox.one_time_codes import Codes
from user_management.sandbox.roster import Roster

CONTEXT: Final[dict[str, Any]] = {"actor": {"id": "sandbox", "source": "api", "name": None}}
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


class Shelved(Table):
    """A table whose objects are also found by the values of some of their fields, such as whom they belong to."""

    def __init__(self, kind: str, *fields: str) -> None:
        super().__init__(kind)
        self.fields = fields
        self.shelves: dict[tuple[str, str], list[str]] = {}

    def of(self, field: str, value: str) -> Sequence[str]:
        """The ids of the objects with this value, ascending."""
        return self.shelves.get((field, value), ())

    def all(self, field: str, value: str) -> list[dict[str, Any]]:
        """The objects with this value, parsed."""
        return [orjson.loads(self.blobs[key]) for key in self.of(field, value)]

    def write(self, value: dict[str, Any]) -> bytes:
        """Put an object in, new or changed, on the shelves where it belongs now."""
        self._unshelve(value["id"])
        for shelf in self._shelves(value):
            insort(self.shelves.setdefault(shelf, []), value["id"])
        return super().write(value)

    def remove(self, key: str) -> None:
        """Forget an object."""
        self._unshelve(key)
        super().remove(key)

    def _unshelve(self, key: str) -> None:
        for shelf in self._shelves(self.read(key) or {}):
            ids = self.shelves[shelf]
            del ids[bisect_left(ids, key)]
            if not ids:
                del self.shelves[shelf]

    def _shelves(self, value: dict[str, Any]) -> Iterator[tuple[str, str]]:
        return ((field, value[field]) for field in self.fields if value.get(field) is not None)


def compact(value: dict[str, Any]) -> bytes:
    """JSON in no more memory than it needs: orjson leaves some 4 kB of room behind what it returns."""
    return bytes(memoryview(orjson.dumps(value)))


class Refresh(NamedTuple):
    """What a session may be refreshed with next, and the organization its tokens are for."""

    secret: str
    organization_id: str | None


class SigningKey(NamedTuple):
    """A private RSA key as PEM, its certificate as DER, and the name that tokens call it by."""

    kid: str
    private: bytes
    certificate: bytes


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
    rules: Rules = field(default_factory=Rules)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    pending: dict[str, Pending] = field(default_factory=dict)
    codes: Codes = field(default_factory=Codes)
    signing_keys: list[SigningKey] = field(default_factory=list)
    sessions_of: dict[str, list[str]] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    feed: Feed = field(default_factory=Feed)
    organization_domains: Shelved = field(default_factory=lambda: Shelved("organization_domain", "organization_id"))
    invitations: Shelved = field(default_factory=lambda: Shelved("invitation", "organization_id", "email", "token"))
    organization_roles: Shelved = field(default_factory=lambda: Shelved("organization_role", "organization_id"))
    permissions: Shelved = field(default_factory=lambda: Shelved("permission", "slug"))
    groups: Shelved = field(default_factory=lambda: Shelved("group", "organization_id"))
    group_members: Shelved = field(
        default_factory=lambda: Shelved("group_membership", "group_id", "organization_membership_id")
    )
    connections: Shelved = field(default_factory=lambda: Shelved("connection", "organization_id"))
    directories: Shelved = field(default_factory=lambda: Shelved("directory", "organization_id"))
    directory_users: Shelved = field(default_factory=lambda: Shelved("directory_user", "directory_id"))
    directory_groups: Shelved = field(default_factory=lambda: Shelved("directory_group", "directory_id"))
    directory_members: Shelved = field(
        default_factory=lambda: Shelved(
            "directory_group_membership", "directory_id", "directory_group_id", "directory_user_id"
        )
    )
    api_keys: Shelved = field(default_factory=lambda: Shelved("api_key", "organization_id", "user_id"))
    flags: Shelved = field(default_factory=lambda: Shelved("feature_flag", "slug"))
    flag_rules: dict[str, dict[str, Any]] = field(default_factory=dict)
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
        *,
        context: dict[str, Any] = CONTEXT,
    ) -> None:
        """Append an event about an object, given as its JSON in the lean shape of events."""
        event_id = self.new_id("event", moment)
        context = context if previous is None else context | {"previous_attributes": previous}
        head = f'{{"object":"event","id":"{event_id}","event":"{kind}","data":'.encode()
        tail = f',"created_at":"{clock.stamp(moment)}","context":'.encode()
        self.feed.append(
            event_id, kind, b"".join((head, blob, tail, orjson.dumps(context), b"}")), moment, organization_id
        )


def store_of(request: Request) -> Store:
    """The state behind a request."""
    return cast("Store", request.app.state.store)
