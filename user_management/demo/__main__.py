"""`python -m user_management.demo`: everything in one command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from user_management.db import session
from user_management.demo import screen, story
from user_management.demo.story import Crowd
from user_management.errors import Misconfigured, UserManagementError

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def demo(
    users: Annotated[int, typer.Option(min=0, help="Users of the local WorkOS.")] = 3000,
    organizations: Annotated[int, typer.Option(min=0, help="Its organizations.")] = 40,
    activity: Annotated[float, typer.Option(min=0, help="Its events per second.")] = 2.0,
    sandbox_port: Annotated[int, typer.Option(min=0, max=65535, help="Its port, or the next free one.")] = 4100,
    folder: Annotated[Path, typer.Option(help="Where data, logs and settings are kept.")] = Path(".demo"),
) -> None:
    """Run a WorkOS (local unless USER_MANAGEMENT_WORKOS_API_KEY is set), PostgreSQL, the listener and the API."""
    try:
        story.tell(folder, Crowd(users, organizations, activity), sandbox_port)
    except Misconfigured as error:
        screen.wrong(f"demo: {error}")
        sys.exit(2)
    except (UserManagementError, *session.Unreachable) as error:
        screen.wrong(f"demo: {error}")
        sys.exit(1)


if __name__ == "__main__":
    cli(prog_name="user-management demo")
