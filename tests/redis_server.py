"""A private Redis server as a child process, listening on a socket file and nowhere else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType


def find_redis_server() -> str | None:
    """Return the program, where it is installed."""
    return shutil.which("redis-server") or shutil.which("redis-server", path="/usr/sbin:/usr/bin")


class RedisServer:
    """A server that keeps its data in ``directory`` and flushes its log at every write.

    ``settings`` replace those of the command line, such as ``appendfsync="everysec"``.
    """

    def __init__(self, program: str, directory: Path, **settings: str) -> None:
        self.program = program
        self._directory = directory
        # The path of a socket may have a hundred characters; directories of tests have more.
        self._sockets = tempfile.TemporaryDirectory(prefix="afs-")
        self.socket = Path(self._sockets.name) / "redis.sock"
        self._settings = {
            "port": "0",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "unixsocket": str(self.socket),
            "dir": str(directory),
            "daemonize": "no",
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        self._child: subprocess.Popen[bytes] | None = None

    def place(self, prefix: str = "test", **settings: str) -> str:
        """Return the place of a store here."""
        more = "".join(f"&{name}={value}" for name, value in settings.items())
        return f"unix://{self.socket}?prefix={prefix}{more}"

    def start(self) -> None:
        """Start the server, and return when it takes commands."""
        command = [self.program]
        for name, value in self._settings.items():
            command += [f"--{name}", value]
        log = self._directory / "log"
        with log.open("ab") as out:
            self._child = subprocess.Popen(command, stdout=out, stderr=out, cwd=self._directory)
        patience = time.monotonic() + 60
        while not self._answers():
            if self._child.poll() is not None or time.monotonic() > patience:
                raise RuntimeError(f"redis-server does not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return not connection.recv(64).startswith(b"-LOADING")
            except OSError:
                return False

    def kill(self) -> None:
        """Kill the server as a crash would, without letting it do anything more."""
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self.socket.unlink(missing_ok=True)

    def pause(self) -> None:
        """Let the server hang: it takes connections and answers nothing."""
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a server that hangs go on."""
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGCONT)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None and self._child.poll() is None:
            self.resume()
            self._child.terminate()
            self._child.wait()
        self._sockets.cleanup()
