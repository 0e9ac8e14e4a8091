"""The demo from start to end: everything started in order, watched, and stopped in order."""

import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from user_management import settings as configuration
from user_management.demo import children, database, folder, screen, source, wait
from user_management.demo.children import Children
from user_management.demo.wait import ChildDied, Interrupted
from user_management.settings import Settings, Source

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

NO_KEY = " "
"""Says that there is no key, whatever `.env` says by then: an empty variable would let the file have its say."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who lives in the local WorkOS, and how busy they are (events per second)."""

    users: int
    organizations: int
    activity: float


class Stop:
    """Remembers whether a signal asked us to stop; a second one changes nothing, for we are at it."""

    asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        self.asked = True

    def check(self) -> None:
        """`Interrupted` when we were asked to stop."""
        if self.asked:
            raise Interrupted("stopping")


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs: our processes, the WorkOS they follow, the database's and the API's URLs, and the wish to stop."""

    running: Children
    workos: Source
    database: str
    api: str
    stop: Stop


def tell(place: Path, crowd: Crowd, sandbox_port: int) -> None:
    """Run the demo until it is asked to stop (then it returns) or something it needs ends (then it raises)."""
    stop = Stop()
    for number in SIGNALS:
        signal.signal(number, stop)
    settings, chosen = configuration.load(), folder.choose(place)
    try:
        with folder.claimed(chosen):
            follow(settings, chosen, crowd, sandbox_port, stop)
    except Exception:
        # The terminal's Ctrl-C also reaches what the database is being set up with, which then fails.
        if not stop.asked:
            raise
    screen.console.print("Everything is stopped.")


def follow(settings: Settings, place: Path, crowd: Crowd, sandbox_port: int, stop: Stop) -> None:
    """Start everything in order, show it, and watch it."""
    port, workos = source.api_port(settings), source.choose(settings, sandbox_port)
    if not workos.sandbox:
        source.check(workos, settings.workos_timeout)
    given = settings.database_url.get_secret_value()
    with database.opened(given, place / "postgres", workos) as url, children.started(place) as running:
        stop.check()
        environment = variables(url, workos, settings.host, port)
        write_environment(place / "env", environment)
        stage = Stage(running, workos, url, f"http://{source.reachable(settings.host)}:{port}", stop)
        begin(stage, environment, crowd)
        complete(stage)
        screen.show(tour(stage))
        watch(stage)


def variables(url: str, workos: Source, host: str, port: int) -> dict[str, str]:
    """The settings of every process of the demo."""
    if workos.sandbox:
        followed = {"SANDBOX_URL": workos.base_url, "WORKOS_API_KEY": NO_KEY}
    else:
        followed = {
            "WORKOS_API_KEY": workos.api_key,
            "WORKOS_CLIENT_ID": workos.client_id,
            "WORKOS_BASE_URL": workos.base_url,
        }
    values = {"DATABASE_URL": url, **followed, "HOST": host, "PORT": str(port)}
    return {f"USER_MANAGEMENT_{name}": value for name, value in values.items() if value}


def write_environment(file: Path, environment: Mapping[str, str]) -> None:
    """Write the settings for a second terminal's shell, readable by nobody else."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write("\n".join(lines) + "\n")


def begin(stage: Stage, environment: Mapping[str, str], crowd: Crowd) -> None:
    """Start the processes and wait until those that serve answer."""
    running = stage.running
    if stage.workos.sandbox:
        running.start("sandbox", *sandbox_command(stage.workos, crowd), environment={})
        wait.until_answers(f"{stage.workos.base_url}/_sandbox", lambda: look(stage))
        people = f"{crowd.users:,} users, {crowd.organizations:,} organizations, {crowd.activity:g} events/s"
        screen.line("WorkOS", f"a local one at {stage.workos.base_url}: {people}")
    running.start("listener", "-m", "user_management.listener", environment=environment)
    screen.line("listener", f"pid {running.pid('listener')}")
    running.start("api", "-m", "user_management", environment=environment)
    wait.until_answers(f"{stage.api}/api/health", lambda: look(stage))
    screen.line("API", f"{stage.api}/api/docs")


def sandbox_command(workos: Source, crowd: Crowd) -> list[str]:
    """How the local WorkOS is started: the same people every day."""
    return [
        "-m", "user_management.sandbox", "--port", workos.base_url.rpartition(":")[2], "--api-key", workos.api_key,
        "--users", str(crowd.users), "--organizations", str(crowd.organizations), "--activity", str(crowd.activity),
        "--seed", "1",
    ]  # fmt: skip


def complete(stage: Stage) -> None:
    """Wait until the copy is complete."""
    began = time.monotonic()
    run = wait.until_ready(f"{stage.api}/api/ready", stage.database, lambda: look(stage))
    listed = f"{run.listed:,} objects listed" if run else "complete"
    screen.line("copy", f"live: {listed}, ready in {time.monotonic() - began:.1f} s")


def tour(stage: Stage) -> screen.Tour:
    """What there is to show."""
    return screen.Tour(
        api=stage.api,
        workos=stage.workos.base_url,
        key=stage.workos.api_key,
        folder=stage.running.folder,
        listener=stage.running.pid("listener"),
        sandbox=stage.workos.sandbox,
        after=wait.second_page(stage.api),
        event=asyncio.run(wait.last_event(stage.database)),
    )


def watch(stage: Stage) -> None:
    """Watch the processes until we are asked to stop; `ChildDied` when the API or the local WorkOS ends."""
    while not stage.stop.asked:
        time.sleep(wait.GLANCE)
        for name in stage.running.died():
            if name == "listener":
                screen.note("The listener has ended; everything else runs on. Start it again in a second terminal:")
                screen.command(screen.restart(stage.running.folder))
            else:
                mourn(stage, name)


def look(stage: Stage) -> None:
    """While something is waited for: `Interrupted` when we are asked to stop, `ChildDied` when any process ends."""
    stage.stop.check()
    for name in stage.running.died():
        mourn(stage, name)


def mourn(stage: Stage, name: str) -> None:
    """Show why a process has ended; `ChildDied` unless everything is to end anyhow."""
    if not stage.stop.asked:
        screen.log(stage.running.log(name))
        raise ChildDied(f"The {name} has ended.")
