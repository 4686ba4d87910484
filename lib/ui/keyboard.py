"""Where only a script in the browser can bring the keyboard. Without scripts all else is the same."""

from __future__ import annotations

import streamlit as st


def go_on_in(key_prefix: str) -> None:
    """Put the keyboard, once, into the text field drawn under a key that begins so, its text marked."""
    st.html(
        f"<script>setTimeout(() => document.querySelector('[class*=\"st-key-{key_prefix}\"] input')?.select(), 80)</script>",
        width="content",
        unsafe_allow_javascript=True,
    )


def let_keyboard_in(key: str) -> None:
    """Let the keyboard into the table drawn under `key` while rows are ticked in it.

    A table whose ticks were set from here has no cell that the keyboard is at, and then takes no key at all.
    """
    st.html(
        f"""<script>
        window.roundtableTables ??= new Set();
        if (!window.roundtableTables.has('{key}')) document.addEventListener('focusin', ({{target}}) => {{
          if (!target.matches('.st-key-{key} canvas:focus-visible')) return;
          setTimeout(() => {{  // what is there for screen readers follows what is drawn a little later
            const lost = target.querySelector('tr[aria-selected="true"]') && !target.querySelector('td[aria-selected="true"]');
            if (lost && document.activeElement === target) target.querySelector('td[role="gridcell"]')?.focus();
          }}, 300);
        }});
        window.roundtableTables.add('{key}');
        </script>""",
        unsafe_allow_javascript=True,
    )
