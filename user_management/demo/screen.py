"""What the demo shows: a line for each thing started, and at the end what to try."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

console = Console(highlight=False)

KEY = "USER_MANAGEMENT_WORKOS_API_KEY"
ADA = '{"email": "ada@example.com", "first_name": "Ada"}'


def line(what: str, text: str) -> None:
    """One thing that is ready."""
    console.print(f"[green]●[/green] [bold]{what:<11}[/bold] {escape(text)}", soft_wrap=True)


def note(text: str) -> None:
    """Something worth knowing."""
    console.print(f"  {text}", style="yellow", markup=False, soft_wrap=True)


def wrong(text: str) -> None:
    """Something that is wrong."""
    console.print(text, style="bold red", markup=False, soft_wrap=True)


def log(file: Path, lines: int = 15) -> None:
    """The last lines of a log file."""
    wrong(f"The last lines of {shown(file)}:")
    for text in file.read_text(errors="replace").splitlines()[-lines:]:
        console.print(f"  {text}", markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Tour:
    """What is needed to show somebody around."""

    api: str
    workos: str
    key: str
    folder: Path
    listener: int
    sandbox: bool
    after: str | None
    event: str | None


def show(tour: Tour) -> None:
    """Show where everything is, and commands to copy."""
    console.print(Panel("\n".join(places(tour)), title="A live, local copy of WorkOS", expand=False))
    for title, tried in commands(tour).items():
        console.print(f"[bold]{title}[/bold]", soft_wrap=True)
        for text in tried:
            command(text)
    console.print("[bold]Ctrl-C stops everything.[/bold]")


def command(text: str) -> None:
    """A command to copy: on one line, however long."""
    console.print(f"  {text}", markup=False, soft_wrap=True)


def places(tour: Tour) -> list[str]:
    """The addresses and the files."""
    names = ("api", "listener", "sandbox") if tour.sandbox else ("api", "listener")
    return [
        f"start page   {tour.api}/",
        f"API docs     {tour.api}/api/docs",
        f"WorkOS       {tour.workos}" + (f"/_sandbox   (local, key {tour.key})" if tour.sandbox else ""),
        f"listener     pid {tour.listener}",
        "logs         " + "  ".join(escape(shown(tour.folder / f"{name}.log")) for name in names),
    ]


def commands(tour: Tour) -> dict[str, list[str]]:
    """What to try, in the order of the story, by what it shows."""
    users, env = f"{tour.api}/api/users", sourced(tour.folder / "env")
    after = f"&after={tour.after}" if tour.after else ""
    since = f"&after={tour.event}" if tour.event else ""
    key = f"'Authorization: Bearer {tour.key}'" if tour.sandbox else f'"Authorization: Bearer ${KEY}"'
    first = [] if tour.sandbox else [env]
    return {
        "List users, then the page that follows:": [
            f"curl -s '{users}?limit=2'",
            f"curl -s '{users}?limit=2{after}'",
        ],
        "Create one" + (":" if tour.sandbox else ", in your real WorkOS environment:"): [
            f"curl -s {users} -H 'Content-Type: application/json' -d '{ADA}'",
        ],
        "See it in the copy, at WorkOS, and as the event that comes back:": [
            f"curl -s '{users}?email=ada@example.com'",
            *first,
            f"curl -s -H {key} '{tour.workos}/user_management/users?email=ada@example.com'",
            f"curl -s -H {key} '{tour.workos}/events?events=user.created&limit=100{since}'",
            f"tail -n 3 {shlex.quote(shown(tour.folder / 'listener.log'))}",
        ],
        "Kill the listener, change something, start it again in a second terminal: nothing is missing.": [
            f"kill -9 {tour.listener}",
            restart(tour.folder),
            f"{env} && user-management status",
        ],
    }


def restart(folder: Path) -> str:
    """The command that starts the listener again."""
    return f"{sourced(folder / 'env')} && python -m user_management.listener"


def sourced(file: Path) -> str:
    """The command that gives a second terminal our settings."""
    return f". ./{shlex.quote(shown(file))}" if near(file) else f". {shlex.quote(str(file))}"


def near(path: Path) -> bool:
    """Whether a path is inside this folder."""
    return path.is_relative_to(Path.cwd())


def shown(path: Path) -> str:
    """A path as somebody in this folder would write it."""
    return str(path.relative_to(Path.cwd())) if near(path) else str(path)
