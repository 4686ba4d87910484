"""Which ids and users may be stored, and how they are compared: exactly, byte by byte, on every database."""

from __future__ import annotations

import unicodedata
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, LargeBinary, String, and_, literal, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from lib.errors import InvalidInput, NotAllowed
from lib.records import MAX_ID_LENGTH, Reader

_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""What Unicode calls characters that turn text round, also that which follows; plain marks (LRM, RLM) do not."""
CHARSET_ATTRIBUTE = "roundtable_charset"
"""Where an engine's dialect is told the character set of Agno's columns, if it is not utf8mb4."""
MAX_ASKED_LENGTH = 10_000
"""SQLite keeps ids of any length; longer ones than this are taken for nobody's rather than sent to the database."""


def check_user(user_id: object) -> str:
    """Return the user as given; raise NotAllowed for nobody, InvalidInput for one that cannot be stored."""
    if isinstance(user_id, Reader):
        raise NotAllowed("An admin may read other users' sessions, not change them.")
    if not isinstance(user_id, str) or not user_id.strip():
        raise NotAllowed("Nobody is signed in: history is read and written for a named user only.")
    return check_id(user_id, "user name")


def as_reader(user_id: str | Reader) -> Reader:
    """Return who reads; raise NotAllowed for nobody."""
    reader = user_id if isinstance(user_id, Reader) else Reader(user_id=user_id)
    check_user(reader.user_id)
    return reader


def to_scope(user_id: str | Reader, *, owner: str | None = None) -> str | None:
    """Return whose sessions are read: a user's, with "" nobody's, with None all. An admin may name one `owner`.

    Raises:
        NotAllowed: nobody asks, or somebody who is no admin names another owner.
    """
    reader = as_reader(user_id)
    scope = None if reader.admin else reader.user_id
    if owner is None:
        return scope
    if scope not in (None, owner):
        raise NotAllowed("Only an admin may list another user's sessions.")
    return owner


def check_id(value: object, what: str) -> str:
    """Return an id as given; raise InvalidInput, with the reason, where a database would alter or refuse it."""
    reason = find_defect(value)
    if reason:
        raise InvalidInput(f"This {what} cannot be stored: it {reason}. Nothing was written.")
    assert isinstance(value, str)
    return value


def is_possible_id(value: object) -> bool:
    """Whether any row could have this id: what other programs store is read, also where we would not store it."""
    return isinstance(value, str) and len(value) <= MAX_ASKED_LENGTH and _is_unicode(value)


def check_text(value: object, what: str, *, max_length: int | None = None, one_line: bool = False) -> str:
    """Return words of a person as given; raise InvalidInput for what cannot be stored."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"The {what} is empty. Nothing was written.")
    if not _is_unicode(value):
        raise InvalidInput(f"The {what} holds half a character (a lone surrogate). Nothing was written.")
    if max_length is not None and len(value) > max_length:
        raise InvalidInput(f"The {what} has {len(value)} characters; at most {max_length} fit. Nothing was written.")
    if one_line and any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in value):
        raise InvalidInput(f"The {what} holds a line break or another control character. Nothing was written.")
    if one_line and any(unicodedata.bidirectional(char) in _TURNING for char in value):
        raise InvalidInput(
            f"The {what} holds an invisible character that turns the direction of the text. Write it without; nothing "
            "was written."
        )
    if one_line and is_blank(value):
        raise InvalidInput(f"The {what} holds nothing that can be seen. Nothing was written.")
    return value


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: it is empty, or of blanks and invisible characters only."""
    return all(char.isspace() or unicodedata.category(char) in ("Cc", "Cf") for char in text)


def find_defect(value: object) -> str | None:
    """Return why we store nothing under an id, as the end of a sentence ("it ..."); None where we do."""
    if not isinstance(value, str):
        return "is no text"
    if not value.strip():
        return "is empty"
    if len(value) > MAX_ID_LENGTH:
        return f"has {len(value)} characters, and at most {MAX_ID_LENGTH} fit"
    if not _is_unicode(value):
        return "holds half a character (a lone surrogate)"
    if any(unicodedata.category(char) == "Cc" for char in value):
        return "holds a control character"
    return None


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class _Bytes(FunctionElement[bytes]):
    """A text as its UTF-8 bytes, so that no collation takes part in comparing it."""

    name = "utf8_bytes"
    type = LargeBinary()
    inherit_cache = True


@compiles(_Bytes)
def _bytes_as_they_are(element: _Bytes, compiler: Any, **kw: Any) -> str:
    # SQLite compares text byte by byte where no collation is declared, and Agno declares none.
    return str(compiler.process(next(iter(element.clauses)), **kw))


@compiles(_Bytes, "mysql", "mariadb")
def _bytes_on_mysql(element: _Bytes, compiler: Any, **kw: Any) -> str:
    return f"CAST(CONVERT({compiler.process(next(iter(element.clauses)), **kw)} USING utf8mb4) AS BINARY)"


class _InColumnCharset(FunctionElement[str]):
    """A value in the character set of Agno's columns: MySQL refuses to compare what that set cannot hold (1267)."""

    name = "in_column_charset"
    type = String()
    inherit_cache = True


@compiles(_InColumnCharset)
def _value_as_it_is(element: _InColumnCharset, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(next(iter(element.clauses)), **kw))


@compiles(_InColumnCharset, "mysql", "mariadb")
def _value_on_mysql(element: _InColumnCharset, compiler: Any, **kw: Any) -> str:
    value = compiler.process(next(iter(element.clauses)), **kw)
    charset = getattr(compiler.dialect, CHARSET_ATTRIBUTE, "utf8mb4")
    return str(value) if charset == "utf8mb4" else f"CONVERT({value} USING {charset})"


def exactly(column: ColumnElement[Any], value: str | BindParameter[str]) -> ColumnElement[bool]:
    """Return the condition that a column holds these very characters (F6: 'bob' is not 'Bob', 'Bob ' or 'Böb').

    The plain comparison lets the database use its index; the second one decides.
    """
    given = literal(value) if isinstance(value, str) else value
    return and_(column == _InColumnCharset(given), _Bytes(column) == _Bytes(given))


def owned_by(column: ColumnElement[Any], scope: str | BindParameter[str] | None) -> ColumnElement[bool]:
    """Return the condition that a row is of a scope (`to_scope`): a user's, nobody's ("") or anybody's (None)."""
    if scope is None:
        return true()
    return (
        or_(column.is_(None), exactly(column, "")) if isinstance(scope, str) and not scope else exactly(column, scope)
    )
