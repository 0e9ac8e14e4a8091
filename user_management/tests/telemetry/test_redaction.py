"""What no line shows: secrets in any form and place, and e-mail addresses unless they were asked for."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from user_management.journal.redaction import SECRET_KEYS
from user_management.telemetry.redaction import DEEPEST, REDACTED, TOO_DEEP, redact, text

SECRETS = {
    "sk_live_hunter2": "{}",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2ln-bmF0_dXJl": "{}",
    "hunter2": "password={}",
    "hunter2&": "postgresql://ada:{}@db:5432/app",
    "hun/ter:2#@": "postgresql://ada@azure:{}@db/app?sslmode=require",
    "hunter2.x=": "Authorization: Bearer {}",
    "aHVudGVyMg==": "authorization: basic {}",
    "hunter 2": "'client_secret': '{}'",
    'hunt"er2'.replace('"', '\\"'): '"refresh_token": "{}"',
    "hunter2 ": '\\"X-Api-Key\\": \\"{}\\"',
    "hunter2;": "token = '{}",
}
"""Secrets, and the words they come in."""

EMAILS = [
    "ada@example.com",
    "o'brien+tag@mail.example.co.uk",
    "ada%40example.com",
    "Ключ@пример.рф",
    '"a,b"@example.com',
]
AROUND = st.text(alphabet=" \t\n'\"`()[]{}<>,;:=&?!|/\\…", max_size=8)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("abc .:/-", max_size=9)


def wrapped(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values that hold exactly one such leaf, among others, at any depth."""
    beside = st.dictionaries(st.sampled_from(["id", "event", "n"]), PLAIN, max_size=2)
    return st.recursive(
        leaf,
        lambda inner: (
            st.tuples(beside, inner).map(lambda both: {**both[0], "of": both[1]})
            | st.tuples(PLAIN, inner).map(list)
            | st.tuples(inner, PLAIN)
        ),
        max_leaves=6,
    )


@pytest.mark.parametrize(("secret", "words"), SECRETS.items(), ids=range(len(SECRETS)))
@pytest.mark.parametrize("personal_data", [True, False])
def test_a_secret_in_a_text_is_hidden(secret: str, words: str, personal_data: bool) -> None:
    """By its looks, by its name, or by its place in a URL; also where people may be shown."""
    found = text(f"WorkOS said: {words.format(secret)}, and more", personal_data=personal_data)
    assert secret not in found
    assert "unter" not in found
    assert REDACTED in found
    assert found.startswith("WorkOS said: ")
    assert found.endswith("and more")
    assert text(found, personal_data=personal_data) == found


@pytest.mark.parametrize("email", EMAILS)
def test_an_address_is_hidden_unless_people_may_be_shown(email: str) -> None:
    """The setting decides about people, and about people only."""
    words = f"GET /api/users?email={email}&token=hunter2"
    assert text(words) == f"GET /api/users?email={REDACTED}&token={REDACTED}"
    assert text(words, personal_data=True) == f"GET /api/users?email={email}&token={REDACTED}"


@settings(deadline=None)
@given(AROUND, st.sampled_from(EMAILS), AROUND, st.data())
def test_an_address_is_found_anywhere(before: str, email: str, after: str, data: st.DataObject) -> None:
    """Between whatever signs, at whatever depth, as a value and as a key."""
    value = data.draw(wrapped(st.sampled_from([f"{before}{email}{after}", {f"{before}{email}{after}": 1}])))
    assert email not in json.dumps(redact(value), ensure_ascii=False)


@settings(deadline=None)
@given(AROUND, st.sampled_from(["sk_live_hunter2", "eyJhbGci.aHVudGVy.c2ln"]), AROUND, st.data())
def test_a_key_is_found_anywhere(before: str, key: str, after: str, data: st.DataObject) -> None:
    """Between whatever signs and at whatever depth."""
    value = data.draw(wrapped(st.just(f"{before}{key}{after}")))
    assert key not in json.dumps(redact(value, personal_data=True))


@pytest.mark.parametrize("name", [*sorted(SECRET_KEYS), "X-Api-Key", "Cookie", "WORKOS_API_KEY", "userPassword"])
@pytest.mark.parametrize("value", ["hunter2", 7, ["hunter2"], {"value": "hunter2"}, b"hunter2"])
def test_what_is_called_a_secret_is_hidden(name: str, value: Any) -> None:
    """Whatever the journal does not store, and what else is called like a secret, whatever it is made of."""
    assert redact({"a": [{name: value}]}, personal_data=True) == {"a": [{name: REDACTED}]}


def test_an_absent_secret_is_none() -> None:
    """That there is no token, or that there is one, is no secret."""
    absent = {"token": None, "password": False, "secret": True}
    assert redact(absent) == absent
    assert text("token=None, 'password': null") == "token=None, 'password': null"


@pytest.mark.parametrize(
    "words",
    [
        "work.waiting", 'password authentication failed for user "ada"', "http://127.0.0.1:4100/users?limit=2",
        "WorkOS refuses our API key (401: Unauthorized)", "postgresql://db:5432/app", "ask_me@home", "12:30@noon",
        "USER_MANAGEMENT_WORKOS_API_KEY is not set", "event_01H…", "Task risk_1 of host/12/ab3", "a token bucket", "",
    ],
)  # fmt: skip
def test_other_words_are_left_alone(words: str) -> None:
    """An operator can read what happened."""
    assert text(words) == words


@settings(deadline=None)
@given(wrapped(PLAIN))
def test_what_holds_nothing_is_as_it_was(value: Any) -> None:
    """Numbers, words, and how they are nested; tuples become lists, as they do in JSON."""
    assert redact(value) == json.loads(json.dumps(value))


def test_anything_else_is_told_in_words() -> None:
    """An exception is shown as Python shows it, and a time as everybody writes it."""
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    found = redact({"error": ValueError("of ada@example.com"), "at": at, "ids": {"a"}})
    assert found == {"error": f"ValueError('of {REDACTED}')", "at": "2026-05-01T12:00:00+00:00", "ids": ["a"]}


def test_an_abyss_is_cut_off() -> None:
    """A value that holds itself makes a line all the same."""
    value: list[Any] = ["ada@example.com"]
    value.append(value)
    told = json.dumps(redact(value))
    assert (told.count(REDACTED), told.count(TOO_DEEP)) == (DEEPEST, 1)


@pytest.mark.parametrize(
    "part", ["a", "a'", "a%40", "token", "token='", "://a:b", "eyJ-", "x@y", "\\", '"a', "bearer "]
)
def test_no_text_takes_long(part: str) -> None:
    """However somebody fills a request, it is looked through to its end, and this test ends too."""
    assert len(text(part * (20_000 // len(part)))) > 1
