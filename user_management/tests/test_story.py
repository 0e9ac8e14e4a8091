"""The README, run as it is written: what a newcomer types, and what they are promised to see."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from user_management.tests.demo.test_demo import running, shown
from user_management.tests.support import ports
from user_management.tests.support.waiting import PATIENCE

MARK = "--- the next block ---"
README = Path(__file__).parent.parent.parent / "README.md"


def blocks(heading: str) -> list[str]:
    """The shell blocks below a heading of the README."""
    section = README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def here(script: str, port: int, sandbox: str) -> str:
    """A block of the README for a demo that had to take other ports."""
    return script.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("127.0.0.1:4100", sandbox)


async def typed(scripts: list[str], folder: Path) -> list[str]:
    """What one shell answers to each of the blocks; a command that fails is the test's failure."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = f"\necho; echo {MARK}\n".join([*scripts, "kill %1; wait || true"])
    shell = await asyncio.create_subprocess_exec(
        "bash", "-e", "-c", script, cwd=folder, env={**os.environ, "PATH": path}, stdout=PIPE, stderr=STDOUT
    )
    async with asyncio.timeout(PATIENCE):
        output, _ = await shell.communicate()
    assert shell.returncode == 0, output.decode()
    return output.decode().split(MARK)


@pytest.fixture
async def demo(folder: Path) -> AsyncIterator[tuple[Path, int, str]]:
    """A demo that is up: its folder, the API's port and the sandbox's address."""
    port = ports.free()
    async with running(folder, port) as process:
        said = await shown(process, "Ctrl-C stops everything.")
        sandbox = re.search(r"local one at http://(\S+?):(\d+)", said)
        assert sandbox is not None, said
        yield folder, port, f"{sandbox[1]}:{sandbox[2]}"
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0


async def test_the_readme_is_true(demo: tuple[Path, int, str]) -> None:
    """List, page, create and see; kill, change, start again, and nothing is missing."""
    folder, port, sandbox = demo
    seen, rest, later, _ = await typed([here(block, port, sandbox) for block in blocks("Try it")], folder)
    assert seen.count('"object":"list"') == 4
    assert "HTTP/1.1 201 Created" in seen
    assert "location: /api/users/user_" in seen.lower()
    assert seen.count('"email":"ada@example.com"') == 3
    assert all(words in rest for words in ('"allowed":', '"export_end"', '"access_token":', " users, from the copy"))
    assert re.search(r"umk_[\w-]{43}", rest)
    lists = re.findall(r'"data":\[(.*?)\],"list_metadata"', later)
    assert ["grace@example.com" in found for found in lists] == [False, True]
    assert "live" in later.rpartition("list_metadata")[2]
