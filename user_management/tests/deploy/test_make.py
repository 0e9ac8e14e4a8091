"""`make up`: with a WorkOS key it follows WorkOS, without one the sandbox."""

import shutil
from pathlib import Path

import pytest

from user_management.tests.deploy.conftest import ROOT, run

KEY = "USER_MANAGEMENT_WORKOS_API_KEY"


def upped(target: str, folder: Path, **environment: str) -> str:
    """The command that `make` would start the stack with, in a folder."""
    done = run("make", "-n", "-f", str(ROOT / "Makefile"), target, cwd=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if " up --detach" in line)
    return line


@pytest.mark.parametrize("written", [None, f"{KEY}=\n", f"# {KEY}=sk_1\n", f"{KEY}=  # later\n", f"{KEY}=''\n"])
def test_without_a_key_the_sandbox_stands_in(written: str | None, tmp_path: Path) -> None:
    """No .env, or one without a key, or a variable that is empty."""
    if written is not None:
        (tmp_path / ".env").write_text(written)
    for environment in ({}, {KEY: ""}):
        assert "--profile sandbox" in upped("up", tmp_path, **environment)


@pytest.mark.parametrize("written", [f"{KEY}=sk_1\n", f"A=1\nexport {KEY} = 'sk_1'\n", f'{KEY}="sk_1"\n'])
def test_with_a_key_in_env_workos_is_followed(written: str, tmp_path: Path) -> None:
    """There is no sandbox then, and Compose reads .env; an empty variable of the shell does not hide it."""
    (tmp_path / ".env").write_text(written)
    for environment in ({}, {KEY: ""}):
        line = upped("up", tmp_path, **environment)
        assert ("sandbox" in line, "--env-file .env" in line, "key.yml" in line) == (False, True, False)


def test_with_a_key_in_the_shell_workos_is_followed(tmp_path: Path) -> None:
    """The key is passed on by name; the command does not show it."""
    line = upped("up", tmp_path, **{KEY: "sk_hunter2"})
    assert ("sandbox" in line, "docker-compose.key.yml" in line, "hunter2" in line) == (False, True, False)


@pytest.mark.parametrize(
    ("target", "files"),
    [("up", []), ("up-dev", ["dev"]), ("up-otlp", ["otlp"]), ("up-observability", ["otlp", "observability"])],
)
def test_each_target_adds_its_files(target: str, files: list[str], tmp_path: Path) -> None:
    """The stack first, then what is laid over it."""
    names = ["docker-compose.yml", *(f"docker-compose.{name}.yml" for name in files)]
    given = [word for word in upped(target, tmp_path).split() if word.startswith("deploy/")]
    assert given == [f"deploy/{name}" for name in names]
    assert all((ROOT / name).exists() for name in given)


def test_without_docker_it_says_so_in_a_sentence(tmp_path: Path) -> None:
    """Who has no Docker is told what is needed, and nothing else."""
    for name in ("make", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = run("make", "-f", str(ROOT / "Makefile"), "ps", cwd=tmp_path, environment={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    assert done.stdout.startswith("Docker with Compose v2 is needed: https://")
