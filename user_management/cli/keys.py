"""`user-management keys new`."""

from typing import Annotated, Literal

import typer

from user_management.cli import edge
from user_management.errors import Misconfigured
from user_management.web.credentials import keys
from user_management.web.credentials.keys import Key
from user_management.web.scopes import Scope

app = typer.Typer(help="API keys: who may ask this API, and for what.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """API keys: who may ask this API, and for what."""


@app.command()
def new(
    name: Annotated[str, typer.Option(help="Whom it is for, as the log will call them.")],
    scope: Annotated[Literal["read", "write", "admin"], typer.Option(help="Each includes those before it.")] = "read",
) -> None:
    """Make a key and show it this once.  Example: user-management keys new --name billing --scope read."""
    if not keys.NAME.fullmatch(name):
        edge.give_up(Misconfigured(WRONG_NAME), edge.MISCONFIGURED)
    made = keys.new()
    say("The key, for its user alone. It is shown this once and kept nowhere:", made)
    known = Key(name, Scope(scope), keys.digest(made.encode()))
    say(f"Add this entry to {keys.SETTING} (commas between entries) and restart the API:", known.entry)


WRONG_NAME = "A name is letters, digits, dots, dashes and underscores, at most 64, beginning with a letter or digit."


def say(words: str, value: str) -> None:
    """Something to take away, alone on its line of stdout, and what it is on stderr."""
    edge.err.print(words, markup=False, soft_wrap=True)
    edge.out.print(value, markup=False, soft_wrap=True)
