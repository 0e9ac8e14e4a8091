"""The stack: valid in every combination, closed to the network, and what it names is there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from user_management.tests.deploy.conftest import DEPLOY, run

FILES = sorted(DEPLOY.glob("docker-compose*.yml"))
OVER = [(), ("dev",), ("otlp",), ("observability",), ("otlp", "observability"), ("dev", "otlp", "observability"),
        ("key",), ("dev", "key"), ("otlp", "observability", "key")]  # fmt: skip
PORTS = {"api": 8000, "listener": 9464, "sandbox": 4100, "grafana": 3000, "prometheus": 9090}
"""What answers inside the containers that are asked for their health."""


@pytest.fixture(scope="session")
def compose() -> tuple[str, ...]:
    """Docker Compose, which needs no engine to check its files; where there is none, the reason is told."""
    try:
        found = run("docker", "compose", "version", "--short")
    except OSError:
        pytest.skip("needs Docker Compose v2: `docker` is not installed here")
    if found.returncode != 0:
        pytest.skip("needs Docker Compose v2: `docker compose` is not installed here")
    return ("docker", "compose")


def stack(compose: tuple[str, ...], over: tuple[str, ...], *options: str, **environment: str) -> dict[str, Any]:
    """The services of a combination, as Compose understands them."""
    names = ["docker-compose.yml", *(f"docker-compose.{name}.yml" for name in over)]
    files = [part for name in names for part in ("-f", str(DEPLOY / name))]
    key = {"USER_MANAGEMENT_WORKOS_API_KEY": "sk_test"} if "key" in over else {}
    done = run(*compose, *files, *options, "config", "--format", "json", environment={**key, **environment})
    assert (done.returncode, done.stderr) == (0, "")
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


@pytest.mark.parametrize("over", OVER, ids=lambda over: "+".join(("base", *over)))
def test_every_combination_is_valid_and_closed(compose: tuple[str, ...], over: tuple[str, ...]) -> None:
    """Ports are this machine's only; containers may not write, gain rights, or fill the disk with what they say."""
    for service in stack(compose, over, "--profile", "sandbox").values():
        assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"] == {"max-file": "3", "max-size": "10m"}


@pytest.mark.parametrize("over", OVER, ids=lambda over: "+".join(("base", *over)))
def test_health_is_asked_where_it_answers(compose: tuple[str, ...], over: tuple[str, ...]) -> None:
    """Every health check asks the port on which its service listens."""
    for name, service in stack(compose, over, "--profile", "sandbox").items():
        asked = " ".join(service.get("healthcheck", {}).get("test", []))
        if "http" in asked:
            assert f"http://127.0.0.1:{PORTS[name]}" in asked
        assert ("/api/ready" in asked) == (name in {"api", "listener"})


def test_listeners_can_be_many(compose: tuple[str, ...]) -> None:
    """Nothing about the listener is there only once: no name, no published port."""
    listener = stack(compose, ())["listener"]
    assert listener.keys().isdisjoint({"container_name", "ports"})


def test_the_sandbox_is_there_when_asked_for(compose: tuple[str, ...]) -> None:
    """It stands in a profile: without it, there is no second WorkOS."""
    assert "sandbox" not in stack(compose, ())
    assert "sandbox" in stack(compose, (), "--profile", "sandbox")


def test_a_key_of_the_shell_reaches_those_who_need_it(compose: tuple[str, ...]) -> None:
    """The API and the listener get it, nobody else does."""
    services = stack(compose, ("key",), "--profile", "sandbox", USER_MANAGEMENT_WORKOS_API_KEY="sk_hunter2")
    assert {name for name, service in services.items() if "hunter2" in json.dumps(service)} == {"api", "listener"}


def test_who_may_ask_can_be_said_in_the_shell_too(compose: tuple[str, ...]) -> None:
    """With a key of the shell alone the API would refuse to start, for nobody could ask it."""
    services = stack(compose, ("key",), USER_MANAGEMENT_API_KEYS="billing:read:0f")
    assert services["api"]["environment"]["USER_MANAGEMENT_API_KEYS"] == "billing:read:0f"


def test_two_workos_never_share_a_database(compose: tuple[str, ...]) -> None:
    """With a key the database lies on another volume, of another name in the service: only that moves one that runs."""
    keys: list[dict[str, str]] = [{}, {"USER_MANAGEMENT_WORKOS_API_KEY": "sk_1"}]
    found = [stack(compose, (), **key)["db"]["volumes"][0]["source"] for key in keys]
    assert found == ["data", "workos_data"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_images_are_pinned_and_ports_are_local(file: Path) -> None:
    """Every image has a tag that says which, every published port this machine's address."""
    text = file.read_text()
    for image in re.findall(r"^ +image: (\S+)$", text, re.MULTILINE):
        _, _, tag = image.rpartition(":")
        assert re.match(r"v?\d|local$|test$", tag), image
    for ports in re.findall(r"^ +ports: (.+)$", text, re.MULTILINE):
        assert ports.startswith('["127.0.0.1:'), ports


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_mounted_is_there(file: Path) -> None:
    """A missing file would become an empty folder in the container."""
    for path in re.findall(r"[\" ](\.\.?/[^\s:\"]+):/", file.read_text()):
        assert (DEPLOY / path).exists(), path


def test_the_image_listens_for_signals() -> None:
    """Its command is the process itself, with no shell between it and SIGTERM."""
    commands = re.findall(r"^(?:CMD|ENTRYPOINT) (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert [json.loads(command)[0] for command in commands] == ["python", "pytest"]
