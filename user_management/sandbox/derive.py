"""Secrets of the sandbox: as random to look at as real ones, and repeatable by seed."""

from hashlib import blake2b

from user_management.sandbox.store import Store

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def text(store: Store, purpose: str, key: str, length: int = 25) -> str:
    """Letters and digits that follow from the seed, what they are for and the id of what they belong to."""
    noise = int.from_bytes(blake2b(f"{store.config.seed}:{purpose}:{key}".encode()).digest(), "big")
    return "".join(_ALPHABET[noise // 62**place % 62] for place in range(length))
