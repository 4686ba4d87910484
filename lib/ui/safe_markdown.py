"""Text of models, tools and people made safe to draw: no remote images, no formulas, no directives, no odd links.

Streamlit escapes HTML by itself, but it fetches every Markdown image at once, in labels too, and takes `$` for LaTeX
(streamlit-facts 6). Everything that was not written by this app goes through a function here.
"""

from __future__ import annotations

import re

# Fenced blocks (also unterminated ones, while streaming) and inline code are kept as they are.
_CODE = re.compile(
    r"(^[ ]{0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^[ ]{0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<![`\\])(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`))",
    re.S | re.M,
)
_DOLLAR = re.compile(r"(?<!\\)\$")
_DIRECTIVE = re.compile(r"(?<![\\\w:/]):(?=[a-z][\w-]*\[)")
_ICON = re.compile(r"(?<![\\\w:/]):(?=material/|streamlit:|[a-z0-9_+-]+:(?!\d))")
_LINK = re.compile(r"(\]\(\s*<?)(?!\s|https?://|mailto:|[/#])", re.I)
_REFERENCE = re.compile(r"^([ \t>]*\[[^\]\n]+\]:\s*<?)(?!\s|https?://|mailto:|[/#])", re.I | re.M)
_AUTOLINK = re.compile(r"<(?!https?:|mailto:)(?=[a-z][a-z0-9+.-]*:)", re.I)
_IMAGE_TARGET = re.compile(r"\]\s*[(\[:]")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!$:~<>|])")
_TURNING = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_JOINER = "\u2060"  # has no width; parts what Streamlit would take for an icon or an image


def safe_markdown(text: str) -> str:
    """Return `text` as Markdown that loads nothing, runs nothing, turns nothing and shows `$` and `:` as they are."""
    text = spell_out_turning(text)
    parts, last = [], 0
    # What looks like code to us may not be code to the browser's parser; there an image must not get through either.
    image_possible = _IMAGE_TARGET.search(text) is not None
    for code in _CODE.finditer(text):
        kept = code.group(0).replace("![", f"!{_JOINER}[") if image_possible else code.group(0)
        parts += [_without_markup_that_acts(text[last : code.start()]), kept]
        last = code.end()
    return "".join([*parts, _without_markup_that_acts(text[last:])])


def plain_label(text: str, limit: int = 60) -> str:
    """Return `text` as one literal line for a label, cut at `limit` characters."""
    line = " ".join(spell_out_turning(text).split())
    line = line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
    return _MARKUP.sub(r"\\\1", _ICON.sub(f":{_JOINER}", line))


def spell_out_turning(text: str) -> str:
    """Return `text` with the invisible characters spelled out that turn what follows round, words of ours among it.

    Arabic and Hebrew are laid out by their letters and need none of them; the marks that need no end (LRM, RLM) stay.
    """
    return text.translate(_TURNING)


def code_block(text: str, language: str = "") -> str:
    """Return `text` as a Markdown code block that no text can break out of."""
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _without_markup_that_acts(text: str) -> str:
    text = text.replace("![", r"!\[")  # inline and reference images become literal text
    text = _DOLLAR.sub(r"\\$", text)
    text = _ICON.sub(f":{_JOINER}", text)
    text = _DIRECTIVE.sub(r"\\:", text)
    text = _LINK.sub(r"\1#blocked:", text)
    text = _REFERENCE.sub(r"\1#blocked:", text)
    return _AUTOLINK.sub(r"\\<", text)
