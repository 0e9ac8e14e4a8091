"""Search: words that objects are found by, kept by PostgreSQL beside each row, and how people ask for them.

A word is what stands between punctuation and spaces, so that an e-mail address is found by its local part, by its
domain and by the parts of both. No parser and no dictionary: the same characters part words here and there, but for the
rarer kinds of space, which part a question and not a name.
"""

import string
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from sqlalchemy import BindParameter, ColumnElement, func
from sqlalchemy.dialects.postgresql import TSQUERY

from user_management.mirror.engine.resource import Filter

PARTING = string.punctuation + "\t\r\n"
"""The characters that part words, beside the space; in a question NUL, which PostgreSQL cannot hold, does too."""
SPACED = str.maketrans(dict.fromkeys(f"\0{PARTING}", " "))
LONGEST = 300
"""Characters of a text that words are taken from: PostgreSQL takes no longer word, and nobody has such a name."""
MOST = 8
"""Words of one question."""
READABLE = r"(strpos((body)::text, '\u'::text) = 0) OR ((body)::text !~ '\\u(0000|[dD][89a-fA-F])'::text)"
"""SQL: a body that PostgreSQL can look into. It can keep NUL and half characters in JSON, but do no more with them."""


def question(text: str) -> str:
    """What somebody looks for as PostgreSQL's `tsquery`: all words, each as the beginning of one.

    A word with punctuation right behind it is a whole one: nothing more can come, and whole words are found faster.
    """
    found = [piece.translate(SPACED).split() for piece in text.replace("\0", " ").split()]
    words = [f"'{word}':*" if word is piece[-1] else f"'{word}'" for piece in found for word in piece]
    if not 0 < len(words) <= MOST:
        raise ValueError(f"must have one to {MOST} words of letters and digits")
    return " & ".join(words)


Question = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(question)]


def condition(words: Any, asked: BindParameter[Any]) -> ColumnElement[bool]:
    """Whether an object's words answer a question, in upper or lower case."""
    found: ColumnElement[bool] = words.op("@@", is_comparison=True)(func.lower(asked).cast(TSQUERY))
    return found


def searched(words: Any, description: str, example: str) -> Filter:
    """The parameter `q` of a list: `words` is the column that holds the words of an object."""
    return Filter("q", description, lambda asked: condition(words, asked), type=Question, example=example, sparse=True)


def words(text: str) -> str:
    """SQL for the words of a text: what a column of words is computed by, worded as PostgreSQL words it."""
    parting = PARTING.replace("'", "''")
    spaces = " " * len(PARTING)
    return (
        f"array_to_tsvector(array_remove(string_to_array(lower(translate({text}, '{parting}'::text, "
        f"'{spaces}'::text)), ' '::text), ''::text))"
    )
