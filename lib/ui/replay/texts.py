"""Stored text and stored values on the screen: as they are, harmless, and never more at once than a browser bears."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lib.terminal import escape_controls
from lib.ui.safe_markdown import plain_label

CUT = 700
"""Characters of a text that are shown until all of it is asked for."""
MOST = 200_000
"""Characters of one text that a page shows at all; the raw view downloads the rest."""
TABLE_ROWS = 25
_OPEN_TEXTS = "replay_open_texts"


def line(text: str, limit: int = 120) -> str:
    """Return stored text as one literal line of Markdown."""
    return plain_label(escape_controls(text[: 4 * limit]), limit)


def draw_text(text: str, key: str) -> None:
    """Draw stored text with a copy button, cut where it is long, with a button that shows all of it."""
    if not text:
        return
    is_open = key in st.session_state.get(_OPEN_TEXTS, ())
    shown = text[:MOST] if is_open or len(text) <= CUT else text[:CUT].rstrip() + " …"
    st.code(escape_controls(shown), language=None, wrap_lines=True)
    if len(text) > CUT:
        st.button(
            "Show less" if is_open else f"Show all {len(text):,} characters",
            key=f"more_{key}",
            type="tertiary",
            icon=":material/unfold_less:" if is_open else ":material/unfold_more:",
            on_click=_toggle,
            args=(key,),
        )
    if is_open and len(text) > MOST:
        st.caption(f"The first {MOST:,} characters are shown. The raw view downloads all of it.")


def draw_result(text: str, key: str) -> None:
    """Draw what a tool gave back: as a table where it is one, as folded JSON where it is JSON, else as text."""
    value = _as_json(text)
    rows = _as_table(value)
    if rows:
        st.table(rows[:TABLE_ROWS], border="horizontal", width="content")
        if len(rows) > TABLE_ROWS:
            st.caption(f"The first {TABLE_ROWS} of {len(rows):,} rows.")
    if rows or isinstance(value, dict | list):
        with st.expander("JSON", key=f"json_{key}", type="compact", on_change="rerun") as folded:
            if folded.open:
                draw_text(json.dumps(value, ensure_ascii=False, indent=2), key)
    else:
        draw_text(text, key)


def draw_arguments(arguments: Mapping[str, Any], key: str, *, label: str = "Arguments (JSON)") -> None:
    """Draw the arguments of a call, or what else has names: short ones on one line, others as folded JSON."""
    text = json.dumps(dict(arguments), ensure_ascii=False, default=str)
    if len(text) <= 160:
        st.code(escape_controls(text), language="json", wrap_lines=True)
        return
    with st.expander(label, key=f"arguments_{key}", type="compact", on_change="rerun") as folded:
        if folded.open:
            draw_text(json.dumps(dict(arguments), ensure_ascii=False, default=str, indent=2), f"arguments_{key}")


def draw_table(rows: Sequence[Mapping[str, str]], *, limit: int = 100) -> None:
    """Draw rows whose cells are Markdown made by this app or by `line`; says how many are left out."""
    if rows:
        columns = list(rows[0])
        st.table(
            [{name: row.get(name, "") for name in columns} for row in rows[:limit]],
            border="horizontal",
            hide_index=True,
        )
    if len(rows) > limit:
        st.caption(f"The first {limit} of {len(rows):,} are shown. The command line prints all: python -m lib.replay.")


def _as_json(text: str) -> Any:
    if text[:1] not in "[{" or not text or len(text) > MOST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _as_table(value: Any) -> list[dict[str, str]]:
    """Return rows with literal cells, where a value is a list of alike, flat objects."""
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) and row for row in value):
        return []
    columns = list(value[0])
    if len(columns) > 12 or any(set(row) != set(columns) for row in value):
        return []
    if any(isinstance(cell, dict | list) for row in value for cell in row.values()):
        return []
    return [{line(str(name), 40): line(str(row[name]), 200) for name in columns} for row in value]


def _toggle(key: str) -> None:
    opened: set[str] = st.session_state.setdefault(_OPEN_TEXTS, set())
    opened.symmetric_difference_update({key})
