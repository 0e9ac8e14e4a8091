"""Whether somebody who signed in may still: asked of the copy, which knows of revoked sessions before tokens end."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Table, Text, bindparam, exists, or_, select

from user_management.journal.ended_sessions import EndedSessionRow
from user_management.mirror.engine import read
from user_management.mirror.engine.read import Statement
from user_management.mirror.engine.resource import Resource

REVOKED = "revoked"


@cache
def statement(resources: Sequence[Resource]) -> Statement:
    """Asks whether the user `user_id` was deleted or the session `session_id` ended, through us or by the copy."""
    tables = {resource.name: resource.table for resource in resources}
    return asking(tables["users"], tables.get("sessions"))


def asking(users: Table, sessions: Table | None) -> Statement:
    """The same over these tables; without one of sessions, only we know of ends."""
    user = exists().where(
        users.c.id == bindparam("user_id", type_=Text), users.c.deleted_at.is_not(None)
    )  # fmt: skip
    ended = exists().where(EndedSessionRow.id == bindparam("session_id", type_=Text))
    if sessions is None:
        return read.compiled(select(or_(user, ended).label("fallen")), "standing")
    session = exists().where(
        sessions.c.id == bindparam("session_id", type_=Text),
        or_(sessions.c.status == read.piece(REVOKED), sessions.c.deleted_at.is_not(None)),
    )
    return read.compiled(select(or_(user, ended, session).label("fallen")), "standing")
