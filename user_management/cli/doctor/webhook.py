"""Webhooks: whether a secret is set, and whether the API that runs here was started with the same one."""

import hashlib
import hmac
import time
from http import HTTPStatus

import httpx

from user_management.cli.doctor.checkup import Checkup, bad, good, unknown
from user_management.settings import Settings

NAME = "webhook secret"
SAYING: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "was started without a secret",
    HTTPStatus.UNAUTHORIZED: "was started with another secret, or its clock is wrong",
}
"""What an answer means."""
PATIENCE = 3.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what others listen on
BODY = b'"ping"'
"""No event: an API that accepts the signature refuses the body, and keeps nothing."""


def signed(secret: str, body: bytes, at: float) -> str:
    """The header with which WorkOS signs a body."""
    stamp = str(int(at * 1000))
    return f"t={stamp}, v1={hmac.new(secret.encode(), stamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def address(host: str) -> str:
    """Where somebody who listens on a host is reached from here."""
    host = EVERYWHERE.get(host, host)
    return f"[{host}]" if ":" in host else host


async def probe(settings: Settings) -> Checkup:
    """Sign something that is no event as WorkOS would, and see whether the API takes the signature."""
    secrets = [one.strip() for one in settings.workos_webhook_secret.get_secret_value().split(",") if one.strip()]
    if not secrets:
        return unknown(NAME, "not set: webhooks are refused, and the copy follows the feed alone, which is enough")
    url = f"http://{address(settings.host)}:{settings.port}/webhooks/workos"
    try:
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            answers = [
                await http.post(url, content=BODY, headers={"WorkOS-Signature": signed(one, BODY, time.time())})
                for one in secrets
            ]
    except httpx.HTTPError as error:
        return unknown(NAME, f"set; no API answers at {url} ({type(error).__name__})")
    if all(answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY for answer in answers):
        return good(NAME, f"the API at {url} takes it")
    said = ", ".join(SAYING.get(answer.status_code, f"answers {answer.status_code}") for answer in answers)
    fix = "Start the API again with these settings, or set USER_MANAGEMENT_WORKOS_WEBHOOK_SECRET to what it has."
    return bad(NAME, f"the API at {url} {said}", fix)
