"""Everything that can go wrong, said so that a reader knows what to do next.

    RoundtableError
    ├── SettingsError            a setting has a value that cannot be used
    ├── ModelUnavailable         the chosen model cannot be called: package, key or name is missing
    ├── TeamUnavailable          a team of the catalogue cannot be loaded or does not exist
    ├── NotAllowed               this user may not do this (reading as admin, writing as nobody)
    │   ├── NotSignedIn          nobody is signed in; the page offers to, where that is possible
    │   └── LocalIdentityRefused without a login the app may listen on this machine only
    ├── InvalidInput             an id, title or tag that cannot be stored; nothing was written
    ├── StorageError
    │   ├── DatabaseUnavailable  the database cannot be reached or answers with an error
    │   │   └── DatabaseRefused  it is there, and refuses what it is asked
    │   ├── DatabaseBusy         the database is there but locked for longer than we wait
    │   ├── NotFound             no such thing for this user: missing, deleted, malformed or another user's
    │   │   ├── SessionNotFound
    │   │   ├── RunNotFound
    │   │   ├── ImageNotFound
    │   │   └── ExperimentNotFound
    │   ├── SessionDamaged       what is stored of a session cannot be read, and writing to it would replace it
    │   └── HistoryNotSaved      the database refused a write; it is kept on disk and will be written
    └── RunRefused               a run cannot be started in this session now

A message says what happened, to what, and what to do next; it never holds a password, an SQL statement or chat text.
Pages show `str(error)`; every other exception is a defect, is logged with its traceback and shown as such.
"""

from __future__ import annotations


class RoundtableError(Exception):
    """Base of every error that is meant to be read by a person."""


class SettingsError(RoundtableError):
    """A setting has a value that cannot be used."""

    def __init__(self, setting: str, *, got: str, takes: str) -> None:
        super().__init__(f"{setting} is set to {got}, but it takes {takes}.")
        self.setting = setting


class ModelUnavailable(RoundtableError):
    """The chosen model cannot be called; the message holds the command or variable that mends it."""


class TeamUnavailable(RoundtableError):
    """A team of the catalogue does not exist or cannot be loaded."""


class NotAllowed(RoundtableError):
    """The user may not do this."""


class NotSignedIn(NotAllowed):
    """Nobody is signed in; nothing is read for nobody."""


class LocalIdentityRefused(NotAllowed):
    """There is no login, and more than this machine can reach the app."""


class InvalidInput(RoundtableError):
    """An id, title, tag or question that cannot be stored; nothing was written."""


class StorageError(RoundtableError):
    """Base of what can go wrong with stored history."""


class DatabaseUnavailable(StorageError):
    """The database cannot be reached or answered with an error."""


class DatabaseRefused(DatabaseUnavailable):
    """The database is there and refuses what it is asked; the message says why."""


class DatabaseBusy(StorageError):
    """The database is there, but stayed locked for longer than we wait."""


class NotFound(StorageError):
    """No such thing for this user: missing, deleted, malformed or somebody else's. The four look the same on purpose."""

    def to_anybody(self) -> str:
        """Return the message for a reader who may read what is anybody's."""
        return str(self).replace(" among yours", "", 1)


class SessionNotFound(NotFound):
    """There is no session with this id for this user."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"There is no session {session_id!r} among yours. It may have been deleted.")
        self.session_id = session_id


class RunNotFound(NotFound):
    """There is no run with this id for this user."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id!r} among yours. It may have been deleted.")
        self.run_id = run_id


class ImageNotFound(NotFound):
    """The run has no such image for this user, or the image's file is not there any more."""

    def __init__(self, image_id: str) -> None:
        super().__init__(f"The image {image_id!r} is not there. Its file may have been removed from MEDIA_DIR.")
        self.image_id = image_id


class ExperimentNotFound(NotFound):
    """There is no experiment on recall with this id for this user."""

    def __init__(self, experiment_id: str) -> None:
        super().__init__(f"There is no experiment {experiment_id!r} among yours. It may have been deleted.")
        self.experiment_id = experiment_id


class SessionDamaged(StorageError):
    """What is stored of a session cannot be read; nothing was written, since that would replace it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"What is stored of session {session_id!r} is damaged and cannot be read, so it is left as it is. Mend the "
            "session's row in the database, or fork the session to go on with its runs."
        )
        self.session_id = session_id


class HistoryNotSaved(StorageError):
    """The database refused a write; it is kept on disk and will be written when the database is there again."""


class RunRefused(RoundtableError):
    """A run cannot be started in this session now; the message says why."""
