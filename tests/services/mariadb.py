"""A real MariaDB server of our own: in a temporary folder, on a free port of the loopback interface.

It needs Debian's package mariadb-server (only its programs; the system's own server is neither used nor touched) and
works as root and as any other user.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import mysql.connector

from tests.services.ports import find_free_port, wait_until

ADMIN = "roundtable_admin"
PASSWORD = "p@ss/w:rd?"  # every character that a URL must quote
QUOTED_PASSWORD = "p%40ss%2Fw%3Ard%3F"
MEMORY = "/dev/shm"  # Linux keeps it in memory
ROOM = 2 * 1024**3
COLLATION = "utf8mb4_nopad_bin"  # what the README recommends: names are compared exactly


class MariaDBServer:
    """One MariaDB server: `start`, `stop`, `kill` and start again on the same data and port."""

    def __init__(self, *, in_memory: bool = False) -> None:
        """`in_memory` keeps the data in the machine's memory where there is room: quicker, and as safe from `kill`."""
        # A short path of its own: a socket's path may have 107 characters, pytest's folders are longer.
        self.folder = Path(tempfile.mkdtemp(prefix="roundtable-mariadb-", dir=_find_memory() if in_memory else None))
        (self.folder / "tmp").mkdir()
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._install()

    def start(self) -> None:
        """Start the server and return when it answers; nothing happens when it runs."""
        if self.running:
            return
        log = (self.folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    _program("mariadbd"),
                    "--no-defaults",
                    *_user_option(),
                    f"--datadir={self.folder / 'data'}",
                    f"--socket={self.folder / 'sock'}",
                    f"--tmpdir={self.folder / 'tmp'}",  # a server that starts clears its folder of others' tables
                    f"--pid-file={self.folder / 'pid'}",
                    f"--init-file={self.folder / 'accounts.sql'}",
                    f"--port={self.port}",
                    "--bind-address=127.0.0.1",
                    "--skip-name-resolve",
                    "--max-connections=300",
                    "--innodb-buffer-pool-size=64M",
                    "--innodb-log-file-size=32M",
                    # Speed for tests: nothing waits for the disk, yet a killed server has lost nothing (0 would).
                    "--innodb-flush-log-at-trx-commit=2",
                    "--innodb-flush-method=nosync",
                    "--performance-schema=OFF",
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, timeout_s=60, what=f"MariaDB ({self.folder}/server.log)")

    def stop(self) -> None:
        """Shut the server down in good order and wait for its end."""
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        """End the server at once, as a crash would (kill -9)."""
        self._end(lambda process: process.kill())

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str, *, user: str = ADMIN, quoted_password: str = QUOTED_PASSWORD) -> str:
        """Return the DATABASE_URL of `database` for an account of this server."""
        return f"mysql+mysqlconnector://{user}:{quoted_password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, collation: str | None = COLLATION) -> str:
        """Create an empty database and return its name; `collation=None` takes the server's default."""
        name = f"test_{uuid4().hex[:12]}"
        collate = f" CHARACTER SET {collation.split('_')[0]} COLLATE {collation}" if collation else ""
        self.execute(f"CREATE DATABASE `{name}`{collate}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop the database with everything in it."""
        self.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def create_account(self, database: str, *, rights: str = "ALL PRIVILEGES") -> str:
        """Create an account that has `rights` on `database` and nothing else; return its DATABASE_URL."""
        user = f"user_{uuid4().hex[:8]}"
        self.execute(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'")
        self.execute(f"GRANT {rights} ON `{database}`.* TO '{user}'@'%'")
        return self.url(database, user=user)

    def execute(self, statement: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as the server's administrator and return its rows."""
        with self._connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.with_rows else []
            connection.commit()
        return rows

    def _connect(self, database: str | None = None) -> Any:
        return mysql.connector.connect(
            host="127.0.0.1", port=self.port, user=ADMIN, password=PASSWORD, database=database, connection_timeout=5
        )

    def _answers(self) -> bool:
        if not self.running:
            raise RuntimeError(f"MariaDB ended at once:\n{(self.folder / 'server.log').read_text()[-2000:]}")
        try:
            self._connect().close()
        except mysql.connector.Error:
            return False
        return True

    def _install(self) -> None:
        (self.folder / "accounts.sql").write_text(
            f"CREATE USER IF NOT EXISTS '{ADMIN}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;\n"
        )
        installed = subprocess.run(
            [
                _program("mariadb-install-db"),
                "--no-defaults",
                *_user_option(),
                f"--datadir={self.folder / 'data'}",
                f"--tmpdir={self.folder / 'tmp'}",
                "--auth-root-authentication-method=normal",
                "--skip-name-resolve",
                "--skip-test-db",
                "--innodb-log-file-size=32M",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if installed.returncode != 0:
            raise RuntimeError(f"mariadb-install-db failed:\n{installed.stdout[-2000:]}\n{installed.stderr[-2000:]}")

    def _end(self, ask: Any) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            ask(self._process)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None


def _find_memory() -> str | None:
    """Return a folder in memory with room for a server; None where there is none, as in most containers."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        return MEMORY
    return None


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise RuntimeError(f"{name} is missing: install Debian's package mariadb-server (make test does)")
    return found


def _user_option() -> list[str]:
    # mariadbd refuses to run as root unless told that it may.
    return [f"--user={getpass.getuser()}"] if os.getuid() == 0 else []
