"""Secrets: none is stored, at whatever depth it came, and nothing else is touched."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.db import jsontext
from user_management.journal import redaction
from user_management.journal.redaction import DEEPEST, REDACTED, SECRET_KEYS, TOO_DEEP, redact

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*sorted(SECRET_KEYS), "code", "object", "metadata", "id"]), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
@pytest.mark.parametrize("value", ["s3cret", "", 7, False, ["s3cret"], {"value": "s3cret"}])
def test_every_secret_is_replaced(key: str, value: Any) -> None:
    """Whatever a secret is made of, its place says that there was one."""
    assert redact({"id": "x", key: value}) == {"id": "x", key: REDACTED}


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"data": x}, lambda x: {"data": [[{"a": x}]]}])
def test_a_secret_is_found_at_any_depth(wrap: Any) -> None:
    """A secret in an object in a list in an event is one too."""
    secret = {"object": "invitation", "token": "s3cret", "accept_invitation_url": "https://s3cret"}
    hidden = {"object": "invitation", "token": REDACTED, "accept_invitation_url": REDACTED}
    assert redact(wrap(secret)) == wrap(hidden)


def test_an_absent_secret_stays_null() -> None:
    """That there is no token is no secret."""
    assert redact({"token": None, "password": None}) == {"token": None, "password": None}


@pytest.mark.parametrize("kind", ["magic_auth", "email_verification"])
def test_a_code_that_signs_in_is_a_secret(kind: str) -> None:
    """The code of these two objects is what was mailed to somebody."""
    assert redact({"object": kind, "code": "123456"}) == {"object": kind, "code": REDACTED}
    assert redact({"object": kind, "code": None}) == {"object": kind, "code": None}


@pytest.mark.parametrize("owner", [{}, {"object": "user"}, {"object": None}, {"object": ["magic_auth"][0] + "s"}])
def test_any_other_code_is_none(owner: dict[str, Any]) -> None:
    """Elsewhere a code is the name of an error, or of a country."""
    assert redact({**owner, "code": "sso_failed"}) == {**owner, "code": "sso_failed"}


@pytest.mark.parametrize("kind", [[], {}, ["magic_auth"], 7, True])
def test_an_object_of_no_kind(kind: Any) -> None:
    """What is no name of a kind is compared with none, and raises nothing."""
    assert redact({"object": kind, "code": "x"}) == {"object": kind, "code": "x"}


@pytest.mark.parametrize("key", ["metadata", "custom_attributes", "raw_attributes"])
def test_what_is_the_customers_is_untouched(key: str) -> None:
    """What customers call a token in their own data is theirs, at any depth; beside it nothing changes."""
    owned = {"token": "blue", "deep": [{"password": "of the wifi", "object": "magic_auth", "code": "x"}]}
    assert redact({key: owned, "token": "s3cret"}) == {key: owned, "token": REDACTED}


@pytest.mark.parametrize("value", [None, 7, 1.5, True, "token", [], {}])
def test_what_is_no_object_is_as_it_was(value: Any) -> None:
    """A value alone has no name, and so is no secret."""
    assert redact(value) == value


@pytest.mark.parametrize("depth", [DEEPEST + 1, 500, 900])
@pytest.mark.parametrize("key", ["data", "metadata"])
def test_what_is_nested_too_deeply_is_cut_off(key: str, depth: int) -> None:
    """An abyss does not stop the feed: what is above it is kept, and its place says what happened."""
    found = redact({"id": "event_1", key: json.loads("[" * depth + "]" * depth)})
    assert found["id"] == "event_1"
    text = json.dumps(found[key])
    assert TOO_DEEP in text
    assert text.count("[[") < DEEPEST


def test_what_is_nested_deeply_enough_is_kept() -> None:
    """The limit is far beyond anything WorkOS sends."""
    value = json.loads('{"a":' * DEEPEST + "1" + "}" * DEEPEST)
    assert redact(value) == value


@given(JSON)
def test_the_short_cut_overlooks_nothing(value: Any) -> None:
    """Looking at the text first comes to what looking at every key does."""
    wanted = redact(value)
    assert redaction.clean(value) == (wanted, jsontext.dumps(wanted))


@pytest.mark.parametrize("depth", [DEEPEST - 1, DEEPEST, DEEPEST + 1, 300, 900])
@pytest.mark.parametrize("form", ["[]", '{"a":[]}', '{"metadata":[]}'])
def test_the_short_cut_falls_into_no_abyss(form: str, depth: int) -> None:
    """What is nested too deeply to be written is cut off before it is."""
    head, tail = form.split("[]")
    value = json.loads(head + "[" * depth + "]" * depth + tail)
    wanted = redact(value)
    assert redaction.clean(value) == (wanted, jsontext.dumps(wanted))


@given(JSON)
def test_redacting_again_changes_nothing(value: Any) -> None:
    """The result holds no secret any more, keeps every key in its order, and what was given is as it was."""
    before = copy.deepcopy(value)
    once = redact(value)
    assert redact(once) == once
    assert value == before
    assert shape(once) == shape(value) or "[redacted]" in json.dumps(once)


def shape(value: Any) -> Any:
    """The keys of a value, in order, without what stands under them."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    return [shape(item) for item in value] if isinstance(value, list) else None


def test_nothing_shared_is_changed() -> None:
    """What the caller holds is still what WorkOS sent: a reply's token is for the client that asked."""
    reply = {"object": "invitation", "token": "s3cret", "inviter": {"password": "x"}, "metadata": {"a": ["b"]}}
    before = copy.deepcopy(reply)
    stored = redaction.redact(reply)
    stored["metadata"]["a"].append("c")
    assert reply == before
