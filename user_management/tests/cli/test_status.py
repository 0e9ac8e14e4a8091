"""`user-management status` over a whole copy, as an operator reads it."""

from collections.abc import AsyncIterator

import pytest

from user_management.mirror.engine import catalog
from user_management.tests.cli.commands import Command
from user_management.tests.support import processes


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[str]:
    """The URL of a local WorkOS with people in it."""
    async with processes.sandbox("--users", "20", "--hold-back", "0") as url:
        yield url


async def test_what_was_verified_takes_one_line(database_url: str, sandbox: str) -> None:
    """However many resources there are, it says how many were compared and which has waited longest."""
    typed = Command(processes.settings(database_url, sandbox))
    await typed.run("backfill")
    assert "none yet" in await typed.run("status")
    await typed.run("verify", "roles")
    said = await typed.run("status")
    assert f"1 of {len(catalog.resources())} resources, the longest ago roles, 0.0 h" in said
    assert "checkpoint" not in said, "no resource is behind"
