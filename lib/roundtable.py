"""The parts put together: settings, database, teams and engine, opened once for a process."""

from __future__ import annotations

from dataclasses import dataclass

from lib.records import Reader
from lib.runs import RunEngine
from lib.runs.following import Follower
from lib.settings import Settings, load_settings
from lib.storage import Database, SessionStore, open_database
from lib.teams.catalogue import TeamCatalogue, load_catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Roundtable:
    """Everything a page or a command line needs. Safe to share between threads; `close` ends what runs."""

    settings: Settings
    database: Database
    catalogue: TeamCatalogue
    engine: RunEngine
    follower: Follower

    @property
    def store(self) -> SessionStore:
        """The stored sessions."""
        return self.database.sessions

    def reader(self, user_id: str) -> Reader:
        """Return who reads when this user does: an admin where ADMIN_USERS names exactly them.

        For the pages that show others' sessions too; a list of one's own names the user alone.
        """
        return Reader(user_id=user_id, admin=user_id in self.settings.admin_users)

    def close(self) -> None:
        """End what runs, as interrupted, and let go of the database."""
        self.engine.close()
        self.follower.close()
        self.database.close()


def open_roundtable(settings: Settings | None = None) -> Roundtable:
    """Open everything, with the settings of the environment unless others are given.

    A team that cannot be loaded is a problem of the catalogue, not an error here; a model is checked when it is asked.

    Raises:
        SettingsError: a setting has a value that cannot be used.
        DatabaseUnavailable: the database cannot be reached; calling again later may succeed.
    """
    settings = settings or load_settings()
    database = open_database(settings)
    try:
        catalogue = load_catalogue(settings)
        engine = RunEngine(database=database, catalogue=catalogue, settings=settings)
    except BaseException:
        database.close()
        raise
    return Roundtable(
        settings=settings, database=database, catalogue=catalogue, engine=engine, follower=Follower(database)
    )
