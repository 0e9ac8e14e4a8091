"""What a command is: where its ids go, what its reply says was done, and whether an object is as it was to be."""

from typing import Any

import pytest

from user_management.services.workos import client, commands, looks
from user_management.services.workos.client import Answer, WorkOS
from user_management.services.workos.commands import (
    Command,
    Done,
    feature_flags,
    groups,
    organization_memberships,
    organization_roles,
    organizations,
    users,
)
from user_management.services.workos.errors import OutcomeUnknown
from user_management.services.workos.matching import holds, permitted
from user_management.tests.services import conftest
from user_management.tests.services.test_looks import NOW

ORGANIZATION = {"id": "org_1", "name": "Engines"}
HTML = Answer(200, readable=False)


@pytest.mark.parametrize(
    "given", ["..", "a/b", "../roles", "%2e%2e", "a?b#c", "x\x00", "{id}", "é", "external_id"]
)  # fmt: skip
def test_an_id_fills_one_segment(given: str) -> None:
    """Whatever an id is, it is one segment, told from WorkOS's own words; so is one that looks like a name of ours."""
    path = organization_roles.update.of({"organization_id": given, "slug": given}).path
    assert path == ("authorization", "organizations", given, "roles", given)
    assert client.template(path) == "/authorization/organizations/{id}/roles/{id}"


def test_words_of_workos_are_no_ids() -> None:
    """Metrics tell calls apart, and no two by whom they are about."""
    path = feature_flags.enable.of({"slug": "looms"}).path
    assert client.template(path) == "/feature-flags/{id}/enable"


@pytest.mark.parametrize(
    ("command", "answer", "done"),
    [
        (organizations.update, Answer(200, ORGANIZATION), Done(200, ORGANIZATION, ORGANIZATION)),
        (organizations.delete, Answer(200), Done(200, ended=True)),
        (organizations.delete, Answer(204), Done(204, ended=True)),
        (organizations.delete, Answer(200, {"ok": True}), Done(200, {"ok": True}, ended=True)),
        (organizations.delete, Answer(202), Done(202)),
        (organizations.update, Answer(202), Done(202)),
        (Command("post", ("x",), shows=None), Answer(200, {"a": 1}), Done(200, {"a": 1})),
        (Command("post", ("x",), shows=("user",)), Answer(200, {"user": {"id": "u"}, "b": 1}),
         Done(200, {"user": {"id": "u"}, "b": 1}, {"id": "u"})),
        (Command("post", ("x",), lacks=True), Answer(200), Done(200)),
        (Command("post", ("x",), hides=frozenset({"v"})), Answer(200, {"id": "k", "v": "s"}),
         Done(200, {"id": "k", "v": "s"}, {"id": "k"})),
    ],
)  # fmt: skip
def test_what_a_success_says_was_done(command: Command, answer: Answer, done: Done) -> None:
    """Where the object stands, whether it ended, or only that the request was accepted."""
    ids = {"id": "org_1"} if "{id}" in command.path else {}
    assert commands.understood(command.of(ids), answer, {}) == done


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (organizations.delete, HTML),
        (organizations.update, HTML),
        (organizations.update, Answer(200)),
        (organizations.update, Answer(200, [ORGANIZATION])),
        (organizations.update, Answer(200, {"not": "an organization"})),
        (organizations.update, Answer(200, {**ORGANIZATION, "id": "org_2"})),
        (Command("post", ("x",), shows=None), HTML),
        (Command("post", ("x",), shows=("user",)), Answer(200, {"user": None})),
        (Command("post", ("x",), lacks=True), Answer(200, {"odd": 1})),
    ],
)
def test_what_leaves_open_what_was_done(command: Command, answer: Answer) -> None:
    """A page of HTML, another object or none is no proof, whatever its status."""
    with pytest.raises(OutcomeUnknown):
        commands.understood(command.of({"id": "org_1"}), answer, {})


def test_what_a_reply_lacks_of_its_name_is_in_the_path() -> None:
    """A role's reply does not say of which organization it is; the reply to a new member is the group."""
    role = commands.understood(
        organization_roles.update.of({"organization_id": "org_1", "slug": "a"}), Answer(200, {"slug": "a"}), {}
    )
    member = commands.understood(
        groups.add_member.of({"organization_id": "org_1", "group_id": "g"}), Answer(200, {"id": "g"}),
        {"organization_membership_id": "om"},
    )  # fmt: skip
    assert (role.made, member.made) == (
        {"organization_id": "org_1", "slug": "a"}, {"group_id": "g", "organization_membership_id": "om"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "sent", "as_wanted"),
    [
        ({"name": "Ada"}, {}, True),
        ({"name": " Ada"}, {"name": "Ada "}, True),
        ({"name": "Ada"}, {"name": None}, False),
        ({"name": None}, {"name": None}, True),
        ({}, {"name": None}, False),
        ({"email": "ada@example.com"}, {"email": "Ada@Example.com"}, True),
        ({"metadata": {"a": "1", "b": "2"}}, {"metadata": {"a": "1", "c": None}}, True),
        ({"metadata": {"a": "1"}}, {"metadata": {"a": None}}, False),
        ({"metadata": {"a": "1"}}, {"metadata": {}}, False),
        ({"metadata": {}}, {"metadata": {}}, True),
        ({"name": "Ada"}, {"name": "Ada", "password": "x"}, False),
    ],
)
def test_what_counts_as_changed(found: dict[str, Any], sent: dict[str, Any], *, as_wanted: bool) -> None:
    """An object that shows all that was sent, and shows what was to be taken away no more."""
    assert holds(found, sent) is as_wanted


@pytest.mark.parametrize(
    ("sent", "as_wanted"),
    [({"role_slug": "admin"}, True), ({"role_slug": "member"}, False), ({"role_slugs": ["admin"]}, True),
     ({"role_slugs": ["admin", "member"]}, False), ({}, True), ({"other": 1}, False)],
)  # fmt: skip
def test_a_membership_shows_its_roles(sent: dict[str, Any], *, as_wanted: bool) -> None:
    """Slugs are sent, and roles are shown."""
    found = {"role": {"slug": "admin"}, "roles": [{"slug": "admin"}]}
    assert organization_memberships.in_role(found, sent) is as_wanted


def test_permissions_are_compared_whole() -> None:
    """Setting them takes away the others."""
    assert permitted({"permissions": ["b", "a"]}, {"permissions": ["a", "b"]})
    assert not permitted({"permissions": ["a", "b"]}, {"permissions": ["a"]})


@pytest.mark.parametrize(("status", "gone"), [(404, True), (200, False), (500, False)])
async def test_an_end_is_looked_for(status: int, remote: WorkOS, answer: conftest.Answer, *, gone: bool) -> None:
    """Only WorkOS's own 404 says that something is no more."""
    answer(status, json={"id": "user_1", "message": "No."})
    seen = await looks.look(remote, users.delete.of({"id": "user_1"}), {}, since=NOW)
    assert (seen.gone, seen.made) == (gone, None)


async def test_a_404_of_somebody_else_is_no_end(remote: WorkOS, answer: conftest.Answer) -> None:
    """A proxy that knows nothing of WorkOS says nothing of what is there."""
    answer(404, text="<html>Not found</html>")
    seen = await looks.look(remote, users.delete.of({"id": "user_1"}), {}, since=NOW)
    assert not seen.gone
    assert not seen.whole
