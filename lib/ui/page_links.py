"""Links between pages that lead, in a new tab too, where a click in this one leads: a script in the browser mends them.

Streamlit writes the address of the first page as `?session=...`, which from another page is that page itself, and takes
every click for its own, also one that asks for a new tab.
"""

from __future__ import annotations

import streamlit as st

_SCRIPT = """<script>
if (!window.roundtableLinks) {
  window.roundtableLinks = true;
  const linkOf = (event) => event.target instanceof Element && event.target.closest('[data-testid="stPageLink-NavLink"]');
  const mend = (event) => {
    const link = linkOf(event);
    const written = link && link.getAttribute('href');
    if (written && written.startsWith('?')) link.setAttribute('href', new URL('.', location.href).pathname + written);
  };
  for (const name of ['pointerover', 'pointerdown', 'focusin']) document.addEventListener(name, mend, true);
  document.addEventListener('click', (event) => {
    if (linkOf(event) && (event.ctrlKey || event.metaKey || event.shiftKey)) event.stopPropagation();
  }, true);
}
</script>"""


def mend_page_links() -> None:
    """Have the browser open every `st.page_link` where it leads, also in a new tab. Holds nothing that was stored."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
