"""A table looked through in slices along an index of time and id, each at the same cost, however long the table is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, select


class Place(NamedTuple):
    """Where a look ended: at this row; everything after it comes next."""

    moment: int | None  # None: among the rows without a time, which come first
    row_id: str


START = Place(None, "")


@dataclass(frozen=True, slots=True)
class Order:
    """The rows of a table in the order of their times and ids, for which there is an index."""

    moment: ColumnElement[int]
    row_id: ColumnElement[str]
    conditions: tuple[ColumnElement[bool], ...] = ()

    def read_after(self, connection: Connection, place: Place, limit: int) -> Sequence[Any]:
        """Return the next rows, of columns `row_id` and `moment`; fewer than `limit`: there are no more."""
        found: list[Any] = []
        # Range by range: as one condition, a thousand rows of one second would be read over for each slice of them.
        for condition in self._ranges(place):
            if len(found) < limit:
                statement = self._select().where(condition).order_by(self.moment, self.row_id)
                found += connection.execute(statement.limit(limit - len(found))).all()
        return found

    def read_newest(self, connection: Connection, limit: int) -> Sequence[Any]:
        """Return the rows with the latest times, of the same columns, the newest first."""
        statement = self._select().order_by(self.moment.desc(), self.row_id.desc()).limit(limit)
        return connection.execute(statement).all()

    def _select(self) -> Any:
        columns = self.row_id.label("row_id"), self.moment.label("moment")
        return select(*columns).where(*self.conditions)

    def _ranges(self, place: Place) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        if place.moment is None:
            return self.moment.is_(None) & (self.row_id > place.row_id), self.moment.is_not(None)
        return (self.moment == place.moment) & (self.row_id > place.row_id), self.moment > place.moment


class Sweep:
    """Goes through all rows of an order, slice by slice, and then begins anew. One process's own: nothing is stored."""

    def __init__(self, order: Order, *, newest: int, slice_size: int) -> None:
        """Look at the newest rows each time, and at a slice of all."""
        self._order, self._newest, self._slice_size = order, newest, slice_size
        self._place = START

    @property
    def has_begun(self) -> bool:
        """Whether it is on its way: the last slice was not the last one of all."""
        return self._place != START

    def read(self, connection: Connection) -> list[Any]:
        """Return the newest rows and the next ones in turn, of columns `row_id` and `moment`, each once."""
        newest = self._order.read_newest(connection, self._newest)
        rows = self._order.read_after(connection, self._place, self._slice_size)
        self._place = Place(rows[-1].moment, rows[-1].row_id) if len(rows) == self._slice_size else START
        return list({row.row_id: row for row in (*newest, *rows)}.values())
