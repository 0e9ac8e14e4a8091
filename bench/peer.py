"""The peer: the same users as a team would serve them from the usual template.

FastAPI, a SQLAlchemy session for each request, mapped rows, a response model, limit and offset: written as well as
that can be written, over a table of plain typed columns with an index for its order, on the same server with the same
settings. `/users/counted` is the variant that also tells how many there are, as most such lists do.
"""

import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import DateTime, Index, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from user_management.db.session import dsn


class Base(DeclarativeBase):
    """The peer's own tables."""

    type_annotation_map = {str: Text(), datetime: DateTime(timezone=True), dict[str, str]: JSONB()}  # noqa: RUF012  SQLAlchemy reads this class attribute by name


class PeerUser(Base):
    """A user as stored."""

    __tablename__ = "peer_users"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(index=True)
    email_verified: Mapped[bool]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    name: Mapped[str | None]
    profile_picture_url: Mapped[str | None]
    external_id: Mapped[str | None] = mapped_column(index=True)
    metadata_: Mapped[dict[str, str]] = mapped_column("metadata")
    last_sign_in_at: Mapped[datetime | None]
    locale: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


Index("ix_peer_users_created_at", PeerUser.created_at, PeerUser.id)


class User(BaseModel):
    """A user as served."""

    model_config = ConfigDict(from_attributes=True)

    object: Literal["user"] = "user"
    id: str
    email: str
    email_verified: bool
    first_name: str | None
    last_name: str | None
    name: str | None
    profile_picture_url: str | None
    external_id: str | None
    metadata: dict[str, str] = Field(validation_alias="metadata_")
    last_sign_in_at: AwareDatetime | None
    locale: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Counted(BaseModel):
    """A page of users and how many there are in all."""

    items: list[User]
    total: int


def create_app(database_url: str) -> FastAPI:
    """The peer over a database."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn(database_url)), pool_size=10
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def opened() -> AsyncIterator[AsyncSession]:
        async with sessions() as session:
            yield session

    app = FastAPI(title="peer")
    add_routes(app, opened)
    return app


def add_routes(app: FastAPI, opened: object) -> None:
    """The routes, each with a session of its own."""
    newest = select(PeerUser).order_by(PeerUser.created_at.desc(), PeerUser.id.desc())

    @app.get("/users", response_model=list[User])
    async def users(
        session: Annotated[AsyncSession, Depends(opened)],
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> object:
        return (await session.scalars(newest.limit(limit).offset(offset))).all()

    @app.get("/users/counted", response_model=Counted)
    async def counted(
        session: Annotated[AsyncSession, Depends(opened)],
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> object:
        items = (await session.scalars(newest.limit(limit).offset(offset))).all()
        return {"items": items, "total": await session.scalar(select(func.count()).select_from(PeerUser))}

    @app.get("/users/{user_id}", response_model=User)
    async def user(session: Annotated[AsyncSession, Depends(opened)], user_id: str) -> object:
        found = await session.get(PeerUser, user_id)
        if found is None:
            raise HTTPException(404)
        return found


def main() -> None:
    """Serve a database on a port, as `user_management` serves it."""
    database_url, port = sys.argv[1:]
    uvicorn.run(
        create_app(database_url), port=int(port), loop="uvloop", http="httptools", ws="none", log_config=None,
        access_log=False, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
