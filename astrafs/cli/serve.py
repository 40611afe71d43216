"""``astrafs serve`` and ``astrafs token``: answer over HTTP, and who may ask."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from astrafs.cli import console
from astrafs.cli.options import EnvOption, StoreOption
from astrafs.cli.project import Compiled, compile_path, usable_program
from astrafs.config import Config, load_config
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.diagnostics.render.excerpt import Style
from astrafs.serving import RANGES, Serving, range_problem
from astrafs.workspace import find_root

if TYPE_CHECKING:
    from astrafs.plan.program import Program

TOKENS = ".astrafs/tokens"
"""The file of tokens of a project that names none."""
_LIBRARIES = ("starlette", "uvicorn", "httptools", "prometheus_client")


class LogForm(StrEnum):
    """How the access log is written."""

    TEXT = "text"
    JSON = "json"
    OFF = "off"


class Scope(StrEnum):
    """What a token allows."""

    READ = "read"
    WRITE = "write"


def _limit(name: str, text: str) -> Any:
    about = f"{text} Else {getattr(Serving(), name):,}."
    option = f"--{name.replace('_', '-')}"
    return typer.Option(option, metavar="N", help=about, rich_help_panel="Limits")


@console.command
def run(
    path: Annotated[str, typer.Argument(help="The project directory.", show_default=False)] = ".",
    store: StoreOption = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="HOST", help="Listen there; else on 127.0.0.1 only."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="Else 8080; 0 takes any that is free."),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option("--tokens", metavar="FILE", help="Who may ask; `astrafs token` writes it."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="As many processes; else one.")
    ] = None,
    access_log: Annotated[
        LogForm | None,
        typer.Option("--access-log", help="Else text on a terminal, and json elsewhere."),
    ] = None,
    threads: Annotated[int | None, _limit("threads", "Threads of each process.")] = None,
    max_body_bytes: Annotated[int | None, _limit("max_body_bytes", "Of one request.")] = None,
    max_batch: Annotated[int | None, _limit("max_batch", "Questions or rows at once.")] = None,
    max_header_bytes: Annotated[int | None, _limit("max_header_bytes", "All together.")] = None,
    max_headers: Annotated[int | None, _limit("max_headers", "Lines.")] = None,
    max_connections: Annotated[int | None, _limit("max_connections", "Of each process.")] = None,
    max_concurrency: Annotated[
        int | None, _limit("max_concurrency", "Requests under way in each process.")
    ] = None,
    head_seconds: Annotated[
        float | None, _limit("head_seconds", "For the headers of a request to arrive.")
    ] = None,
    body_seconds: Annotated[float | None, _limit("body_seconds", "For its body.")] = None,
    keep_alive_seconds: Annotated[
        float | None, _limit("keep_alive_seconds", "For the next request on a connection.")
    ] = None,
    request_seconds: Annotated[float | None, _limit("request_seconds", "For an answer.")] = None,
    drain_seconds: Annotated[
        float | None, _limit("drain_seconds", "To finish what has begun, at the end.")
    ] = None,
    env: EnvOption = None,
) -> int:
    """Answer questions and take rows over HTTP, from an online store.

    Every setting can also stand in astrafs.toml. Ctrl-C or SIGTERM ends it when what has begun is
    finished.
    """
    asked = locals()
    given = {
        one.name: asked[one.name]
        for one in fields(Serving)
        if one.name != "tokens" and asked.get(one.name) is not None
    }
    _check_libraries()
    compiled = compile_path(path, env)
    program = usable_program(compiled)
    if program is None:
        return console.PROBLEMS
    config = compiled.config
    settings = _settings(config.serving, given)
    named = tokens or _tokens_of(config)
    if named is None and not _is_local(settings.host):
        return _needs_tokens(settings.host)
    from astrafs.online.stores import place_of
    from astrafs.server.listening import bind
    from astrafs.server.tokens import Tokens

    if named is not None:
        Tokens(named)  # what is wrong with the file is told before anything is begun
    try:
        listener = bind(settings.host, settings.port)
    except AstrafsError as error:
        console.fail(*error.diagnostics)
        return console.USAGE
    with listener:
        if named is None and not _is_local(listener.getsockname()[0]):
            return _needs_tokens(settings.host)  # a name of this machine that leads elsewhere
        place = place_of(config.root, store, config.online)
        return _Serve(compiled, program, settings, place, named, listener).run()


class _Serve:
    """One run of the command."""

    def __init__(
        self,
        compiled: Compiled,
        program: Program,
        settings: Serving,
        place: str | Path,
        tokens: Path | None,
        listener: socket.socket,
    ) -> None:
        self._config: Config = compiled.config
        self._program = program
        self._settings = settings
        self._place = place
        self._tokens = tokens
        self._listener = listener

    def run(self) -> int:
        """Serve until a signal; return the exit code."""
        if self._settings.workers == 1:
            return self._work(self._say_where, None)
        from astrafs.server.workers import Workers

        with tempfile.TemporaryDirectory(prefix="astrafs-metrics-") as shared:
            # Read by the library for metrics when it is first loaded, in each process.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            workers = Workers(self._settings.workers, self._worker, self._settings.drain_seconds)
            code = workers.run(self._say_where, _forget_process)
            if code == console.OK:
                console.tell("stopped")
            return code

    def _worker(self, ready: Callable[[], None], lifeline: int) -> int:
        return console.guarded(lambda: self._work(ready, lifeline))

    def _work(self, ready: Callable[[], None], lifeline: int | None) -> int:
        from astrafs.online.stores import open_store
        from astrafs.server import serve
        from astrafs.server.app import App

        app = App(
            self._program,
            open_store(self._place),
            self._settings,
            tokens=self._tokens,
            history=self._config.history,
            remote=isinstance(self._place, str),
            debug=console.settings.debug,
        )
        app.warm()
        finished = serve.run(app, self._listener, ready, lifeline)
        if not finished:
            console.tell("stopped; some answers took longer than --drain-seconds and were cut off")
            sys.stderr.flush()
            os._exit(console.PROBLEMS)  # threads that hang would keep the process
        if lifeline is None:
            console.tell("stopped")
        return console.OK

    def _say_where(self) -> None:
        """Print what is served, from where, and who may ask."""
        from astrafs.server.listening import shown

        host, port = self._listener.getsockname()[:2]
        url = f"http://{shown(host, port)}"
        views = [view.name for view in self._program.plan.views]
        settings = self._settings
        who = (
            "no tokens: whoever can reach this machine's own addresses"
            if self._tokens is None
            else f"tokens of {self._tokens}"
        )
        lines = (
            ("serving", f"{self._config.name} on {console.styled(url, Style.ADDED, sys.stderr)}"),
            ("views", _listed(views)),
            ("store", _shown_store(self._place)),
            ("access", who),
            ("workers", "" if settings.workers == 1 else str(settings.workers)),
            ("try", _example(self._program, url, secured=self._tokens is not None)),
        )
        for name, text in lines:
            if text:
                console.tell(f"{name:<8} {text}")
        console.tell("Ctrl-C ends it")


def _example(program: Program, url: str, *, secured: bool) -> str:
    """Return a command that asks the first view."""
    from astrafs.server.forms import example_of

    token = ' -H "authorization: Bearer $TOKEN"' if secured else ""
    if not program.plan.views:
        return f"curl {url}/views{token}"
    view = program.plan.views[0]
    entity = next(one for one in program.plan.entities if one.name == view.entity)
    question = {part.name: example_of(part.type) for part in entity.keys}
    body = json.dumps({"question": question}).replace("'", r"'\\''")
    return f"curl {url}/views/{view.name}{token} -H 'content-type: application/json' -d '{body}'"


def _listed(names: Sequence[str], most: int = 4) -> str:
    if not names:
        return "none; the project declares no view"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _forget_process(pid: int) -> None:
    """Take the gauges of a process that has ended out of the shared metrics."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _settings(base: Serving, given: dict[str, Any]) -> Serving:
    for name, value in given.items():
        problem = range_problem(name, value) if name in RANGES else None
        if problem is not None:
            option = f"--{name.replace('_', '-')}"
            raise AstrafsError(usage.BAD_VALUE.nowhere(problem.replace(f"`{name}`", f"`{option}`")))
    found = replace(base, **{name: _plain(value) for name, value in given.items()})
    if not found.access_log:
        found = replace(found, access_log="text" if sys.stderr.isatty() else "json")
    return found


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, StrEnum) else value


