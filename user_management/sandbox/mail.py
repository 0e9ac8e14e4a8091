"""The codes and tokens that go out by mail, which nobody delivers: the control endpoints show them."""

from hashlib import blake2b
from typing import Final

import orjson

from user_management.sandbox import derive
from user_management.sandbox.one_time_codes import EMAIL_CHANGE, PASSWORD_RESET, Code, Verdict, redeem
from user_management.sandbox.store import Store

_DIGITS: Final = 6


def send(store: Store, kind: str, user_id: str, email: str) -> Code:
    """A new code for an address, and its event; a change of address has none in WorkOS."""
    moment = store.now()
    code_id = store.new_id(kind, moment)
    secret = derive.text(store, kind, code_id) if kind == PASSWORD_RESET else _digits(store, code_id)
    code = Code(code_id, kind, user_id, email, secret, moment)
    store.codes.add(code)
    if kind != EMAIL_CHANGE:
        store.emit(f"{kind}.created", orjson.dumps(code.lean()), moment)
    return code


def answer(store: Store, kind: str, user_id: str, given: str, email: str | None = None) -> Verdict:
    """What is to be said of a code given back: only the newest works, as nothing says that older ones do.

    When an address is told, the code must have gone there.
    """
    code = store.codes.newest(kind, user_id)
    if code is not None and email not in {None, code.email}:
        code = None
    return redeem(code, given, store.now())


def _digits(store: Store, code_id: str) -> str:
    """The six digits of a code, which follow from the seed and its id."""
    noise = blake2b(f"{store.config.seed}:{code_id}".encode(), digest_size=8).digest()
    return str(int.from_bytes(noise, "big"))[-_DIGITS:].zfill(_DIGITS)
