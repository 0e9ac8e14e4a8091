"""The operator's commands: `user-management --help` lists them."""

import typer

from user_management import telemetry
from user_management.cli import failures
from user_management.cli.backfill import backfill
from user_management.cli.demo import PASS_ON, demo
from user_management.cli.migrate import migrate
from user_management.cli.rebuild import rebuild
from user_management.cli.status import status

app = typer.Typer(
    help="Operate the local copy of WorkOS.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.command()(migrate)
app.command()(status)
app.command()(backfill)
app.command()(rebuild)
app.add_typer(failures.app, name="failures")
app.command(context_settings=PASS_ON)(demo)


def main() -> None:
    """Run the command that was asked for; what goes wrong on the way is logged as in every other process."""
    telemetry.logs.configure("warning", json=False)
    app(prog_name="user-management")
