"""The tables of the search index: texts of runs beside Agno's, their words in what each database has for full text."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.mysql import LONGTEXT

from lib.records import MAX_ID_LENGTH
from lib.storage.identity import exactly
from lib.storage.schema import ON_MYSQL, SEQUENCE

_TABLES = MetaData()
_LONG = Text().with_variant(LONGTEXT(), "mysql", "mariadb")

texts = Table(
    "roundtable_search_texts",
    _TABLES,
    Column("number", SEQUENCE, primary_key=True, autoincrement=True),
    Column("run_id", String(MAX_ID_LENGTH), nullable=False),
    Column("session_id", String(MAX_ID_LENGTH), nullable=False),
    Column("user_id", String(MAX_ID_LENGTH), nullable=False),
    Column("asked_at", BigInteger, nullable=False),  # seconds since 1970
    Column("fingerprint", String(80), nullable=False),
    Column("question", _LONG, nullable=False),
    Column("answer", _LONG, nullable=False),
    Column("words", _LONG),  # MySQL only; SQLite keeps them in an FTS5 table with the same numbers
    Index("roundtable_search_texts_run", "run_id"),
    Index("roundtable_search_texts_session", "session_id"),
    Index("roundtable_search_texts_user", "user_id", "asked_at", "number"),
    sqlite_autoincrement=True,
    **ON_MYSQL,
)
progress = Table(
    "roundtable_search_progress",
    _TABLES,
    Column("name", String(20), primary_key=True),
    Column("updated_at", BigInteger, nullable=False),
    Column("run_id", String(MAX_ID_LENGTH), nullable=False),
    **ON_MYSQL,
)
SQLITE_WORDS = "roundtable_search_words"
_PROGRESS = "all runs"
"""What the row of how far was looked is called; another name: begin anew."""


def create_search_tables(connection: Connection, dialect: str) -> None:
    """Make the index's tables where they are missing. Runs under the set-up lock."""
    _TABLES.create_all(connection, checkfirst=True)
    if dialect == "sqlite":
        connection.execute(text(f"CREATE VIRTUAL TABLE IF NOT EXISTS {SQLITE_WORDS} USING fts5(words)"))
    elif not connection.execute(text(f"SHOW INDEX FROM {texts.name} WHERE Key_name = '{texts.name}_words'")).first():
        connection.execute(text(f"CREATE FULLTEXT INDEX {texts.name}_words ON {texts.name} (words)"))
    if not connection.execute(select(progress.c.name).where(progress.c.name == _PROGRESS)).first():
        # An earlier version left out what sessions without an owner hold: all runs are looked at again, those are read.
        of_nobody = connection.execute(select(texts.c.run_id).where(texts.c.user_id == "")).scalars().all()
        for run_id in of_nobody:
            forget_text(connection, dialect, run_id)
        connection.execute(delete(progress))
        connection.execute(insert(progress).values(name=_PROGRESS, updated_at=0, run_id=""))


def forget_text(connection: Connection, dialect: str, run_id: str) -> None:
    """Drop what is kept of a run."""
    condition = exactly(texts.c.run_id, run_id)
    if dialect == "sqlite":
        for number in connection.execute(select(texts.c.number).where(condition)).scalars().all():
            connection.execute(text(f"DELETE FROM {SQLITE_WORDS} WHERE rowid = :number"), {"number": number})
    connection.execute(delete(texts).where(condition))
