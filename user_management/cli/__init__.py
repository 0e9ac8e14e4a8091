"""The operator's commands: `user-management --help` lists them."""

import typer

from user_management import settings as configuration
from user_management import telemetry
from user_management.cli import failures, keys
from user_management.cli.backfill import backfill
from user_management.cli.demo import PASS_ON, demo
from user_management.cli.doctor import doctor
from user_management.cli.erase import erase
from user_management.cli.migrate import migrate
from user_management.cli.rebuild import rebuild
from user_management.cli.status import status
from user_management.cli.verify import verify
from user_management.cli.why import why
from user_management.errors import Misconfigured

app = typer.Typer(
    help="Operate the local copy of WorkOS.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.command()(migrate)
app.command()(status)
app.command()(doctor)
app.command()(backfill)
app.command()(rebuild)
app.command()(verify)
app.command()(erase)
app.command()(why)
app.add_typer(failures.app, name="failures")
app.add_typer(keys.app, name="keys")
app.command(context_settings=PASS_ON)(demo)


def main() -> None:
    """Run the command that was asked for; what goes wrong on the way is logged as in every other process."""
    telemetry.logs.configure("warning", json=False, personal_data=shows_people())
    app(prog_name="user-management")


def shows_people() -> bool:
    """Whether e-mail addresses may be logged; settings that cannot be read are for the command to complain about."""
    try:
        return configuration.load().log_personal_data
    except Misconfigured:
        return False
