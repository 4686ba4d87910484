"""The raw view: the stored rows and the JSON in them, as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import streamlit as st

from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.texts import draw_text, line

FOLDED_AT_MOST = 400_000
"""Characters of JSON that are sent to the browser as a tree; more is downloaded, or found by searching."""
MOST_HITS = 50


def draw_raw(opened: OpenedReplay) -> None:
    """Draw the row of the session, of the run on screen and of the runs under it."""
    stored = opened.replay.session
    names = [f"run {part.run_id}" for part in opened.run.walk()]
    rows = {f"run {row.get('run_id')}": row for row in stored.run_rows}
    choices = [name for name in names if name in rows] + [name for name in rows if name not in names]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="raw_choice"):
        chosen = st.selectbox(
            "Row", [*choices, "session"], key=f"raw_row_{opened.head.run_id}", width=380, persist_state="page"
        )
        text = st.text_input(
            "Find in the row", key="raw_search", type="search", live="300ms", width=240, persist_state="page"
        )
        row: Mapping[str, Any] = stored.row if chosen == "session" else rows.get(str(chosen), {})
        st.download_button(
            "Download",
            data=lambda: to_json_text(row),
            file_name=f"{''.join(sign if sign.isalnum() else '-' for sign in str(chosen))[:80]}.json",
            mime="application/json",
            icon=":material/download:",
            key="raw_download",
            on_click="ignore",
        )
    value = to_parsed(row)
    if text.strip():
        _draw_hits(value, text.strip())
        return
    columns = {name: cell for name, cell in value.items() if not isinstance(cell, dict | list)}
    st.json(_bounded(columns), expanded=True)
    for name, cell in value.items():
        if isinstance(cell, dict | list):
            with st.expander(line(name, 40), key=f"raw_{chosen}_{name}", expanded=True):
                _draw_tree(cell, f"raw_{chosen}_{name}")


def to_parsed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its JSON columns parsed; what is no JSON stays the text it is."""
    return {str(name): _parse(value) for name, value in row.items()}


def to_json_text(row: Mapping[str, Any]) -> str:
    """Return the whole row as JSON text that can be written as UTF-8."""
    value = to_parsed(row)
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which only its number can name
        return json.dumps(value, indent=2, default=str)
    return text


def _parse(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value  # damaged: shown as the text it is
    return value


def _draw_tree(cell: Any, key: str) -> None:
    try:
        text = json.dumps(cell, ensure_ascii=False, default=str)
    except RecursionError:
        st.caption("Nested too deeply to be drawn here. Download it.")
        return
    if len(text) <= FOLDED_AT_MOST and _depth(cell) < 60:
        st.json(cell, expanded=1)
        return
    st.caption(f":material/info: {len(text):,} characters: too much to fold here. Download it, or search in it.")
    draw_text(text, key)


def _bounded(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        if not isinstance(value, str) or len(value) <= 20_000
        else f"{value[:20_000]} … {len(value):,} characters"
        for name, value in columns.items()
    }


def _draw_hits(value: Mapping[str, Any], text: str) -> None:
    """Draw where the text occurs, each place with its path."""
    hits = list(islice(_find(value, text.casefold()), MOST_HITS + 1))
    st.caption(
        "Not found in this row."
        if not hits
        else f"The first {MOST_HITS} places."
        if len(hits) > MOST_HITS
        else f"Found in {len(hits)} places."
    )
    shown = "\n".join(f"{path}: {found}" for path, found in hits[:MOST_HITS])
    if shown:
        st.code(shown, language=None, wrap_lines=True)


def _find(value: Any, wanted: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the surroundings of every key or value that holds the text; no recursion: it may be deep."""
    left: list[tuple[str, Any]] = [("", value)]
    while left:
        path, item = left.pop()
        if isinstance(item, Mapping):
            left.extend((f"{path}.{name}" if path else str(name), part) for name, part in reversed(list(item.items())))
            continue
        if isinstance(item, list):
            left.extend((f"{path}[{place}]", part) for place, part in reversed(list(enumerate(item))))
            continue
        said = str(item)
        at = said.casefold().find(wanted)
        if at >= 0 or wanted in path.rpartition(".")[2].casefold():
            start = max(0, at - 60)
            yield path, f"{'…' if start else ''}{said[start : start + 200]}"


def _depth(value: Any) -> int:
    """Return how deeply a value is nested."""
    deepest, level = 0, [value]
    while level and deepest < 1000:
        level = [
            part
            for item in level
            if isinstance(item, dict | list)
            for part in (item.values() if isinstance(item, dict) else item)
        ]
        deepest += 1
    return deepest
