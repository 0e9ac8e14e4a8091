"""Depth: the last page of a list, beside the first, and beside the second, which has a cursor too."""

from bench import load, peer_table, processes
from bench.figures import Figure, Target, milliseconds
from bench.load import Load
from bench.world import Plan, World, settle

AS_FAST = Target("p50 at most 1.2 times the first page's", 1.2, at_least=False)
PAGE = 50


async def measure(world: World, plan: Plan) -> list[Figure]:
    """How long each of these pages takes when nothing else is asked."""
    async with processes.connected(world.database) as connection:
        await peer_table.fill(connection)
    await settle(world.database)
    async with (
        processes.api(world.database, world.sandbox, world.folder) as ours,
        processes.peer(world.database) as peer,
    ):
        targets = [
            load.Target("first", ours.url, [f"/api/users?limit={PAGE}"]),
            load.Target("second", ours.url, [f"/api/users?limit={PAGE}&after={await cursor(world, 'DESC')}"]),
            load.Target("deepest", ours.url, [f"/api/users?limit={PAGE}&after={await cursor(world, 'ASC')}"]),
            load.Target("peer's deepest", peer.url, [f"/users?limit={PAGE}&offset={world.users - PAGE}"]),
        ]
        found = await load.run(targets, Load(1, plan.seconds / 4, plan.rounds * 3))
    first, second, deepest = (found[name].p50 for name in ("first", "second", "deepest"))
    return [
        Figure("first page of 50, p50", world.users, first, milliseconds(first)),
        Figure("deepest page of 50, p50", world.users, deepest, milliseconds(deepest)),
        Figure("deepest page, in first pages", world.users, deepest / first, f"{deepest / first:.2f}", AS_FAST),
        Figure("deepest page, in second pages", world.users, deepest / second, f"{deepest / second:.2f}"),
        Figure("peer: deepest page of 50, p50", world.users, found["peer's deepest"].p50,
               milliseconds(found["peer's deepest"].p50)),
    ]  # fmt: skip


async def cursor(world: World, order: str) -> str:
    """The user at the edge of the first page from one end of the list."""
    async with processes.connected(world.database) as connection:
        found = await connection.fetchval(
            f"SELECT id FROM users WHERE deleted_at IS NULL ORDER BY created_at {order}, id {order} OFFSET $1 LIMIT 1",
            PAGE - (order == "DESC"),
        )
    return str(found)
