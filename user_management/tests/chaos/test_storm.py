"""Storms in the suite: one on real processes, and proofs that the judge of storms would notice."""

from dataclasses import replace

import pytest

from user_management.tests.chaos import storm, storm_evidence, storm_plan
from user_management.tests.chaos.storm_clients import ALIVE, DELETED, UNKNOWN, Heard, Look, Page, Told, Write
from user_management.tests.chaos.storm_judge import Happening, Life, Truth, judge

NOW = 1_000_000.0
TOLD = Told(sent=NOW, heard=NOW + 0.1, state="live", position=10, as_of=NOW - 0.5, age=0)
LIVES = {"user_1": Life((1.0, "user_1"), 1, None), "user_2": Life((2.0, "user_2"), 4, 8),
         "user_3": Life((3.0, "user_3"), 5, None)}  # fmt: skip
FEED = (Happening("event_1", "user.created", NOW - 9, {"email": "a@example.com", "id": "user_3"}),
        Happening("event_2", "user.deleted", NOW - 8, {"email": "b@example.com", "id": "user_2"}))  # fmt: skip
TRUTH = Truth(
    {"users": LIVES}, FEED, ["event_1", "event_2"], {"event_1": 5, "event_2": 8}, hold_back=0.2, stale_after=2.0
)
PAGE = Page(TOLD, "users", "asc", 10, None, ("user_1", "user_3"), None)
LOOK = Look(TOLD, "user_3", ALIVE)
WRITE = Write("a@example.com", ["done"], "user_3", LOOK)


@pytest.mark.parametrize("seed", [1])
async def test_a_storm_leaves_nothing_wrong(seed: int) -> None:
    """Processes killed, frozen, cut off and lied to: the copy is its source again, and nobody was told a falsehood."""
    outcome = await storm.run(seed, seconds=6)
    assert outcome.well, str(outcome)


def test_a_seed_names_a_plan() -> None:
    """The same seed plans the same storm, another seed another; hundred seeds meet every kind of fault."""
    assert storm_plan.plan(7, seconds=10) == storm_plan.plan(7, seconds=10) != storm_plan.plan(8, seconds=10)
    met = {fault.kind for seed in range(100) for fault in storm_plan.plan(seed, seconds=10).faults}
    assert met == set(storm_plan.Kind)


def test_what_is_true_is_not_accused() -> None:
    """Pages, looks and a write that are as the journal and the feed say."""
    early = replace(PAGE, told=replace(TOLD, position=7), ids=("user_1", "user_2"), limit=2, following="user_2")
    behind = replace(PAGE, after="user_2", ids=("user_3",))
    assert judge(Heard([PAGE, behind], [LOOK], [WRITE]), TRUTH) == []
    assert judge(Heard([early]), replace(TRUTH, hold_back=8.0)) == []


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (replace(PAGE, ids=("user_1",)), "lacks ['user_3']"),
        (replace(PAGE, ids=("user_1", "user_2", "user_3")), "has ['user_2'] too much"),
        (replace(PAGE, ids=("user_3", "user_1")), "a page of users"),
        (replace(PAGE, order="desc"), "a page of users"),
        (replace(PAGE, ids=("user_1", "user_1", "user_3")), "a page of users"),
        (replace(PAGE, following="user_3"), "goes on at user_3, not None"),
        (replace(PAGE, told=replace(TOLD, position=7), ids=("user_1", "user_2", "user_3")), "lacks the event event_2"),
        (replace(PAGE, told=replace(TOLD, age=2)), "an age is not the time"),
        (replace(PAGE, told=replace(TOLD, as_of=NOW - 60, age=60)), "a state does not follow"),
        (replace(PAGE, told=replace(TOLD, state="stale")), "a state does not follow"),
        (replace(PAGE, told=replace(TOLD, as_of=None, age=None)), "without an age"),
    ],
)
def test_a_page_that_cannot_be_is_accused(page: Page, words: str) -> None:
    """An object that is missing, dead, doubled or out of order; an age or a state that is not true."""
    found = judge(Heard([page]), TRUTH)
    assert any(words in one for one in found), found


