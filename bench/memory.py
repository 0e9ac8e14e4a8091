"""Memory: of the listener after it copied everything, and of the API after it served it, first pages and deep ones."""

from bench import load, processes
from bench.figures import Figure, Target
from bench.load import Load
from bench.processes import Memory
from bench.world import Plan, World

SMALL = Target("under 150 MB", 150.0, at_least=False)
FLAT = Target("flat: at most 1.1 times that of the smallest", 1.1, at_least=False)
STEPS = 200


async def measure(world: World, plan: Plan) -> list[Figure]:
    """The most memory either process ever had."""
    async with processes.api(world.database, world.sandbox, world.folder) as api:
        everywhere = load.Target("lists", api.url, await paths(world))
        await load.run([everywhere], Load(16, plan.seconds * 2, 1))
        served = processes.memory(api.pid)
    listened = world.filling.memory
    return [megabytes("listener after a backfill", world.users, listened, SMALL),
            megabytes("API after lists of 100, first to deepest", world.users, served)]  # fmt: skip


def megabytes(name: str, users: int, found: Memory, target: Target | None = None) -> Figure:
    """Peak memory, and what of it is still held."""
    return Figure(name, users, found.peak, f"{found.peak:,.0f} MB at most, {found.now:,.0f} MB now", target)


async def paths(world: World) -> list[str]:
    """Lists of 100 from all over the table."""
    async with processes.connected(world.database) as connection:
        rows = await connection.fetch(
            "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM users) all_of_them WHERE n % $1 = 0",
            max(1, world.users // STEPS),
        )
    return ["/api/users?limit=100", *(f"/api/users?limit=100&after={row['id']}" for row in rows)]


def flatness(figures: list[Figure]) -> list[Figure]:
    """Each process's memory as a multiple of what it needed for the fewest users."""
    found = []
    for figure in figures:
        if " MB at most" in figure.words:
            least = min((other for other in figures if other.name == figure.name), key=lambda other: other.users)
            share = figure.value / least.value
            found.append(Figure(f"{figure.name}, in that of the smallest", figure.users, share, f"{share:.2f}", FLAT))
    return found
