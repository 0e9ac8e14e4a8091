"""Sealed answers: whoever has only the database learns nothing, whoever repeats a request is told all."""

from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag

from user_management.journal.writes import Reply, Request
from user_management.web import sealing

ASKED = Request("a-key", "POST /api/auth/login", "d1gest")
ANSWER = Reply(200, {"Content-Type": "application/json"}, '{"access_token":"t0k\u00e9n"}')
SECRET = b"sk_live_1"


def test_what_was_sealed_is_opened_to_the_byte() -> None:
    """Status, headers and body are what they were."""
    kept = sealing.sealed(SECRET, ASKED, ANSWER)
    assert sealing.opened(SECRET, ASKED, kept) == ANSWER
    assert "t0k" not in repr(kept)


def test_what_was_not_sealed_stays_as_it_is() -> None:
    """Most answers tell no secret."""
    assert sealing.opened(SECRET, ASKED, ANSWER) == ANSWER


def test_the_same_answer_never_looks_the_same() -> None:
    """Nobody sees that two were told the same."""
    assert sealing.sealed(SECRET, ASKED, ANSWER) != sealing.sealed(SECRET, ASKED, ANSWER)


@pytest.mark.parametrize("what", ["key", "request", "digest"])
def test_it_opens_in_its_own_place_only(what: str) -> None:
    """A row that somebody moved under another key, or to another request, tells nothing."""
    kept = sealing.sealed(SECRET, ASKED, ANSWER)
    with pytest.raises(InvalidTag):
        sealing.opened(SECRET, replace(ASKED, **{what: "another"}), kept)


def test_another_secret_opens_nothing() -> None:
    """The secret is in no database."""
    kept = sealing.sealed(SECRET, ASKED, ANSWER)
    with pytest.raises(InvalidTag):
        sealing.opened(b"sk_live_2", ASKED, kept)
