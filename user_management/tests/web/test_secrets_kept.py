"""A whole story of signing up, in and out, and nothing secret of it stays: in no table, line, span or metric."""

import json
import re
from typing import Any

import httpx
import structlog

from user_management.db import schema
from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.tests.support import copies
from user_management.tests.support.local_workos import HEADERS, LocalWorkOS
from user_management.tests.support.local_workos import KEY as WORKOS_KEY
from user_management.tests.telemetry.conftest import Told
from user_management.tests.telemetry.conftest import told as told  # noqa: PLC0414  a fixture of the telemetry's tests
from user_management.tests.web.test_sign_in import EMAIL, PASSWORD, letter, register, rules

NEW, NEWEST = "battery staple, twice", "a staple for the battery"
SECRET_KEYS = {"access_token", "refresh_token", "password_reset_token", "pending_authentication_token", "code"}


class Teller:
    """A caller who gives every request a key and collects the secrets that come back."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self.api, self.secrets, self.asked = api, {PASSWORD, NEW, NEWEST, WORKOS_KEY}, list[tuple[Any, ...]]()

    async def say(self, path: str, body: Any = None, *, method: str = "POST", keyed: bool = True) -> Any:
        """What is answered; the same again under the same key."""
        headers = {"Idempotency-Key": f"key-{len(self.asked)}"} if keyed else {}
        answer = await self.api.request(method, path, json=body, headers=headers)
        self.asked.append((path, body, answer.status_code))
        if keyed:
            again = await self.api.request(method, path, json=body, headers=headers)
            assert (again.status_code, again.content) == (answer.status_code, answer.content), path
            assert again.headers["Idempotency-Replayed"] == "true"
        found = answer.json() if answer.content else {}
        self.secrets |= {found[key] for key in SECRET_KEYS & found.keys() if len(found[key]) > 5 and answer.is_success}
        self.secrets |= {found[key] for key in {"pending_authentication_token"} & found.keys()}
        return found


async def story(teller: Teller, local: LocalWorkOS) -> None:
    """Sign up, in by every way, go on, forget, reset, change, move, leave."""
    user = await register(teller.api)
    at, say = f"/api/users/{user['id']}", teller.say
    credentials = {"email": EMAIL, "password": PASSWORD}
    await say("/api/auth/login", {**credentials, "password": "a wrong guess"})
    teller.secrets.add("a wrong guess")
    await rules(local, require_verified_email=True)
    pending = (await say("/api/auth/login", credentials))["pending_authentication_token"]
    code = (await letter(local))["code"]
    teller.secrets |= {code}
    step = {"grant_type": "email_verification", "pending_authentication_token": pending, "code": code}
    entered = await say("/api/auth/login", step)
    await say("/api/auth/refresh", {"refresh_token": entered["refresh_token"]}, keyed=False)
    sent = await say("/api/auth/magic-code", {"email": EMAIL})
    await say("/api/auth/login", {"grant_type": "magic_code", "email": EMAIL, "code": sent["code"]})
    reset = (await say("/api/auth/request-password-reset", {"email": EMAIL}))["password_reset_token"]
    await say("/api/auth/reset-password", {"token": reset, "new_password": NEW})
    await say(f"{at}/password", {"current_password": NEW, "new_password": NEWEST}, method="PUT")
    await say(f"{at}/email-change", {"new_email": "countess@example.com"})
    teller.secrets |= {moved := (await letter(local, "countess@example.com"))["code"]}
    await say(f"{at}/email-change/confirm", {"code": moved})
    await say(f"{at}/soft-delete")
    await say(f"{at}/restore")


async def dump(pool: Pool) -> str:
    """Every row of every table as text, as a dump holds it."""
    tables = [table.name for table in schema.declared().sorted_tables]
    return "\n".join([str(await pool.fetchval(f"SELECT string_agg(t::text, '\n') FROM {name} t")) for name in tables])


def held(text: str, secrets: set[str]) -> list[str]:
    """The secrets that stand in a text; the digits of a code, not of a time or of something longer."""
    return [one for one in sorted(secrets) if re.search(rf"(?<![\w.]){re.escape(one)}(?!\w)", text)]


async def test_a_whole_story_leaves_no_secret_behind(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, listener: Listener, told: Told
) -> None:
    """Not in the ledger, which yet repeats each answer to the byte; nor in the journal, once its events have come."""
    teller = Teller(api)
    await copies.begin(listener)
    with structlog.testing.capture_logs() as lines:
        await story(teller, local)
        await copies.drain(listener)
    assert [status for _, _, status in teller.asked if status >= 500] == []
    assert len(teller.secrets) > 12
    assert held(await dump(pool), teller.secrets) == []
    assert held(json.dumps(lines, default=repr), teller.secrets) == []
    assert held("\n".join(span.to_json() for span in await told.spans()), teller.secrets) == []
    await copies.assert_equal_to_journal(pool)


async def test_nothing_that_passes_through_stays(
    api: httpx.AsyncClient, local: LocalWorkOS, pool: Pool, listener: Listener, told: Told
) -> None:
    """The same by WorkOS's own paths, whose replies hold tokens, URLs and the value of a key."""
    await copies.begin(listener)
    api.headers.update(HEADERS)
    asked = list[httpx.Response]()

    async def say(path: str, **body: Any) -> Any:
        asked.append(await api.post(path, json=body))
        assert asked[-1].is_success, asked[-1].text
        return asked[-1].json()

    with structlog.testing.capture_logs() as lines:
        user = await say("/user_management/users", email=EMAIL, password=PASSWORD, email_verified=True)
        organization = await say("/organizations", name="Engines")
        credentials = {"client_id": "client_sandbox", "client_secret": WORKOS_KEY}
        ways = {"grant_type": "password", "email": EMAIL, "password": PASSWORD}
        entered = await say("/user_management/authenticate", **ways, **credentials)
        fresh = await say("/user_management/authenticate", grant_type="refresh_token",
                          refresh_token=entered["refresh_token"], **credentials)  # fmt: skip
        invitation = await say("/user_management/invitations", email="grace@example.com")
        reset = await say("/user_management/password_reset", email=EMAIL)
        magic = await say("/user_management/magic_auth", email=EMAIL)
        key = await say(f"/organizations/{organization['id']}/api_keys", name="Production")
        await copies.drain(listener)
    secrets = {
        PASSWORD, WORKOS_KEY, key["value"], magic["code"], invitation["token"], reset["password_reset_token"],
        invitation["accept_invitation_url"], reset["password_reset_url"],
        *(one[name] for one in (entered, fresh) for name in ("access_token", "refresh_token")),
    }  # fmt: skip
    assert len(secrets) == 12
    kept = await dump(pool)
    assert user["id"] in kept
    spans = "\n".join(span.to_json() for span in await told.spans())
    assert [held(text, secrets) for text in (kept, json.dumps(lines, default=repr), spans)] == [[], [], []]
