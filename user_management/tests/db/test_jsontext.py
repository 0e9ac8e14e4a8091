"""JSON as text: whatever WorkOS sends can be stored, and comes back as it was."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from user_management.db import jsontext
from user_management.db.session import Connection

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**63 - 2, max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)
"""Any JSON value; the text includes NUL and lone surrogates."""


@given(ANYTHING)
def test_a_value_comes_back(value: Any) -> None:
    """What is stored is read as the same value of the same type, and stored again as the same text."""
    text = jsontext.dumps(value)
    assert repr(jsontext.loads(text)) == repr(value)
    assert jsontext.dumps(jsontext.loads(text)) == text
    assert repr(jsontext.loads(text.encode())) == repr(value)
    assert repr(json.loads(text)) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1, 2]}, '{"b":1,"a":[1,2]}'),
        ("é€😀", '"é€😀"'),
        ("\x00", '"\\u0000"'),
        ("\ud800", '"\\ud800"'),
        ({"\udfff": 1}, '{"\\udfff":1}'),
        (2**63, "9223372036854775808"),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (10**400, "1" + "0" * 400),
        (math.nan, "null"),
        ([math.inf, -math.inf], "[null,null]"),
        ([math.nan, 2**70], "[null,1180591620717411303424]"),
        (["NaN", math.inf, "\ud800"], '["NaN",null,"\\ud800"]'),
    ],
)
def test_odd_values_have_a_text(value: Any, text: str) -> None:
    """Order is kept, what is not Unicode is escaped, no digit is lost, and what is no number is null."""
    assert jsontext.dumps(value) == text


@pytest.mark.parametrize("digits", [18, 19, 20, 21, 40])
@pytest.mark.parametrize("form", ["{}", "-{}", '{{"a":[{}]}}', '[1.5,{},"x"]'])
def test_a_long_number_is_not_rounded(digits: int, form: str) -> None:
    """A number of any length is read to its last digit."""
    text = form.format("9" * digits)
    assert jsontext.loads(text) == json.loads(text)
    assert jsontext.dumps(jsontext.loads(text)) == text


@pytest.mark.parametrize("depth", [10, 100, 300])
def test_nesting_comes_back(depth: int) -> None:
    """What is nested deeper than orjson writes is written all the same."""
    text = '{"a":[' * depth + "]}" * depth
    assert jsontext.dumps(jsontext.loads(text)) == text


@pytest.mark.parametrize("text", ["", "{", '{"a":}', "<html>", "[1,]", "nul", "9" * 30 + "x"])
def test_what_is_no_json_is_an_error(text: str) -> None:
    """Nothing is made of text that is not JSON."""
    with pytest.raises(ValueError, match=r"."):
        jsontext.loads(text)


@pytest.mark.parametrize("value", ["\x00", "\ud800", {"\ud800\x00": 10**400}, [math.nan, 2**70], [[[[]]]] * 3])
async def test_postgres_keeps_the_text(connection: Connection, value: Any) -> None:
    """A `json` column takes every text we write, and gives it back byte for byte."""
    text = jsontext.dumps(value)
    assert await connection.fetchval("SELECT $1::json", text) == text