@pytest.mark.parametrize("found", [DELETED, UNKNOWN])
def test_a_user_that_disappears_or_comes_back_is_accused(found: str) -> None:
    """A living user that is gone, and a deleted one that lives."""
    assert "where it was alive" in judge(Heard(looks=[replace(LOOK, found=found)]), TRUTH)[0]
    assert "where it was deleted" in judge(Heard(looks=[replace(LOOK, id="user_2")]), TRUTH)[0]


@pytest.mark.parametrize(
    ("outcomes", "feed"),
    [
        (["done"], FEED[1:]),
        (["done"], (FEED[0], FEED[0]._replace(id="event_3"))),
        (["unknown"], (FEED[0], FEED[0]._replace(id="event_3"))),
        (["not done"], FEED),
    ],
)
def test_a_write_that_was_not_done_as_answered_is_accused(outcomes: list[str], feed: tuple[Happening, ...]) -> None:
    """Accepted and not done, done twice, or refused and done all the same."""
    truth = replace(TRUTH, feed=feed, journalled=[event.id for event in feed])
    assert "was created" in judge(Heard(writes=[Write("a@example.com", outcomes)]), truth)[0]


def test_a_write_that_is_unknown_at_once_is_accused() -> None:
    """Unless the API has said in its log that it could not note it."""
    told = replace(TOLD, position=3, state="backfilling", as_of=None, age=None)
    heard = Heard(writes=[replace(WRITE, first_look=Look(told, "user_3", UNKNOWN))])
    assert "unknown when it was looked at" in judge(heard, TRUTH)[0]
    assert judge(heard, replace(TRUTH, not_recorded=frozenset({"user_3"}))) == []


@pytest.mark.parametrize("kept", [["event_1"], ["event_2", "event_1"], ["event_1", "event_2", "event_2"]])
def test_a_journal_that_is_not_the_feed_is_accused(kept: list[str]) -> None:
    """An event that is missing, out of order, or there twice."""
    assert "journal" in judge(Heard(), replace(TRUTH, journalled=kept))[0]


def test_a_copy_that_grows_younger_by_itself_is_accused() -> None:
    """As of a time at which nobody could ask the source; or older than what was told before; or beginning anew."""
    frozen = replace(TRUTH, frozen=[(NOW - 1, NOW + 1)])
    later = replace(TOLD, sent=NOW + 1, heard=NOW + 1.1, age=1)
    assert "nobody could ask" in judge(Heard([PAGE]), frozen)[0]
    older = Heard([PAGE, replace(PAGE, told=replace(later, as_of=NOW - 0.6))])
    assert any("older than one before" in one for one in judge(older, TRUTH))
    again = Heard([PAGE, replace(PAGE, told=replace(later, state="backfilling"))])
    assert any("complete is backfilling" in one for one in judge(again, TRUTH))


@pytest.mark.parametrize(
    ("asked", "recorded", "false"),
    [(10, 10, True), (20, 22, False), (29, 31, False), (35, 36, True), (39, 41, False), (50, 50, False)],
)
def test_a_name_that_comes_and_goes_twice_is_ended_rightly_only_while_it_is_gone(
    asked: int, recorded: int, *, false: bool
) -> None:  # fmt: skip
    """Storm 110: a role that was looked for while it was gone was taken to have been ended too early."""
    feed = [Happening(f"event_{moment}", f"role.{verb}", NOW + moment, {"slug": "auditor"})
            for moment, verb in ((5, "created"), (15, "deleted"), (30, "created"), (40, "deleted"))]  # fmt: skip
    life = storm_evidence.source_lives(feed)["auditor"]
    assert storm_evidence.lived(life, NOW + asked, NOW + recorded) is false
