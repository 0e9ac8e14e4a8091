"""RSA keys, their certificates and what is signed with them; importing this brings cryptography along."""

from base64 import b64encode, urlsafe_b64encode
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm

from user_management.sandbox import clock
from user_management.sandbox.store import SigningKey

ALGORITHM: Final = "RS256"
_BITS: Final = 2048
_EXPONENT: Final = 65537
_VALIDITY: Final = timedelta(days=3650)


def new_key(kid: str, moment: int) -> SigningKey:
    """A fresh key and a certificate for it, as JWKS show one; a tenth of a second of work."""
    private = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = _certificate(private, kid, moment)
    return SigningKey(kid, pem, certificate.public_bytes(serialization.Encoding.DER))


def sign(claims: dict[str, Any], key: SigningKey) -> str:
    """A JWT of the claims."""
    return jwt.encode(claims, _private(key.private), algorithm=ALGORITHM, headers={"kid": key.kid})


def published(key: SigningKey) -> dict[str, Any]:
    """The public half of a key as JWKS show it."""
    numbers = RSAAlgorithm.to_jwk(_private(key.private).public_key(), as_dict=True)
    digest = urlsafe_b64encode(sha256(key.certificate).digest())
    return {
        "alg": ALGORITHM,
        "kty": "RSA",
        "use": "sig",
        "x5c": [b64encode(key.certificate).decode()],
        "n": numbers["n"],
        "e": numbers["e"],
        "kid": key.kid,
        "x5t#S256": digest.decode().rstrip("="),
    }


@lru_cache(maxsize=16)
def _private(pem: bytes) -> rsa.RSAPrivateKey:
    """The key of a PEM; to read one takes as long as to make it, so the last few stay read."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("A signing key is an RSA key.")
    return key


def _certificate(private: rsa.RSAPrivateKey, kid: str, moment: int) -> x509.Certificate:
    """A certificate that a key gives itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kid)])
    builder = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(clock.at(moment)).not_valid_after(clock.at(moment) + _VALIDITY)
    return builder.sign(private, hashes.SHA256())
