"""Long sessions in a moment: a real run's rows, copied inside the database with ids of their own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, inspect, text

DIGITS = " UNION ALL ".join(f"SELECT {digit} AS digit" for digit in range(10))


def copy_runs(
    engine: Engine,
    *,
    from_session: str,
    to_session: str,
    runs: int,
    user_id: str | None = None,
    other_ids: Sequence[str] = (),
) -> None:
    """Give `to_session`, a new session, `runs` copies of the only run of `from_session`, its member runs with it.

    Ids are replaced in the rows' columns and in the JSON they hold, there `other_ids` too (those of messages, say); the
    owner is the same unless `user_id` is given.
    """
    # As a writer from the start: the app's own background writers may be at work.
    with engine.execution_options(roundtable_writes=True).begin() as connection:
        names = {"old": from_session, "new": to_session}
        owner = {} if user_id is None else {"user_id": ":user"}
        values = names if user_id is None else {**names, "user": user_id}
        of_template = text("SELECT run_id FROM agno_runs WHERE session_id = :old")
        run_ids = connection.execute(of_template, names).scalars().all()
        ids = [*run_ids, *other_ids]
        prefix = _joined(engine, ":new", "'-'", _number(engine), "'-'")
        data = "REPLACE(run_data, :quoted_old, :quoted_new)"
        for place in range(len(ids)):
            data = f"REPLACE({data}, :id_{place}, {_joined(engine, prefix, f':id_{place}')})"
        changed = {
            "session_id": ":new",
            "run_id": _joined(engine, prefix, "run_id"),
            "parent_run_id": _joined(engine, prefix, "parent_run_id"),  # NULL stays NULL
            "run_index": "run_index + number * :step",
            "created_at": "created_at + number",
            "run_data": data,
            **owner,
        }
        connection.execute(text(_copy(engine, "agno_sessions", {"session_id": ":new", **owner})), values)
        connection.execute(
            text(
                _copy(engine, "agno_runs", changed, beside=f", ({_numbers()}) AS numbers", where=" AND number < :runs")
            ),
            {
                **values,
                **{f"id_{place}": value for place, value in enumerate(ids)},
                "quoted_old": f'"{from_session}"',
                "quoted_new": f'"{to_session}"',
                "step": len(run_ids),
                "runs": runs,
            },
        )


def _copy(engine: Engine, table: str, changed: dict[str, str], *, beside: str = "", where: str = "") -> str:
    columns = [column["name"] for column in inspect(engine).get_columns(table)]
    chosen = ", ".join(changed.get(column, column) for column in columns)
    quoted = ", ".join(columns)
    return f"INSERT INTO {table} ({quoted}) SELECT {chosen} FROM {table}{beside} WHERE session_id = :old{where}"


def _numbers() -> str:
    places = " + ".join(f"d{place}.digit * {10**place}" for place in range(4))
    return f"SELECT {places} AS number FROM " + ", ".join(f"({DIGITS}) AS d{place}" for place in range(4))


def _number(engine: Engine) -> str:
    return "CAST(number AS TEXT)" if engine.dialect.name == "sqlite" else "CAST(number AS CHAR)"


def _joined(engine: Engine, *parts: str) -> str:
    return f"({' || '.join(parts)})" if engine.dialect.name == "sqlite" else f"CONCAT({', '.join(parts)})"