def _tokens_of(config: Config) -> Path | None:
    """Return the project's file of tokens; one that is there is never passed over."""
    if config.serving.tokens:
        return config.root / config.serving.tokens
    usual = config.root / TOKENS
    return usual if usual.exists() else None


def _shown_store(place: str | Path) -> str:
    if isinstance(place, Path):
        return str(place)
    from astrafs.online.redis_store import shown as shown_redis

    return shown_redis(place).strip("`")


def _needs_tokens(host: str) -> int:
    found = codes.NEEDS_TOKENS.nowhere(f"`{host}` is not an address of this machine alone")
    console.fail(found.help("make one with `astrafs token NAME`, and add `--tokens FILE`"))
    return console.USAGE


def _is_local(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_libraries() -> None:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        found = codes.NO_SERVE_LIBRARY.nowhere(f"`astrafs serve` needs {', '.join(missing)}")
        raise AstrafsError(found.help('pip install "astrafs[serve]"'))


@console.command
def token(
    name: Annotated[
        str, typer.Argument(help="Whom the token is for; it stands in logs.", show_default=False)
    ],
    scopes: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="What it allows; may be given twice. Else read."),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option("--tokens", metavar="FILE", help="The file of tokens; else the project's."),
    ] = None,
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
) -> int:
    """Make a token for `astrafs serve`, print it once, and add its hash to the file of tokens."""
    from astrafs.server.tokens import append

    if tokens is None:
        config = load_config(find_root(Path(project)), None, Sink())
        tokens = config.root / (config.serving.tokens or TOKENS)
        tokens.parent.mkdir(parents=True, exist_ok=True)
    made = append(tokens, name, [str(one) for one in scopes or [Scope.READ]])
    console.write(f"{made}\n")
    console.tell(f"added {name} to {tokens}; the token above is shown this once")
    return console.OK
