"""What the command lines share: arguments as a shell hands them over, and words that any terminal can print."""

from __future__ import annotations

import sys
import unicodedata
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from io import TextIOWrapper


def read_arguments(parser: ArgumentParser, arguments: Sequence[str] | None = None) -> Namespace:
    """Return the options of a command line that may change something; what it prints, any terminal prints.

    Ends the program with exit status 2, as argparse does, where an argument is no option, or bytes that are no text.
    """
    print_any_character()
    given = sys.argv[1:] if arguments is None else arguments
    for argument in given:
        if any("\ud800" <= sign <= "\udfff" for sign in argument):  # what Python makes of such bytes
            parser.error(f"an argument is no UTF-8 text: {escape_controls(argument)}")
    return parser.parse_args(given)


def print_any_character() -> None:
    """Spell out, from here on, what the terminal's encoding has no sign for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def to_user_id(argument: str) -> str:
    """Return the user that an option names; an empty one, as an unset variable leaves it, is nobody and is refused."""
    if not argument.strip():
        raise ArgumentTypeError("names nobody; leave the option out for the default")
    return argument


def escape_controls(text: str) -> str:
    """Return text in which every control and invisible formatting character but line break and tab is spelled out."""
    return "".join(
        sign if _is_plain(sign) else sign.encode("unicode_escape", "surrogatepass").decode("ascii") for sign in text
    )


def _is_plain(sign: str) -> bool:
    # Cf: right-to-left overrides and the like, which make text look like another; joiners inside words stay.
    return sign in "\n\t\u200d\u200c" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
