"""Answers that tell secrets, as the ledger keeps them: sealed, so that a repeat is told them and a dump is not.

The key is made of a secret that is in no database and of the caller's `Idempotency-Key`; what was asked for is bound to
it, so that a sealed answer opens in its own place only.
"""

import os
from base64 import b64decode, b64encode
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from user_management.journal.writes import SEALED, Reply, Request

NONCE = 12
"""Bytes."""


def sealed(secret: bytes, asked: Request, reply: Reply) -> Reply:
    """An answer that nobody can read without the secret."""
    nonce = os.urandom(NONCE)
    body = cipher(secret, asked).encrypt(nonce, reply.body.encode(), bound(asked))
    return replace(reply, body=SEALED + b64encode(nonce + body).decode())


def opened(secret: bytes, asked: Request, reply: Reply) -> Reply:
    """An answer as it was given, whether it was sealed or not; `InvalidTag` if it was sealed for something else."""
    if not reply.body.startswith(SEALED):
        return reply
    raw = b64decode(reply.body.removeprefix(SEALED))
    body = cipher(secret, asked).decrypt(raw[:NONCE], raw[NONCE:], bound(asked))
    return replace(reply, body=body.decode())


def cipher(secret: bytes, asked: Request) -> AESGCM:
    """The cipher of one `Idempotency-Key`."""
    key = HKDF(SHA256(), 32, salt=b"user-management answers", info=asked.key.encode()).derive(secret)
    return AESGCM(key)


def bound(asked: Request) -> bytes:
    """What an answer belongs to."""
    return f"{asked.request}\n{asked.digest}".encode()
