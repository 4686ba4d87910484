"""The picture of a grid: well-formed, every text literal, the cliff where prediction has it."""

from __future__ import annotations

from xml.etree import ElementTree

from lib.recall.experiment import Cell, CellResult, build_grid
from lib.recall.picture import COLORS, draw_grid_picture, label_of, list_cliffs, list_corners


def results(windows: tuple[int, ...], distances: tuple[int, ...], *, answered: bool = True) -> list[CellResult]:
    return [
        CellResult(
            cell=Cell(fact="f", repeat=repeat, window=window, distance=distance),
            predicted_in_context=distance < window,
            in_context=distance < window,
            answered=distance < window and answered,
            tokens=1,
            run_ids=(),
        )
        for window in windows
        for distance in distances
        for repeat in (1, 2)
    ]


def test_the_cliff_stands_before_the_first_distance_without_the_fact():
    points = build_grid(results((0, 1, 3, 9), (0, 2, 4)))
    assert list_cliffs(points) == ((0, 0), (1, 2), (3, 4), (9, None))
    corners = list_corners(points, (0, 1, 3, 9), (0, 2, 4))
    assert corners == ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3))


def test_no_cliff_is_drawn_where_none_was_reached():
    assert list_corners(build_grid(results((9,), (0, 2, 4))), (9,), (0, 2, 4)) == ()


def test_a_cell_says_how_many_were_answered_not_by_colour_alone():
    labels = {point.distance: label_of(point) for point in build_grid(results((1,), (0, 1)))}
    assert labels == {0: "2/2", 1: "–"}
    assert label_of(build_grid(results((1,), (0,), answered=False))[0]) == "0/2"


def test_the_picture_is_well_formed_and_holds_every_cell():
    points = build_grid(results((1, 3), (0, 1, 2)))
    picture = ElementTree.fromstring(draw_grid_picture(points, title="<script>alert(1)</script> & more"))
    fills = [each.get("fill") for each in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert sum(fill in COLORS.values() for fill in fills) == len(points) + len(COLORS)
    assert not list(picture.iter("{http://www.w3.org/2000/svg}script"))
    assert "<script>alert(1)</script> & more" in "".join(picture.itertext())
