"""The guards: which of two things said about an object is the truth."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.journal.entries import Entry, Lane, Verdict
from user_management.mirror import organizations
from user_management.mirror.engine.fold import fold
from user_management.mirror.engine.verbs import Row
from user_management.tests.support.histories import (
    MEMBERSHIPS,
    USERS,
    Copy,
    event,
    family_history,
    membership,
    moment,
    told,
    user,
    user_history,
)


def updated(tick: int, **fields: Any) -> Entry:
    """The feed says that the user changed."""
    return event("user.updated", user(tick=tick, **fields), tick=tick)


CREATED, DELETED = event("user.created", user()), event("user.deleted", user(), tick=9)
JOINED = event("organization_membership.created", membership())

GUARDS = [
    ("the newest wins", [CREATED, updated(2, first_name="new"), updated(1, first_name="old")], "new"),
    ("a tie goes to the later event", [CREATED, updated(1, first_name="a"), updated(1, first_name="b")], "b"),
    ("a listed object wins if newer", [CREATED, told(USERS, user(tick=1, first_name="new"))], "new"),
    (
        "a listed object loses a tie",
        [updated(1, first_name="event"), told(USERS, user(tick=1, first_name="l"))],
        "event",
    ),
    ("a reply loses a tie", [updated(1, first_name="e"), told(USERS, user(tick=1, first_name="r"), Lane.REPLY)], "e"),
    ("an event wins a tie against a list", [told(USERS, user(first_name="list")), updated(0, first_name="e")], "e"),
    ("a listed object is enough to begin with", [told(USERS, user(first_name="list"))], "list"),
]


@pytest.mark.parametrize(("entries", "name"), [guard[1:] for guard in GUARDS], ids=[guard[0] for guard in GUARDS])
def test_the_guards(entries: list[Entry], name: str) -> None:
    """Each sentence above is what happens, in one page and one by one."""
    assert Copy().apply(*entries).user().body["first_name"] == name
    copy = Copy()
    for entry in entries:
        copy.apply(entry)
    assert copy.user().body["first_name"] == name


@pytest.mark.parametrize("later", [CREATED, updated(20), told(USERS, user(tick=20)), DELETED])
def test_a_tombstone_is_final(later: Entry) -> None:
    """Nothing brings a deleted object back, and nothing moves the time of its end."""
    copy = Copy().apply(CREATED, DELETED)
    before = copy.user()
    copy.apply(later)
    assert copy.user() == before
    assert copy.verdicts[-1] is Verdict.FINAL


def test_deleted_before_created() -> None:
    """The end of an object that was never seen is remembered."""
    copy = Copy().apply(DELETED, CREATED)
    assert copy.user().deleted_at == DELETED.occurred_at


def test_a_tombstone_needs_no_more_than_an_id() -> None:
    """A deletion that carries nothing but the id still ends the object."""
    copy = Copy().apply(event("user.deleted", {"object": "user", "id": "user_1"}, tick=3), CREATED)
    assert copy.user().deleted_at is not None


def test_a_deletion_is_never_parked_for_an_odd_key() -> None:
    """An object that is gone is gone, and so are its children, whatever else its last words are."""
    copy = Copy().apply(CREATED, JOINED, event("user.deleted", user(tick=3) | {"email": 7}, tick=3))
    assert (copy.verdicts[-1], copy.user().deleted_at is None) == (Verdict.APPLIED, False)
    assert copy.membership().deleted_at is not None


def test_only_the_keys_an_entry_carries_are_written() -> None:
    """Events are leaner than listed objects; what they leave out stays."""
    lean = {key: value for key, value in user(tick=1).items() if key != "metadata"}
    copy = Copy().apply(told(USERS, user(metadata={"plan": "pro"})), event("user.updated", lean, tick=1))
    assert copy.user().body["metadata"] == {"plan": "pro"}


def test_what_only_rest_objects_carry_is_filled_in_on_a_tie() -> None:
    """An organization's event cannot tell whether it allows other profiles; the list can, at any time."""
    data = {"object": "organization", "id": "org_1", "name": "A", "created_at": moment(0), "updated_at": moment(0)}
    event_row = fold(organizations.resource, [event("organization.created", data)], {}, {}).rows
    listed = told(organizations.resource, {**data, "name": "B", "allow_profiles_outside_organization": True})
    row = fold(organizations.resource, [listed], event_row, {}).rows["org_1"]
    assert (row.body["name"], row.body["allow_profiles_outside_organization"]) == ("A", True)


@pytest.mark.parametrize(("tick", "known"), [(0, True), (1, None)])
def test_what_only_rest_objects_carry_is_void_once_it_is_older(tick: int, *, known: bool | None) -> None:
    """The event of what was listed leaves it as it is; that of a later change makes it unknown until it is told."""
    data = {"object": "organization", "id": "org_1", "name": "A", "created_at": moment(0), "updated_at": moment(0)}
    listed = told(organizations.resource, {**data, "allow_profiles_outside_organization": True})
    changed = event("organization.updated", {**data, "updated_at": moment(tick)}, tick=tick)
    row = fold(organizations.resource, [listed, changed], {}, {}).rows["org_1"]
    assert row.body.get("allow_profiles_outside_organization") is known


