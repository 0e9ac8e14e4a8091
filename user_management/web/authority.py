"""Whether the copy may say who may do what, or WorkOS must: decided by the copy's age, told by `Replica-Source`."""

from dataclasses import dataclass

from asyncpg import Record

from user_management.journal.freshness import State
from user_management.mirror.engine import access, people
from user_management.mirror.engine.access import Access, Facts, Presence, Reason, Undecided
from user_management.services.workos import access as remote
from user_management.services.workos.errors import WorkOSUnavailable
from user_management.web import freshness
from user_management.web.dependencies import Backend

SOURCE = "Replica-Source"


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody may do, and the headers that say who says so, and how old the copy is."""

    access: Access
    headers: dict[str, str]

    @property
    def of_copy(self) -> bool:
        """Whether the copy says so."""
        return self.headers[SOURCE] == "copy"


def young(row: Record, stale_after: float, max_age: int | None) -> bool:
    """Whether the copy may answer: it was complete once, and is no older than the caller allows, or else is live."""
    found = freshness.judged(row, stale_after)
    if found.state is State.BACKFILLING or found.age is None:
        return False
    if max_age is None:
        return found.state is State.LIVE
    return bool((row["now"] - row["drained_at"]).total_seconds() <= max_age)


async def asked(found: Backend, user_id: str, organization_id: str, max_age: int | None) -> Answer:
    """What a user may do in an organization; `WorkOSUnavailable` when only WorkOS could tell, and does not."""
    statement = people.of_user(all_organizations=False)
    async with found.connections.one() as connection:
        row = await connection.fetchrow(statement.text, user_id, organization_id)
    if row is None:
        raise AssertionError("the statement answers with one row")
    fresh = freshness.of_row(row, found.stale_after)
    if row["sure"] and young(row, found.stale_after, max_age):
        try:
            return Answer(access.decide(people.facts(row, organization_id), organization_id), fresh | {SOURCE: "copy"})
        except Undecided:
            pass  # a role the copy does not know in full: WorkOS does
    return Answer(await of_workos(found, user_id, organization_id), fresh | {SOURCE: "workos"})


async def of_workos(found: Backend, user_id: str, organization_id: str) -> Access:
    """What WorkOS says that a user may do in an organization."""
    memberships = await remote.memberships(found.workos, user_id, organization_id)
    roles = await remote.roles(found.workos, organization_id) if memberships else {}
    try:
        return access.decide(Facts(memberships, roles), organization_id)
    except Undecided as error:
        raise WorkOSUnavailable(f"WorkOS does not say {error}") from error


async def missing(found: Backend, answer: Answer, user_id: str) -> Presence:
    """Whether the user whom an answer is about is there at all."""
    if answer.of_copy:
        ended = answer.access.reason is Reason.USER_DELETED
        return people.presence(answer.access.reason is not Reason.NO_USER, ended)
    there = answer.access.roles or await remote.exists(found.workos, user_id)
    return Presence.LIVE if there else Presence.ABSENT
