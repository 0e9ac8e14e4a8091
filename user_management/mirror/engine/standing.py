"""Whether somebody who signed in may still: asked of the copy, which knows of revoked sessions before tokens end."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Table, Text, bindparam, exists, func, or_, select

from user_management.journal.ended_sessions import EndedSessionRow
from user_management.journal.soft_deletions import MARK
from user_management.mirror.engine import read
from user_management.mirror.engine.read import Statement
from user_management.mirror.engine.resource import Resource

REVOKED = "revoked"


@cache
def statement(resources: Sequence[Resource]) -> Statement:
    """Asks whether the user `user_id` was deleted, softly or not, or the session `session_id` ended, here or by us."""
    tables = {resource.name: resource.table for resource in resources}
    return asking(tables["users"], tables.get("sessions"))


def asking(users: Table, sessions: Table | None) -> Statement:
    """The same over these tables; without one of sessions, only we know of ends."""
    marked = func.nullif(users.c.facts.op("->")(read.piece("metadata")).op("->>")(read.piece(MARK)), read.piece(""))
    user = exists().where(
        users.c.id == bindparam("user_id", type_=Text), or_(users.c.deleted_at.is_not(None), marked.is_not(None))
    )  # fmt: skip
    ended = exists().where(EndedSessionRow.id == bindparam("session_id", type_=Text))
    if sessions is None:
        return read.compiled(select(or_(user, ended).label("fallen")), "standing")
    session = exists().where(
        sessions.c.id == bindparam("session_id", type_=Text),
        or_(sessions.c.status == read.piece(REVOKED), sessions.c.deleted_at.is_not(None)),
    )
    return read.compiled(select(or_(user, ended, session).label("fallen")), "standing")
