"""A login proxy: passes everything on to the app, its websockets too, with headers of its own in every request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from tests.services.ports import find_free_port

Headers = Sequence[tuple[str, str]]


class LoginProxy:
    """One proxy before the app; `headers` are what it adds, and may be changed between two connections."""

    def __init__(self, app_port: int, headers: Headers = ()) -> None:
        self.port = find_free_port()
        self.url = f"http://localhost:{self.port}"
        self.headers: Headers = headers
        self._app_port = app_port
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> LoginProxy:
        """Start it and return when it listens."""
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        return self

    def stop(self) -> None:
        """End it with every connection."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _cancel_all(self) -> None:
        if self._server is not None:
            self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app_writer = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            app_reader, app_writer = await asyncio.open_connection("localhost", self._app_port)
            app_writer.write(self._with_headers(head))
            await asyncio.gather(_pass_on(reader, app_writer), _pass_on(app_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one of the two left
        finally:
            for side in (writer, app_writer):
                if side is not None:
                    side.close()

    def _with_headers(self, head: bytes) -> bytes:
        first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
        if not upgrade:  # one request a connection: the next one gets its headers too
            lines = [line for line in lines if not line.lower().startswith(b"connection:")] + [b"Connection: close"]
        own = [f"{name}: {value}".encode() for name, value in self.headers]
        return b"\r\n".join([first, *lines, *own]) + b"\r\n\r\n"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
