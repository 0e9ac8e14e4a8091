"""Signing in: `POST /user_management/authenticate`, by every grant that needs no browser and no second factor."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import (
    bodies,
    continuations,
    derive,
    errors,
    limits,
    mail,
    replies,
    sessions,
    tokens,
    users,
)
from user_management.sandbox.continuations import Pending
from user_management.sandbox.limits import SIGN_INS, Limits
from user_management.sandbox.one_time_codes import EMAIL_VERIFICATION, MAGIC_AUTH, Verdict
from user_management.sandbox.store import Store, store_of

_CLIENT: Final = ("client_id", "client_secret", "grant_type")
_URN: Final = "urn:workos:oauth:grant-type:"
_FIELDS: Final = {
    **dict.fromkeys((*_CLIENT, "email", "password", "code"), bodies.TEXT),
    **dict.fromkeys(("refresh_token", "pending_authentication_token"), bodies.TEXT),
    **dict.fromkeys(("organization_id", "ip_address", "user_agent"), bodies.NULLABLE_TEXT),
}
_METHODS: Final = {sessions.PASSWORD: "Password", sessions.MAGIC_CODE: "MagicAuth"}
_REFUSALS: Final = {
    Verdict.MISSING: ("invalid_one_time_code", "Invalid one-time code."),
    Verdict.INCORRECT: ("invalid_one_time_code", "Invalid one-time code."),
    Verdict.USED: ("one_time_code_previously_used", "The one-time code was used before."),
    Verdict.EXPIRED: ("one_time_code_expired", "The one-time code has expired."),
    Verdict.EXHAUSTED: ("one_time_code_too_many_attempts", "Too many attempts with this one-time code."),
}
_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of authenticate."""

    store: Store
    limits: Limits
    fields: dict[str, Any]

    def client(self) -> dict[str, str | None]:
        """Where the person sits, as far as the caller says."""
        return {name: self.fields.get(name) for name in ("ip_address", "user_agent")}


Entry = tuple[dict[str, Any], str | None]
"""A session, and the organization its next access token is for."""


async def authenticate(request: Request) -> Response:
    """A user and fresh tokens, a 403 that asks for one more step, or the 400 of what was wrong."""
    store = store_of(request)
    fields = await bodies.read(request, _FIELDS, required=_CLIENT)
    _check_client(store, fields)
    needs, enter = _grant(fields["grant_type"])
    bodies.check(fields, _FIELDS, needs)
    session, organization_id = enter(Attempt(store, limits.limits_of(request), fields))
    answer = _answer(store, session, organization_id, tokens.issuer(request))
    return replies.wrote(request, session["id"], orjson.dumps(answer))


def _check_client(store: Store, fields: Mapping[str, str]) -> None:
    known = compare_digest(fields["client_secret"].encode(), store.config.api_key.encode())
    if fields["client_id"] != store.config.client_id or not known:
        raise errors.oauth("invalid_client", "Invalid client ID or secret.")


def _answer(store: Store, session: dict[str, Any], organization_id: str | None, issuer: str) -> dict[str, Any]:
    """The reply of authenticate."""
    place = {} if organization_id is None else {"organization_id": organization_id}
    return {
        "user": _person(store, session["user_id"]),
        **place,
        "access_token": tokens.access_token(store, session, organization_id, issuer),
        "refresh_token": tokens.refresh_token(store, session["id"], organization_id),
        "authentication_method": _METHODS[session["auth_method"]],
    }


def _person(store: Store, user_id: str) -> dict[str, Any]:
    """A user as authenticate shows one: without metadata."""
    return {name: value for name, value in users.get(store, user_id).items() if name != "metadata"}


def _by_password(attempt: Attempt) -> Entry:
    """An address and its password; 400, not 401, when they are wrong."""
    store, email = attempt.store, users.normal(attempt.fields["email"])
    attempt.limits.count_for(SIGN_INS, email)
    user_id = store.emails.get(email, "")
    with _reported(attempt, "password", user_id, email):
        if not _knows(store, user_id, attempt.fields["password"]):
            raise errors.refused("invalid_credentials", "Invalid credentials.")
    return _enter(attempt, user_id, sessions.PASSWORD)


def _knows(store: Store, user_id: str, password: str) -> bool:
    """Whether it is a user's password; whoever was seeded and never set one has the one of all of them."""
    seeded = sessions.SEEDED_PASSWORD if user_id and user_id <= store.seeded_until else None
    expected = store.passwords.get(user_id, seeded)
    return expected is not None and compare_digest(expected.encode(), password.encode())


def _by_magic_auth(attempt: Attempt) -> Entry:
    """The code that was sent to an address; whoever has it owns the address, which so is verified."""
    store, email = attempt.store, users.normal(attempt.fields["email"])
    attempt.limits.count_for(SIGN_INS, email)
    user_id = store.emails.get(email, "")
    with _reported(attempt, "magic_auth", user_id, email):
        _check_code(mail.answer(store, MAGIC_AUTH, user_id, attempt.fields["code"], email))
        users.update(store, user_id, {"email_verified": True})
    return _enter(attempt, user_id, sessions.MAGIC_CODE)


def _by_email_verification(attempt: Attempt) -> Entry:
    """The code that an unverified address was sent when its owner tried to sign in."""
    store, token = attempt.store, attempt.fields["pending_authentication_token"]
    attempt.limits.count_for(SIGN_INS, token)
    pending = _pending(store, token, continuations.EMAIL_VERIFICATION)
    email = users.get(store, pending.user_id)["email"]
    with _reported(attempt, "email_verification", pending.user_id, email):
        _check_code(mail.answer(store, EMAIL_VERIFICATION, pending.user_id, attempt.fields["code"], email))
        users.update(store, pending.user_id, {"email_verified": True})
    del store.pending[token]
    return _enter(attempt, pending.user_id, pending.method)


