"""A `holdspace serve` of its own for a benchmark or a test, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import randrange

import aiohttp

from server.admission import LinkTokens
from signaling.messages import Role

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0


@dataclass
class ServerProcess:
    """A running server, which may be stopped and started again at the same address."""

    url: str
    arguments: list[str]
    environment: dict[str, str]
    log: Path
    cpu: int | None
    secret: str
    process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def token(self, room: str, role: Role = "participant") -> str:
        return LinkTokens(self.secret).issue(room, role, timedelta(hours=1))

    def link(self, room: str, role: Role = "participant") -> str:
        return f"{self.url}/room/{room}#{self.token(room, role)}"

    async def start(self) -> None:
        """Start and wait until it is ready. Raises TimeoutError or RuntimeError."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "server",
                "serve",
                *self.arguments,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        if self.cpu is not None:
            os.sched_setaffinity(self.process.pid, {self.cpu})
        async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession() as session:
            while True:
                if self.process.returncode is not None:
                    raise RuntimeError(f"the server did not start: {self.log.read_text()}")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop and return the exit code."""
        process = self.process
        assert process is not None
        if process.returncode is None:
            process.send_signal(how)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode


def _without_settings() -> dict[str, str]:
    """The environment, but for settings that someone has made for a server of their own."""
    return {name: text for name, text in os.environ.items() if not name.startswith("HOLDSPACE_")}


def free_port() -> int:
    """A TCP port that was free a moment ago, below those that systems choose for connections."""
    while True:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", randrange(20_000, 32_000)))
            return int(sock.getsockname()[1])


@asynccontextmanager
async def server_process(*arguments: str, cpu: int | None = None) -> AsyncIterator[ServerProcess]:
    """Run `holdspace serve` with further `arguments`, pinned to one `cpu` if that is given."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        secret = secrets.token_hex(32)
        server = ServerProcess(
            url=f"http://127.0.0.1:{port}",
            arguments=[
                "--host=127.0.0.1",
                f"--port={port}",
                "--media-bind=127.0.0.1",
                "--media-announce=",
                "--media-port=0",
                f"--data-dir={directory}",
                *arguments,
            ],
            environment={**_without_settings(), "HOLDSPACE_SECRET": secret},
            log=Path(directory) / "log",
            cpu=cpu,
            secret=secret,
        )
        try:
            await server.start()
            yield server
        finally:
            await server.stop()
