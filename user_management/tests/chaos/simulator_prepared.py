"""Prepared states: a complete copy, and the WorkOS it is of, made once and restored before every small scene."""

import pickle
from dataclasses import dataclass, field

from fastapi import FastAPI

from user_management.db import schema
from user_management.db.session import Pool
from user_management.tests.chaos import simulator_world
from user_management.tests.chaos.cuts import Process
from user_management.tests.chaos.simulator_world import Database, Surroundings, World
from user_management.tests.support import copies

STATES = 8
"""How many there are; a seed's is the rest of dividing it."""
KEPT = {
    table.name: ", ".join(column.name for column in table.columns if column.computed is None)
    for table in schema.declared().sorted_tables
}
"""Every table, and its columns but for those that PostgreSQL computes."""


@dataclass(frozen=True, slots=True)
class State:
    """A prepared state: the statements that bring the database there, WorkOS as it then was, and when that was."""

    statements: str
    workos: bytes
    now: float
    app: object


@dataclass(slots=True)
class Prepared:
    """The states that were prepared so far, by number."""

    states: dict[int, State] = field(default_factory=dict)

    def of(self, seed: int) -> State | None:
        """The state of a seed, if it is there already."""
        return self.states.get(seed % STATES)

    async def keep(self, seed: int, world: World, pool: Pool) -> State:
        """Keep the state that a world and its copy are in."""
        await pool.execute(f"DROP SCHEMA IF EXISTS kept_{seed % STATES} CASCADE; CREATE SCHEMA kept_{seed % STATES}")
        statements = [f"DELETE FROM {table}" for table in KEPT]
        for table, columns in KEPT.items():
            await pool.execute(f"CREATE TABLE kept_{seed % STATES}.{table} AS SELECT {columns} FROM {table}")
            if await pool.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):
                kept = f"kept_{seed % STATES}.{table}"
                statements.append(
                    f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {kept}"
                )
        app = world.local.app
        blob = pickle.dumps((app.state.store, app.state.activity))
        self.states[seed % STATES] = state = State("; ".join(statements), blob, world.database.loop.now, app)
        return state


async def prepare(seed: int, database: Database, api: FastAPI, checker: Pool) -> World:
    """A world whose first start is over: small, complete, and at the feed's end."""
    world = simulator_world.create(seed % STATES, database, api, checker)
    world.store.hold_back = 0.0
    world.page = 100
    world.happen(3)  # so that the place in the feed is behind an event
    process = world.born("listener")
    process.start(first(world, process))
    await process.buried()
    assert process.main is not None
    process.main.result()
    return world


async def first(world: World, process: Process) -> None:
    """A whole first start."""
    async with process.pool(5) as pool:
        listener = simulator_world.listener_of(world, process, pool)
        await copies.begin(listener)
        await copies.fill(listener)


def restored(seed: int, state: State, among: Surroundings) -> World:
    """The world of a prepared state, with this seed's dice."""
    return simulator_world.over(seed, state.app, pickle.loads(state.workos), among)  # noqa: S301  our own
