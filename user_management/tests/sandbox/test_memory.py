"""The sandbox's memory: with a file to remember in, a stop and a start change nothing."""

from pathlib import Path

import pytest

from user_management.sandbox import memory
from user_management.sandbox.application import create_app
from user_management.sandbox.config import Config
from user_management.sandbox.memory import Forgotten
from user_management.tests.sandbox.conftest import Start, Watch
from user_management.tests.support import waiting


async def test_a_sandbox_goes_on_where_it_stopped(start: Start, tmp_path: Path) -> None:
    """People, events and their order are those of before, and what happens next comes behind them."""
    file = str(tmp_path / "state")
    before = start(users=20, state=file)
    ada = await before.user("ada@example.com")
    async with memory.kept(before.app.state.store):
        pass
    after = start(users=500, state=file, hold_back=0.0)
    assert await after.get("/user_management/users", limit=100) == await before.get("/user_management/users", limit=100)
    assert await after.events() == await before.events()
    grace = await after.user("grace@example.com")
    assert grace["id"] > ada["id"]
    assert [event["data"]["id"] for event in await after.events()][-2:] == [ada["id"], grace["id"]]


async def test_the_file_is_written_while_it_runs(start: Start, tmp_path: Path) -> None:
    """A sandbox that is killed loses no more than what happened since the last time."""
    file = tmp_path / "state"
    running = start(state=str(file))
    async with memory.kept(running.app.state.store, seconds=0.01):
        await running.user("ada@example.com")

        async def written() -> bool:
            return b"ada@example.com" in file.read_bytes()

        await waiting.until(written)


@pytest.mark.parametrize("held", [b"", b"what is this?", b"\x80\x05K\x01.", b"\x80\x05]]\x86."])
def test_a_file_of_another_version_is_refused(held: bytes, tmp_path: Path, watch: Watch) -> None:
    """Nothing is guessed: the sentence says which file to remove."""
    file = tmp_path / "state"
    file.write_bytes(held)
    with pytest.raises(Forgotten, match=r"state: .*remove it"):
        create_app(Config(state=str(file)), time=watch)
