"""Tracing: what a list costs when nobody traces, when a tenth is traced, and when everything is."""

from contextlib import AsyncExitStack

from bench import load, processes
from bench.figures import Figure, Target
from bench.load import Load
from bench.reads import CONNECTIONS, rate, times
from bench.world import Plan, World, settle

OFF = Target("at least 0.98 of an API without tracing", 0.98)
TENTH = Target("at least 0.90 of tracing off", 0.90)
PATH = "/api/users?limit=50"


async def measure(world: World, plan: Plan) -> list[Figure]:
    """Lists of 50 from four APIs in turns: without tracing in it, off, a tenth, all."""
    await settle(world.database)
    async with AsyncExitStack() as stack:
        sent = {"opentelemetry_endpoint": (await stack.enter_async_context(processes.collector())).url}
        urls = {}
        for name, module, more in (
            ("bare", "bench.untraced", {}),
            ("off", "bench.served", {}),
            ("tenth", "bench.served", {**sent, "opentelemetry_sampling": "0.1"}),
            ("all", "bench.served", {**sent, "opentelemetry_sampling": "1"}),
        ):
            api = processes.api(world.database, world.sandbox, world.folder, module=module, **more)
            urls[name] = (await stack.enter_async_context(api)).url
        targets = [load.Target(name, url, [PATH]) for name, url in urls.items()]
        found = await load.run(targets, Load(CONNECTIONS, plan.seconds, plan.rounds))
    rates = {name: answered.rate for name, answered in found.items()}
    return [
        rate("list of 50, an API without tracing in it", world.users, found["bare"]),
        times("list of 50 with tracing off, in those", world.users, rates["off"] / rates["bare"], OFF),
        times("list of 50 with a tenth traced, in tracing off", world.users, rates["tenth"] / rates["off"], TENTH),
        times("list of 50 with all traced, in tracing off", world.users, rates["all"] / rates["off"]),
    ]
