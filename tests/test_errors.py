"""The error tree that readers see is the one that is."""

from __future__ import annotations

import inspect
import re

from lib import errors


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: dict[str, str] = {}
    above = ["RoundtableError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^ {4}(?P<stem>(?:│ {3}| {4})*)[├└]── (?P<name>\w+)", line)
        if found:
            depth = len(found["stem"]) // 4 + 1
            drawn[found["name"]] = above[depth - 1]
            above[depth:] = [found["name"]]
    classes = {
        name: cls.__mro__[1].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.RoundtableError) and cls is not errors.RoundtableError
    }
    assert drawn == classes


def test_what_is_not_found_is_told_with_its_id() -> None:
    for error in (errors.SessionNotFound, errors.RunNotFound, errors.ImageNotFound, errors.ExperimentNotFound):
        assert "'x1'" in str(error("x1"))