def _by_organization_selection(attempt: Attempt) -> Entry:
    """One of several organizations, chosen after the rest was proven; a wrong choice may be mended."""
    store, token = attempt.store, attempt.fields["pending_authentication_token"]
    attempt.limits.count_for(SIGN_INS, token)
    pending = _pending(store, token, continuations.ORGANIZATION_SELECTION)
    organization_id = _membership(store, pending.user_id, attempt.fields["organization_id"])
    del store.pending[token]
    return _begin(attempt, pending.user_id, pending.method, organization_id)


def _by_refresh_token(attempt: Attempt) -> Entry:
    """The session goes on, elsewhere if told; its object stays as it was, as no event could tell of a change."""
    store, fields = attempt.store, attempt.fields
    session, former = tokens.redeem(store, fields["refresh_token"])
    organization_id = fields.get("organization_id") or former
    if organization_id is not None:
        _membership(store, session["user_id"], organization_id)
    return session, organization_id


def _enter(attempt: Attempt, user_id: str, method: str) -> Entry:
    """A session for who has proven who they are, once their address is verified and their organization known."""
    store, user = attempt.store, _person(attempt.store, user_id)
    if store.rules.require_verified_email and not user["email_verified"]:
        code = mail.send(store, EMAIL_VERIFICATION, user_id, user["email"])
        token = _wait(store, user_id, method, continuations.EMAIL_VERIFICATION)
        raise continuations.email_verification_required(token, user["email"], code.id)
    choice = sessions.organizations_of(store, user_id)
    if store.rules.require_organization and len(choice) > 1:
        token = _wait(store, user_id, method, continuations.ORGANIZATION_SELECTION)
        found = [store.organizations.read(organization_id) for organization_id in choice]
        named = [{"id": one["id"], "name": one["name"]} for one in found if one]
        raise continuations.organization_selection_required(token, user, named)
    return _begin(attempt, user_id, method, None)


def _begin(attempt: Attempt, user_id: str, method: str, organization_id: str | None) -> Entry:
    session = sessions.sign_in(
        attempt.store, user_id, auth_method=method, organization_id=organization_id, **attempt.client()
    )
    return session, session.get("organization_id")


def _wait(store: Store, user_id: str, method: str, step: str) -> str:
    """A token for the next step of a sign-in; the oldest are forgotten when there are many."""
    token = derive.text(store, "pending", store.new_id("pending", store.now()))
    store.pending[token] = Pending(user_id, method, step, store.now() + continuations.LIFETIME)
    if len(store.pending) > _KEPT:
        del store.pending[next(iter(store.pending))]
    return token


def _pending(store: Store, token: str, step: str) -> Pending:
    """The sign-in that waits for a step, its user still being there."""
    pending = store.pending.get(token)
    known = pending is not None and pending.step == step and pending.user_id in store.users.blobs
    if pending is None or not known or pending.expires <= store.now():
        raise errors.refused("invalid_pending_authentication_token", "The pending authentication token is not valid.")
    return pending


def _membership(store: Store, user_id: str, organization_id: str) -> str:
    """The organization, which the user is an active member of."""
    if organization_id not in store.organizations.blobs:
        raise errors.oauth("organization_not_found", "Organization not found.")
    if organization_id not in sessions.organizations_of(store, user_id):
        raise errors.oauth("organization_membership_not_found", "The user is no active member of the organization.")
    return organization_id


def _check_code(verdict: Verdict) -> None:
    if verdict is not Verdict.GOOD:
        raise errors.refused(*_REFUSALS[verdict])


@contextmanager
def _reported(attempt: Attempt, method: str, user_id: str, email: str) -> Iterator[None]:
    """Tell by an event, which has neither id nor times, whether what the block checks was proven."""
    told: dict[str, Any] = {
        "type": method,
        "status": "succeeded",
        **attempt.client(),
        "user_id": user_id or None,
        "email": email,
    }
    try:
        yield
    except errors.ApiError as error:
        told |= {"status": "failed", "error": {name: error.body[name] for name in ("code", "message")}}
        raise
    finally:
        kind = f"authentication.{method}_{told['status']}"
        attempt.store.emit(kind, orjson.dumps(told), attempt.store.now())


Grant = tuple[tuple[str, ...], Callable[[Attempt], Entry]]
"""The fields a grant needs and what it does."""

_GRANTS: Final[Mapping[str, Grant]] = {
    "password": (("email", "password"), _by_password),
    "refresh_token": (("refresh_token",), _by_refresh_token),
    f"{_URN}magic-auth:code": (("email", "code"), _by_magic_auth),
    f"{_URN}email-verification:code": (("code", "pending_authentication_token"), _by_email_verification),
    f"{_URN}organization-selection": (("pending_authentication_token", "organization_id"), _by_organization_selection),
}


def _grant(name: str) -> Grant:
    """The grant of a name; those that need a browser or a second factor are none of the sandbox's."""
    grant = _GRANTS.get(name)
    if grant is None:
        raise errors.oauth("unsupported_grant_type", f"The sandbox has no hosted sign-in and no MFA: '{name}'.")
    return grant


ROUTES: Final = [Route("/user_management/authenticate", authenticate, methods=["POST"])]
