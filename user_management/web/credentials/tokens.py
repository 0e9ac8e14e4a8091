"""Session access tokens of WorkOS: RS256, signed by a key of our client, from an issuer we know, and not over.

BEWARE: a scope is not bound to the organization (`org_id`) a token is of. Whoever holds a permission
`user_management:read`, `:write` or `:admin` in any one organization has that scope over the whole environment: these
permissions belong in roles for one's own staff, never in one that a customer's administrator can assign or make.
Without one a token gives no more than what concerns its user.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import jwt

from user_management.mirror.engine import standing
from user_management.mirror.engine.resource import UNSTORABLE
from user_management.services.workos.jwks import Keyring
from user_management.web.credentials.holders import Holder, Refused
from user_management.web.dependencies import Backend
from user_management.web.scopes import Scope

ALGORITHM = "RS256"
"""The one that WorkOS signs with; no token chooses another."""
LEEWAY = 10
"""Seconds that two clocks may differ."""
CLAIMS = ["exp", "iss", "sub", "sid"]
"""What a session's token cannot be without: one of another kind has no session."""
PERMISSIONS = {f"user_management:{scope}": scope for scope in (Scope.READ, Scope.WRITE, Scope.ADMIN)}
"""The permissions at WorkOS that give a scope here."""
FORMS = ("", "/user_management/{}", "/sso/{}", "/convex/{}")
"""How WorkOS writes the issuer, after its address, for a client."""
REMEMBERED = 10_000
"""Tokens that are not checked again at each request."""
TRUSTED = 300.0
"""Seconds after which the signature is checked again: keys can be withdrawn."""
STANDING = 1.0
"""Seconds after which the copy is asked again whether the session was revoked or the user deleted."""


@dataclass(slots=True)
class Session:
    """A token that was found good."""

    holder: Holder
    session_id: str
    ends: float
    """When the token is over, by the wall clock."""
    checked: float
    """When its signature was, by the steady one."""
    stood: float = field(default=float("-inf"))
    """When the copy was asked last."""


class Tokens:
    """The tokens of one client's users."""

    def __init__(self, client_id: str, issuers: Iterable[str], *, now: Callable[[], float] = time.monotonic) -> None:
        self.keyring = Keyring(client_id, now)
        self.issuers, self.now = frozenset(one.rstrip("/") for one in issuers), now
        self.sessions: dict[bytes, Session] = {}

    async def holder(self, found: Backend, token: str) -> Holder:
        """Whose token this is; `Refused` when it is not good or not good any more."""
        digest = sha256(token.encode()).digest()
        session = self.sessions.get(digest)
        if session is None or not self.fresh(session):
            session = await self.checked(found, token)
            self.remember(digest, session)
        if self.now() - session.stood >= STANDING:
            await self.ask(found, session)
        return session.holder

    def fresh(self, session: Session) -> bool:
        """Whether a token need not be checked again."""
        return time.time() < session.ends + LEEWAY and self.now() - session.checked < TRUSTED

    async def checked(self, found: Backend, token: str) -> Session:
        """The session of a token whose every word was checked."""
        key = await self.keyring.key(found.workos, named(token), found.under_way)
        if key is None:
            raise Refused("The token is not signed by a key of this WorkOS environment.")
        claims = verified(token, key)
        if str(claims["iss"]).rstrip("/") not in self.issuers:
            raise Refused("The token is from an issuer that is not known here.")
        user_id = str(claims["sub"])
        return Session(Holder(user_id, scope(claims), user_id), str(claims["sid"]), float(claims["exp"]), self.now())

    def remember(self, digest: bytes, session: Session) -> None:
        """Keep what was found; beyond a number, what was found first is forgotten."""
        self.sessions.pop(digest, None)
        while len(self.sessions) >= REMEMBERED:
            del self.sessions[next(iter(self.sessions))]
        self.sessions[digest] = session

    async def ask(self, found: Backend, session: Session) -> None:
        """Refuse whom the copy knows to be gone."""
        statement, began = standing.statement(found.resources), self.now()
        values = {"user_id": session.holder.user_id, "session_id": session.session_id}
        async with found.connections.one() as connection:
            fallen = await connection.fetchval(statement.text, *statement.bind(values))
        if fallen:
            raise Refused("The session was revoked, or its user was deleted.")
        session.stood = began


def issuers(base_url: str, client_id: str) -> tuple[str, ...]:
    """Every form in which WorkOS writes the issuer of a client's tokens, but for a domain of one's own."""
    return tuple(base_url.rstrip("/") + form.format(client_id) for form in FORMS)


def named(token: str) -> str:
    """The name of the key that a token says it is signed with; nothing of it is believed yet."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Refused("The token cannot be read.") from error
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(kid, str):
        raise Refused(f"The token is not signed with {ALGORITHM} and a named key.")
    return kid


def verified(token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
    """What a token says, its signature and its times checked."""
    told: dict[type[Exception], str] = {
        jwt.ExpiredSignatureError: "The token has expired.",
        jwt.ImmatureSignatureError: "The token is not valid yet.",
        jwt.MissingRequiredClaimError: "The token is not that of a session.",
    }
    try:
        claims = jwt.decode(
            token, key, algorithms=[ALGORITHM], leeway=LEEWAY,
            options={"require": CLAIMS, "verify_aud": False, "verify_iat": False},
        )  # fmt: skip
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError) as error:
        raise Refused(told.get(type(error), "The token is not signed as it should be.")) from error
    if not all(isinstance(claims[name], str) and not UNSTORABLE.search(claims[name]) for name in ("sub", "sid", "iss")):
        raise Refused("The token is not that of a session.")
    return claims


def scope(claims: Mapping[str, Any]) -> Scope:
    """The largest scope that a token's permissions give; its user may read about themselves without any."""
    permissions = claims.get("permissions")
    listed = permissions if isinstance(permissions, list) else []
    given = [found for name, found in PERMISSIONS.items() if name in listed]
    return given[-1] if given else Scope.SELF
