"""What was shown to get in is told to nobody: not in a reply, not in a log."""

import io
import logging
from collections.abc import Iterator

import httpx
import pytest
import respx
import structlog

from user_management import telemetry
from user_management.telemetry import redaction
from user_management.tests.support.tokens import Jwks, token
from user_management.tests.web.conftest import Serve, Tell
from user_management.tests.web.test_keys import bearer, made
from user_management.tests.web.test_tokens import GUARDED
from user_management.web.credentials import keys
from user_management.web.scopes import Scope


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that is logged, as operators read it, down to the last detail."""
    root, written = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", written)
    telemetry.logs.configure("debug", json=True)
    yield written
    root.handlers, root.level = before, level
    structlog.reset_defaults()


async def test_a_whole_session_tells_no_secret(
    serve: Serve, remote: respx.MockRouter, tell: Tell, lines: io.StringIO
) -> None:
    """Keys and tokens, good and bad, in every place they are shown: no reply and no line has any of them."""
    await tell("users")
    Jwks(remote)
    remote.post("/user_management/users").respond(500)
    (secret, key), (reader, small) = made("billing", Scope.WRITE), made("reports")
    good, expired = token(), token(exp=1)
    forged = good[:-8] + "AAAAAAAA"
    shown = (secret, reader, good, expired, forged, keys.new())
    replies = []
    async with httpx.AsyncClient() as http, serve(http, **GUARDED, api_keys=(key, small)) as api:
        for one in shown:
            for headers in (bearer(one), {"X-API-Key": one}):
                replies += [
                    await api.get(path, headers=headers) for path in ("/api/users/me", "/api/users", "/metrics")
                ]
                replies.append(await api.post("/api/users", json={"email": "ada@example.com"}, headers=headers))
    told = lines.getvalue() + "".join(f"{one.headers} {one.text}" for one in replies)
    assert {one.status_code for one in replies} >= {200, 401, 403, 504}
    for one in shown:
        assert not [part for part in (one, one[4:], *one.split(".")[1:], keys.digest(one.encode())) if part in told]


async def test_a_line_names_whose_request_it_is_about(
    serve: Serve, remote: respx.MockRouter, lines: io.StringIO
) -> None:
    """By the key's name or the user's id, as `credential`; and the next request's lines do not."""
    Jwks(remote)
    secret, key = made("billing")
    async with httpx.AsyncClient() as http, serve(http, **GUARDED, api_keys=(key,)) as api:
        for headers in (bearer(secret), bearer(token()), bearer("umk_wrong")):
            await api.post("/api/users", json={}, headers=headers)
    found = [line for line in lines.getvalue().splitlines() if '"credential.' in line]
    named = [
        '"credential": "billing"' in found[0],
        '"credential": "user_0000"' in found[1],
        '"credential":' in found[2],
    ]
    assert (len(found), named) == (3, [True, True, False])


def test_a_key_of_ours_is_hidden_wherever_it_stands() -> None:
    """Also in a line of somebody who does not know what it is."""
    secret = keys.new()
    for words in (secret, f"tried {secret}, in vain", f"https://x/?k={secret}"):
        assert secret[4:] not in redaction.text(words)
    assert redaction.redact({"credential": "billing"}) == {"credential": "billing"}
    assert redaction.redact({"credential": secret, "credentials": "billing"}) == {
        "credential": "[redacted]", "credentials": "[redacted]",
    }  # fmt: skip
