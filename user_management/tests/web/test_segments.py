"""Ids in paths stay where they stand: whatever a caller puts there, WorkOS is asked at the write's own place."""

from urllib.parse import unquote

import httpx
import pytest
import respx

from user_management.tests.web.test_every_write import BODIES, NAMED, PLAIN, name
from user_management.web.api.writes import Write

PATHS = [write for write in PLAIN if "{" in write.path]
ODD = ["%2e%2e", "%2e", "..%2f..%2forganizations", "a%2f..%2fb", "%2e%2e%2f%2e%2e%2f", "%00", "a%00", "%5c..%5cb",
       "a%3fb=c",
       "a%23b", "%252e%252e%252fb", "a;b", "%0d%0ax", "%F0%9F%92%A9"]  # fmt: skip
"""What no id is, as it can stand in a URL."""


async def asked(api: httpx.AsyncClient, remote: respx.MockRouter, write: Write) -> list[str]:
    """The paths at which WorkOS was asked for a write, whatever stood in its place for an id."""
    before = len(remote.calls)
    for odd in (*ODD, "plain"):
        path = NAMED.sub(lambda _, odd=odd: odd, write.path)  # type: ignore[misc]  # bound as a default, for a loop
        answer = await api.request(write.asked_by, path, json=BODIES.get(name(write)))
        assert answer.status_code < 500, (path, answer.text)
    return [call.request.url.raw_path.partition(b"?")[0].decode() for call in list(remote.calls)[before:]]


@pytest.mark.parametrize("method", sorted({write.asked_by for write in PATHS}))
async def test_no_id_leaves_its_segment(afar: httpx.AsyncClient, remote: respx.MockRouter, method: str) -> None:
    """Neither by dots, slashes or backslashes, encoded once or twice, nor by NUL, a query or a fragment."""
    remote.route().respond(404, json={"message": "Not found"})
    for write in (one for one in PATHS if one.asked_by == method):
        found = await asked(afar, remote, write)
        assert found, f"nothing reached WorkOS: the test shows nothing of {write.path}"
        for raw in found:
            segments = raw.strip("/").split("/")
            assert len(segments) <= max(len(write.command.path), len(write.command.place or ())) + 1, raw
            assert not {".", "..", ""} & {unquote(one) for one in segments}, raw
            assert "\0" not in unquote(raw), raw
