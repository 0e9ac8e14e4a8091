"""Reads: a list of 50 and one object, beside an empty route of the same server and beside the peer."""

from bench import load, peer_table, processes
from bench.figures import Figure, Target
from bench.load import Answered, Load
from bench.world import Plan, World, settle

CONNECTIONS = 16
PEER_TIMES = Target("at least 5 times the peer", 5.0)
LIST_SHARE = Target("at least 0.4 of an empty route", 0.4)
ONE_SHARE = Target("at least 0.5 of an empty route", 0.5)


async def measure(world: World, plan: Plan) -> list[Figure]:
    """How fast users are read, and how fast that could be."""
    async with processes.connected(world.database) as connection:
        await peer_table.fill(connection)
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM users ORDER BY random() LIMIT 1000")]
    await settle(world.database)
    async with (
        processes.api(world.database, world.sandbox, world.folder) as ours,
        processes.peer(world.database) as peer,
    ):
        found = await load.run(targets(ours.url, peer.url, ids), Load(CONNECTIONS, plan.seconds, plan.rounds))
    return figures(world.users, found)


def targets(ours: str, peer: str, ids: list[str]) -> list[load.Target]:
    """What is asked of whom."""
    return [
        load.Target("empty", ours, ["/api/empty"]),
        load.Target("barest", ours, ["/api/health"]),
        load.Target("list", ours, ["/api/users?limit=50"]),
        load.Target("one", ours, [f"/api/users/{key}" for key in ids]),
        load.Target("peer list", peer, ["/users?limit=50"]),
        load.Target("peer one", peer, [f"/users/{key}" for key in ids]),
        load.Target("peer counted", peer, ["/users/counted?limit=50"]),
    ]


def figures(users: int, found: dict[str, Answered]) -> list[Figure]:
    """What that comes to."""
    rates = {name: answered.rate for name, answered in found.items()}
    return [
        rate("empty route of the same server (the limit)", users, found["empty"]),
        rate("the barest route there is, `/api/health`", users, found["barest"]),
        rate("list of 50 users", users, found["list"]),
        times("list of 50, in lists of the peer", users, rates["list"] / rates["peer list"], PEER_TIMES),
        times("list of 50, in empty routes", users, rates["list"] / rates["empty"], LIST_SHARE),
        times("list of 50, in barest routes", users, rates["list"] / rates["barest"]),
        rate("one user by id", users, found["one"]),
        times("one by id, in empty routes", users, rates["one"] / rates["empty"], ONE_SHARE),
        times("one by id, in barest routes", users, rates["one"] / rates["barest"]),
        times("one by id, in users of the peer", users, rates["one"] / rates["peer one"]),
        rate("peer: list of 50 users", users, found["peer list"]),
        rate("peer: list of 50 users and their number", users, found["peer counted"]),
        rate("peer: one user by id", users, found["peer one"]),
    ]


def rate(name: str, users: int, found: Answered) -> Figure:
    """Requests per second, and how long the slowest hundredth took."""
    return Figure(name, users, found.rate, f"{found.rate:,.0f}/s, p99 {found.p99 * 1000:,.1f} ms")


def times(name: str, users: int, value: float, target: Target | None = None) -> Figure:
    """One rate as a multiple of another."""
    return Figure(name, users, value, f"{value:.2f}", target)
