"""Tracing: what a list costs when nobody traces, when a tenth is traced, and when everything is."""

from contextlib import AsyncExitStack
from timeit import repeat

from bench import load, processes
from bench.figures import Figure, Target
from bench.load import Load
from bench.reads import CONNECTIONS, rate, times
from bench.world import Plan, World, settle
from user_management.telemetry import spans
from user_management.web import tracing

OFF = Target("at least 0.98 of an API without tracing", 0.98)
SHARE = Target("at most 0.02 of a request", 0.02, at_least=False)
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
        # Many turns, for what is sought is smaller than what a busy machine does to a single one.
        found = await load.run(targets, Load(CONNECTIONS, plan.seconds, 5 * plan.rounds))
    idle = idling()
    rates = {name: answered.rate for name, answered in found.items()}
    return [
        rate("list of 50, an API without tracing in it", world.users, found["bare"]),
        times("list of 50 with tracing off, in those", world.users, rates["off"] / rates["bare"], OFF),
        Figure("what a request calls of tracing while it is off", world.users, idle, f"{idle * 1e6:.2f} us"),
        Figure("that, in lists of 50", world.users, idle * rates["off"], f"{idle * rates['off']:.4f}", SHARE),
        times("list of 50 with a tenth traced, in tracing off", world.users, rates["tenth"] / rates["off"], TENTH),
        times("list of 50 with all traced, in tracing off", world.users, rates["all"] / rates["off"]),
    ]


def idling() -> float:
    """Seconds that a request spends in what it calls of tracing while tracing is off."""
    scope = {"path": "/api/users", "method": "GET", "scheme": "http", "path_params": {}}

    def request() -> None:
        span = tracing.begin(scope, "id", None)
        token = tracing.enter(span)
        spans.recording()
        tracing.leave(span, token, scope, "/api/users", 200)

    return min(repeat(request, number=10_000, repeat=5)) / 10_000
