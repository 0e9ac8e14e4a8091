"""`deploy/reload.py MODULE`: the listener of a developer starts again when a file changes."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from itertools import count
from pathlib import Path

from user_management.tests.deploy.conftest import DEPLOY
from user_management.tests.support import processes
from user_management.tests.support.waiting import PATIENCE

MODULE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("begun" if __name__ == "__main__" else "imported", flush=True)
time.sleep(3600)
"""


async def test_a_changed_file_starts_it_again(tmp_path: Path) -> None:
    """It runs as `python -m` runs it, again after a change, and ends in order when told to."""
    (tmp_path / "user_management").mkdir()
    (tmp_path / "watched.py").write_text(MODULE)
    changing = tmp_path / "user_management" / "users.py"
    changing.write_text("")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(DEPLOY / "reload.py"), "watched",
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            assert await process.stdout.readline() == b"begun\n"
            again = asyncio.create_task(process.stdout.readline())
            for later in count(2_000_000_000):  # a change before the first look at the files would go unnoticed
                os.utime(changing, (later, later))
                if (await asyncio.wait({again}, timeout=10))[0]:
                    break
        assert again.result() == b"begun\n"
    finally:
        assert await processes.end(process) == 0
        await process.communicate()