def signed_in(tick: int) -> Entry:
    """The feed says that the user signed in."""
    data = {"object": "session", "id": f"session_{tick}", "user_id": "user_1", "created_at": moment(tick)}
    return event("session.created", data, tick=tick)


def test_a_session_moves_the_last_sign_in_and_nothing_else() -> None:
    """`last_sign_in_at` follows the sessions, which do not touch `updated_at`."""
    row = Copy().apply(CREATED, signed_in(5)).user()
    assert (row.body["last_sign_in_at"], row.body["updated_at"]) == (moment(5), moment(0))


@pytest.mark.parametrize("later", [signed_in(3), updated(6, last_sign_in_at=moment(2)), told(USERS, user(tick=7))])
def test_the_last_sign_in_never_goes_back(later: Entry) -> None:
    """An older session, and an object that has not heard of the sign-in yet, leave it as it is."""
    assert Copy().apply(CREATED, signed_in(5), later).user().body["last_sign_in_at"] == moment(5)


def test_a_session_of_an_unknown_user_is_no_failure() -> None:
    """Who is not in the copy yet will bring the sign-in along when listed."""
    assert Copy().apply(signed_in(1)).verdicts == [Verdict.UNKNOWN]


ODD = [
    ("no data", event("user.updated", None)),
    ("no id", event("user.updated", {"email": "x"})),
    ("an id that is no text", event("user.updated", user() | {"id": ["user_1"]})),
    ("no updated_at", event("user.updated", {k: v for k, v in user().items() if k != "updated_at"})),
    ("a date that is none", event("user.updated", user() | {"updated_at": "yesterday"})),
    ("an e-mail that is no text", event("user.updated", user(tick=1) | {"email": 7})),
    ("no e-mail", event("user.updated", user(tick=1) | {"email": None})),
    ("a session without a date", event("session.created", {"id": "session_1", "user_id": "user_1"})),
]


@pytest.mark.parametrize("odd", [entry for _, entry in ODD], ids=[name for name, _ in ODD])
def test_what_cannot_be_applied_is_parked_and_stops_nothing(odd: Entry) -> None:
    """The entries before and behind an odd one are applied, and the row is as if it had not been."""
    copy = Copy().apply(CREATED, odd, updated(4, first_name="still here"))
    assert copy.verdicts == [Verdict.APPLIED, Verdict.PARKED, Verdict.APPLIED]
    assert copy.user().body["first_name"] == "still here"


@pytest.mark.parametrize("entries", [[JOINED, DELETED], [DELETED, JOINED], [CREATED, JOINED, DELETED, JOINED]])
def test_a_membership_ends_with_its_user(entries: list[Entry]) -> None:
    """Before, after and around: whoever belongs to a deleted user is deleted."""
    assert Copy().apply(*entries).membership().deleted_at == DELETED.occurred_at
    copy = Copy()
    for entry in entries:
        copy.apply(entry)
    assert copy.membership().deleted_at == DELETED.occurred_at


def test_a_membership_keeps_the_time_of_its_own_end() -> None:
    """A membership that had ended before its user did does not end again."""
    own = event("organization_membership.deleted", membership(), tick=1)
    assert Copy().apply(JOINED, own, DELETED).membership().deleted_at == own.occurred_at


def test_embedded_objects_are_not_kept() -> None:
    """The user inside a listed membership is joined when it is read, never stored."""
    listed = told(MEMBERSHIPS, membership(user=user(), organization_name="A"))
    assert {"user", "organization_name"}.isdisjoint(Copy().apply(listed).membership().body)


def said(row: Row) -> tuple[Any, ...]:
    """What a row says, whatever lane it came by: its end, or its body."""
    return (True,) if row.deleted_at else (False, row.updated_at, row.body)


@given(history=user_history(), data=st.data())
def test_any_interleaving_of_lanes_ends_in_the_state_of_the_events_alone(
    history: list[Entry], data: st.DataObject
) -> None:
    """Lists and replies show some state the source once had, at any moment, late or early; the events decide."""
    alone, mixed = Copy().apply(*history), Copy()
    states = [entry.data for entry in history if entry.type in {"user.created", "user.updated"}]
    others = [told(USERS, state, lane) for state in states for lane in (Lane.LIST, Lane.REPLY)]
    for entry in history:
        mixed.apply(*data.draw(st.lists(st.sampled_from(others), max_size=2)), entry)
    mixed.apply(*data.draw(st.lists(st.sampled_from(others), max_size=2)))
    assert said(mixed.user()) == said(alone.user())


@given(history=family_history(), data=st.data())
def test_pages_of_any_size_end_in_the_same_rows(history: list[Entry], data: st.DataObject) -> None:
    """How the feed is cut into pages changes nothing: not a byte, not a position."""
    whole, cut, rest = Copy().apply(*history), Copy(), list(history)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        cut.apply(*rest[:size])
        rest = rest[size:]
    assert cut.tables == whole.tables
