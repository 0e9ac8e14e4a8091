"""Slugs: what WorkOS's paths call some objects by that have an id too; ours take either."""

from user_management.mirror.engine.resource import Resource
from user_management.web.dependencies import Backend


async def known(found: Backend, resource: Resource, ids: dict[str, str]) -> dict[str, str]:
    """The ids of a path with the slug that its `id` stands for, and with the real id where the copy knows it."""
    others, given = {name: value for name, value in ids.items() if name != "id"}, ids["id"]
    if resource.key == ("slug",):
        return {**others, "slug": given}
    async with found.connections.one() as connection:
        row = await connection.fetchrow(
            f"SELECT id, slug FROM {resource.name} WHERE (id = $1 OR slug = $1) AND deleted_at IS NULL "
            "ORDER BY id = $1 DESC LIMIT 1",
            given,
        )
    return {**others, "slug": given} if row is None else {**others, "id": row["id"], "slug": row["slug"]}
