"""Session tokens as WorkOS signs them, with keys of the test's own."""

import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
import respx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from user_management.tests.support.local_workos import URL

CLIENT = "client_01ABC"
PATH = f"/sso/jwks/{CLIENT}"


@cache
def pair(name: str) -> rsa.RSAPrivateKey:
    """The key pair of this name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(name: str) -> dict[str, Any]:
    """A public key as WorkOS shows it."""
    shown: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(pair(name).public_key(), as_dict=True)
    return {**shown, "kid": name, "use": "sig", "alg": "RS256"}


def pem(name: str) -> bytes:
    """A public key as a file holds it."""
    return pair(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now = int(time.time())
    said = {"iss": f"{URL}/user_management/{CLIENT}", "sub": "user_0000", "sid": "session_0000", "exp": now + 300,
            "iat": now, "jti": "01", **changed}  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def token(key: str = "one", **changed: Any) -> str:
    """A token that is good but for what is changed."""
    return jwt.encode(claims(**changed), pair(key), algorithm="RS256", headers={"kid": key})


@dataclass
class Jwks:
    """The page of WorkOS that shows its keys."""

    remote: respx.MockRouter
    names: list[str] = field(default_factory=lambda: ["one"])

    def __post_init__(self) -> None:
        self.route = self.remote.get(PATH)
        self.show(*self.names)

    def show(self, *names: str) -> None:
        """From now on, show these keys."""
        self.route.respond(json={"keys": [public(name) for name in names]})

    @property
    def fetches(self) -> int:
        """How often it was asked for."""
        return int(self.route.call_count)
