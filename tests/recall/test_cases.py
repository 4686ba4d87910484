"""The awkward cases, on real runs over the offline model: each comes out as it is expected to."""

from __future__ import annotations

import pytest

from lib.recall.lab.cases import CASES, Case
from lib.recall.lab.demonstration import Demonstration
from lib.roundtable import open_roundtable


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_comes_out_as_expected(settings, case: Case) -> None:
    here = open_roundtable(settings)
    try:
        shown = case.show(Demonstration(here, user_id="ann"))
        assert shown.as_expected, shown.verdict
        assert shown.verdict
        assert shown.frames
        assert not here.store.list_sessions(user_id="ann").items, "sessions of the lab stay out of the list"
        if case.name == "member_only":
            assert shown.details
        if case.name == "stopped":
            assert [frame.in_window for frame in shown.frames] == [False]
    finally:
        here.close()
