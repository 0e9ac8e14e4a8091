"""The peer's table: the rows of ours, in plain typed columns."""

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from bench.peer import PeerUser
from user_management.db.session import Connection

COPY_ROWS = """
INSERT INTO peer_users
SELECT id, body->>'email', (body->>'email_verified')::boolean, body->>'first_name', body->>'last_name', body->>'name',
       body->>'profile_picture_url', body->>'external_id', (body->'metadata')::jsonb,
       (body->>'last_sign_in_at')::timestamptz, body->>'locale', created_at, updated_at
FROM users WHERE deleted_at IS NULL
"""


async def fill(connection: Connection) -> None:
    """Give the peer a table of its own with the same rows, and the indexes its model declares, unless it has it."""
    if await connection.fetchval("SELECT to_regclass($1)", PeerUser.__tablename__):
        return
    table = PeerUser.metadata.tables[PeerUser.__tablename__]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects are untyped
    await connection.execute(str(CreateTable(table).compile(dialect=dialect)))
    await connection.execute(COPY_ROWS, timeout=600)
    for index in table.indexes:
        await connection.execute(str(CreateIndex(index).compile(dialect=dialect)), timeout=600)
