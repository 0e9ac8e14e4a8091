from base64 import b32encode
from random import Random
from typing import Final

_CROCKFORD: Final = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_STANDARD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TRANSLATION: Final = bytes.maketrans(_STANDARD, _CROCKFORD)
_PAIRS: Final = [chr(_CROCKFORD[n >> 5]) + chr(_CROCKFORD[n & 31]) for n in range(1024)]


def ulid(value: int) -> str:
    """128 bits as the 26 characters of a ULID, which sort as the numbers do."""
    moment = value >> 80
    time = "".join(_PAIRS[moment >> shift & 1023] for shift in (40, 30, 20, 10, 0))
    noise = b32encode((value & (1 << 80) - 1).to_bytes(10, "big")).translate(_TRANSLATION)
    return time + noise.decode()


class Identifiers:
    """Hands out ids such as `user_01J…`: time ordered, strictly rising per prefix, repeatable by seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - ids are test data, not secrets
        self._last: dict[str, int] = {}

    def new(self, prefix: str, moment: int) -> str:
        """The next id of a prefix at a moment in milliseconds, above every earlier one."""
        value = max(moment << 80 | self._random.getrandbits(80), self._last.get(prefix, 0) + 1)
        self._last[prefix] = value
        return f"{prefix}_{ulid(value)}"
