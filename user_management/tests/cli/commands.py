"""Commands as processes of their own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from dataclasses import dataclass

from user_management.tests.support.waiting import PATIENCE

MAIN = "from user_management.cli import main; main()"


@dataclass(frozen=True)
class Command:
    """`user-management`, in an environment."""

    environment: Mapping[str, str]

    async def run(self, *arguments: str, status: int = 0) -> str:
        """What a command says, on either stream, when it ends with the status it should."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MAIN, *arguments, stdout=PIPE, stderr=STDOUT if "--json" not in arguments else None,
            env={"PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "COLUMNS": "200", **self.environment},
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
        assert process.returncode == status, said.decode()
        return said.decode()
