from user_management.sandbox.one_time_codes import ATTEMPTS, EMAIL_CHANGE, MAGIC_AUTH, Code, Codes, Verdict, redeem


def code(number: int = 1, kind: str = MAGIC_AUTH, user_id: str = "user_1") -> Code:
    """A code of a kind for a user, made at the beginning of time."""
    return Code(f"{kind}_{number}", kind, user_id, "ada@example.com", f"{number:06d}", 0)


def test_a_code_works_once() -> None:
    """The second time it is known as used, late or not."""
    one = code()
    assert redeem(one, "000001", 0) is Verdict.GOOD
    assert redeem(one, "000001", 10**9) is Verdict.USED


def test_a_code_works_until_its_last_moment() -> None:
    """To the millisecond."""
    assert redeem(code(), "000001", code().expires - 1) is Verdict.GOOD
    assert redeem(code(), "000001", code().expires) is Verdict.EXPIRED


def test_guessing_is_bounded() -> None:
    """After so many wrong guesses even the right one is refused."""
    one = code()
    assert {redeem(one, "guess", 0) for _ in range(ATTEMPTS)} == {Verdict.INCORRECT}
    assert redeem(one, "000001", 0) is Verdict.EXHAUSTED
    assert redeem(None, "000001", 0) is Verdict.MISSING


def test_the_newest_code_counts_per_kind_and_user() -> None:
    """Another kind and another user have codes of their own."""
    codes, kept = Codes(), [code(1), code(2), code(3, EMAIL_CHANGE), code(4, user_id="user_2")]
    for one in kept:
        codes.add(one)
    assert codes.newest(MAGIC_AUTH, "user_1") is kept[1]
    assert codes.newest(EMAIL_CHANGE, "user_1") is kept[2]
    assert codes.newest(EMAIL_CHANGE, "user_2") is None
    assert codes.get(MAGIC_AUTH, kept[0].id) is kept[0]
    assert codes.get(EMAIL_CHANGE, kept[0].id) is None


def test_codes_go_with_their_user_and_with_time() -> None:
    """Whoever is deleted leaves none, and of very many the oldest are forgotten."""
    codes = Codes()
    for number in range(10_001):
        codes.add(code(number, user_id=f"user_{number}"))
    assert codes.newest(MAGIC_AUTH, "user_0") is None
    assert len(codes.sent()) == 10_000
    codes.forget("user_1")
    assert codes.newest(MAGIC_AUTH, "user_1") is None
    assert len(codes.sent("ada@example.com")) == 9_999
