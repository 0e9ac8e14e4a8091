import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random
from time import monotonic
from typing import Any, Final

from user_management.sandbox import clock, errors, names, organization_memberships, organizations, seed, sessions, users
from user_management.sandbox.errands import Errands
from user_management.sandbox.roster import ACTIVE, INACTIVE
from user_management.sandbox.store import Store

_TICK: Final = 0.05
_HISTORY: Final = 3_600_000
_FEW: Final = 10


def debt(owed: float, rate: float, elapsed: float) -> float:
    """The events owed after some seconds more at a rate; what exceeds one second's worth is forgiven."""
    return min(owed + rate * elapsed, max(rate, 1.0))


class Activity:
    """What people do all day, at a steady rate of events per second, repeatable by seed."""

    def __init__(self, store: Store, *, seed: int, rate: float = 0.0) -> None:
        self.rate = rate
        self._store = store
        self._random = Random(seed)  # noqa: S311 - test data by seed, no secrets
        self._crowds = [2 * len(table) + _FEW for table in (store.users, store.memberships, store.organizations)]
        self._steps: dict[Callable[[], object], int] = {
            self._change_user: 30,
            self._sign_in: 30,
            self._join: 12,
            self._change_role: 8,
            self._come_or_go: 10,
            self._change_organization: 4,
            self._leave: 4,
            self._toggle_membership: 4,
            self._sign_out: 3,
            self._open_or_close: 2,
            **Errands(store, self._random).steps,
        }

    def burst(self, count: int) -> int:
        """Do things at once until at least `count` events happened; the number that did."""
        before = len(self._store.feed)
        while len(self._store.feed) - before < count:
            self._step()
        return len(self._store.feed) - before

    def replay(self, count: int) -> None:
        """Let at least `count` events have happened during the last hour or since the seeding, spread evenly."""
        feed, now, time = self._store.feed, self._store.now(), self._store.time
        span = min(_HISTORY, now - seed.end_of(self._store))
        while len(feed) < count:
            self._store.time = partial(clock.at, now - span + span * len(feed) // count)
            self._step()
        self._store.time = time

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep going while the block lasts."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        """Pay every tick what is owed."""
        owed, last = 0.0, monotonic()
        while True:
            await asyncio.sleep(_TICK)
            now = monotonic()
            owed, last = debt(owed, self.rate, now - last), now
            if owed >= 1:
                owed -= self.burst(int(owed))

    def _step(self) -> None:
        """One thing somebody does; what is refused, such as joining twice, is simply not done."""
        (step,) = self._random.choices(list(self._steps), list(self._steps.values()))
        with suppress(errors.ApiError):
            step()

    def _user(self) -> str:
        if not self._store.users.ids:
            return self._add_user()
        return self._random.choice(self._store.users.ids)

    def _organization(self) -> str:
        if not self._store.organizations.ids:
            return self._add_organization()
        return self._random.choice(self._store.organizations.ids)

    def _membership(self) -> str | None:
        memberships = self._store.memberships.ids
        return self._random.choice(memberships) if memberships else None

    def _address(self, first: str, last: str) -> str:
        host = self._random.choice(names.MAILBOXES)
        return seed.free_address(self._store, self._random, first, last, host)

    def _add_user(self) -> str:
        first, last = self._random.choice(names.FIRST), self._random.choice(names.LAST)
        email = self._address(first, last)
        fields = {"email": email, "first_name": first, "last_name": last, "name": f"{first} {last}"}
        user_id: str = users.create(self._store, fields)["id"]
        return user_id

    def _change_user(self) -> None:
        pick = self._random.choice
        changes: list[dict[str, Any]] = [
            {"first_name": pick(names.FIRST)},
            {"last_name": pick(names.LAST)},
            {"metadata": {"department": pick(names.DEPARTMENTS), "timezone": pick(names.ZONES)}},
            {"metadata": {"department": None, "visits": str(self._random.randrange(1_000))}},
            {"email_verified": True},
            {"locale": pick(names.LOCALES)},
            {"email": self._address(pick(names.FIRST), pick(names.LAST))},
        ]
        users.update(self._store, self._user(), pick(changes))

    def _come_or_go(self) -> None:
        """Arrivals and departures balance around the number of users there were at first."""
        if len(self._store.users) > self._random.randrange(self._crowds[0]):
            users.delete(self._store, self._user())
        else:
            self._add_user()

    def _sign_in(self) -> None:
        sessions.sign_in(self._store, self._user(), ip_address="192.0.2.1", user_agent="Sandbox/1.0")

    def _sign_out(self) -> None:
        if self._store.sessions.ids:
            sessions.revoke(self._store, self._random.choice(self._store.sessions.ids))

    def _join(self) -> None:
        fields = {"user_id": self._user(), "organization_id": self._organization()}
        organization_memberships.create(self._store, fields)

    def _change_role(self) -> None:
        if membership_id := self._membership():
            slug = self._random.choice(list(self._store.roles))
            organization_memberships.update(self._store, membership_id, {"role_slug": slug})

    def _toggle_membership(self) -> None:
        membership = self._store.memberships.read(self._membership() or "")
        if membership and membership["status"] == ACTIVE:
            organization_memberships.deactivate(self._store, membership["id"])
        elif membership and membership["status"] == INACTIVE:
            organization_memberships.reactivate(self._store, membership["id"])

    def _leave(self) -> None:
        membership_id = self._membership()
        if membership_id and len(self._store.memberships) > self._random.randrange(self._crowds[1]):
            organization_memberships.delete(self._store, membership_id)

    def _add_organization(self) -> str:
        name, _ = names.company(self._random)
        organization_id: str = organizations.create(self._store, {"name": name})["id"]
        return organization_id

    def _change_organization(self) -> None:
        name, stem = names.company(self._random)
        host = f"{stem}{self._random.randrange(10_000)}.example"
        changes: list[dict[str, Any]] = [
            {"name": name},
            {"metadata": {"tier": self._random.choice(("bronze", "silver", "gold"))}},
            {"domain_data": [{"domain": host, "state": "verified"}]},
        ]
        organizations.update(self._store, self._organization(), self._random.choice(changes))

    def _open_or_close(self) -> None:
        """An organization begins, or one with few members ends, around as many as there were at first."""
        organization_id = self._organization()
        if len(self._store.organizations) <= self._random.randrange(self._crowds[2]):
            self._add_organization()
        elif len(self._store.roster.members(organization_id)) < _FEW:
            organizations.delete(self._store, organization_id)
