"""What every command shares: streams, colour, printing diagnostics, exit codes, and the net below
every command.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import ParamSpec, TextIO

from astrafs.cli import signals
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.codes.run import BAD_REQUEST
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.render import text as text_form
from astrafs.diagnostics.render.excerpt import Style
from astrafs.diagnostics.words import count as count
from astrafs.record import dataclass
from astrafs.source import SourceFile

OK, PROBLEMS, USAGE, INTERNAL, PIPE_CLOSED = 0, 1, 2, 70, 141
PIPED_WIDTH = 100
MAX_WIDTH = 140
DEBUG_VARIABLE = "ASTRAFS_DEBUG"


class Format(StrEnum):
    """How diagnostics are printed."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"


class Colour(StrEnum):
    """Whether output is coloured; ``auto``: on a terminal, unless NO_COLOR is set."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(slots=True)
class Settings:
    """What the options before the command say, set once by ``main``; and whether a signal has been
    told.
    """

    colour: Colour = Colour.AUTO
    debug: bool = False
    stopped: bool = False


settings = Settings()


def coloured(stream: TextIO) -> bool:
    """Whether text written to ``stream`` should carry colours."""
    if settings.colour is not Colour.AUTO:
        return settings.colour is Colour.ALWAYS
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width(stream: TextIO) -> int:
    """Return how many cells a line on ``stream`` should fill at most."""
    if not stream.isatty():
        return PIPED_WIDTH
    return min(shutil.get_terminal_size((PIPED_WIDTH, 24)).columns, MAX_WIDTH)


def write(text: str) -> None:
    """Write a result to standard output; a refusal (a full disk) is a diagnostic."""
    _put(sys.stdout, text)


def write_bytes(data: bytes) -> None:
    """Write a result that is no text to standard output."""
    sys.stdout.flush()
    _put(sys.stdout, data)


def _put(stream: TextIO, text: str | bytes) -> None:
    try:
        if isinstance(text, bytes):
            stream.buffer.write(text)
        else:
            stream.write(text)
        stream.flush()
    except OSError as error:
        if stream is sys.stderr:  # there is nowhere to say so, and the exit code still tells
            close_quietly(stream)
            return
        if isinstance(error, BrokenPipeError):
            raise
        close_quietly()
        from astrafs.refusals import refusal

        raise refusal("standard output cannot be written", error) from None


def tell(text: str) -> None:
    """Write a line for people to standard error."""
    _put(sys.stderr, f"{text}\n")


def styled(text: str, style: Style, stream: TextIO) -> str:
    """Return ``text`` in ``style`` if ``stream`` takes colours."""
    return text_form.paint(text, style, coloured(stream))


def report(
    diagnostics: Sequence[Diagnostic],
    files: Mapping[str, SourceFile],
    form: Format = Format.TEXT,
    stream: TextIO | None = None,
) -> None:
    """Print ``diagnostics`` to ``stream`` (standard error unless given) in ``form``."""
    out = sys.stderr if stream is None else stream
    _put(out, _drawn(diagnostics, files, form, out))


def _drawn(
    found: Sequence[Diagnostic], files: Mapping[str, SourceFile], form: Format, stream: TextIO
) -> str:
    match form:
        case Format.JSON:
            from astrafs.diagnostics.render import json

            return json.render(found, files)
        case Format.SARIF:
            from astrafs.diagnostics.render import sarif

            return sarif.render(found, files)
        case Format.GITHUB:
            from astrafs.diagnostics.render import github

            return github.render(found, files)
        case Format.GITLAB:
            from astrafs.diagnostics.render import gitlab

            return gitlab.render(found, files)
        case Format.JUNIT:
            from astrafs.diagnostics.render import junit

            return junit.render(found, files)
        case Format.CONCISE:
            from astrafs.diagnostics.render import concise

            return concise.render(found, files)
        case Format.TEXT:
            return text_form.render(found, files, width=width(stream), colour=coloured(stream))


def closing(found: Sequence[Diagnostic], stream: TextIO) -> str:
    """Return the line under a list of diagnostics: how many, and where to read more."""
    line = text_form.summary(found)
    style = Style.ERROR if any(one.is_error for one in found) else Style.WARNING
    errors = [one.code.id for one in found if one.is_error] or [one.code.id for one in found]
    hint = f" (more about the first: astrafs explain {errors[0]})" if errors else ""
    return styled(line, style, stream) + hint


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """Return what a command exits with after ``diagnostics``."""
    found = {one.code.id for one in diagnostics if one.is_error}
    if not found:
        return OK
    if codes.INTERNAL.id in found:
        return INTERNAL
    asked_wrongly = any(one.startswith("AFS00") or one == BAD_REQUEST.id for one in found)
    return USAGE if asked_wrongly else PROBLEMS


def fail(*diagnostics: Diagnostic, files: Mapping[str, SourceFile] | None = None) -> int:
    """Print ``diagnostics`` to standard error and return the exit code they ask for."""
    report(diagnostics, files or {})
    return exit_code(diagnostics)


P = ParamSpec("P")


def command(body: Callable[P, int]) -> Callable[P, None]:
    """Make a command of ``body``, which returns an exit code: whatever goes wrong becomes a coded
    message.
    """

    @functools.wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        import typer  # a plain `check` does without it: it is half of the start

        raise typer.Exit(guarded(lambda: body(*args, **kwargs)))

    return run


def guarded(body: Callable[[], int]) -> int:
    """Run ``body`` and return its exit code; no exception leaves this but the interpreter's own."""
    try:
        return body()
    except AstrafsError as error:
        if settings.debug:
            _traceback()
        return fail(*error.diagnostics, files=error.files)
    except KeyboardInterrupt:
        return interrupted()
    except BrokenPipeError:
        close_quietly()
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the one net: a traceback is of no use to a user
        code = _asked_exit(error)
        if code is not None:
            return code
        return interrupted() if signals.behind(error) else _internal(error)


def _asked_exit(error: Exception) -> int | None:
    """Return the exit code that the command-line library was asked for, None for other errors."""
    library = sys.modules.get("typer")
    if library is None or not isinstance(error, library.Exit):
        return None
    return int(error.exit_code)


def interrupted() -> int:
    """Say, once, that a signal stopped the command; return its exit code."""
    if not settings.stopped:
        settings.stopped = True
        tell("\ninterrupted; nothing was written")
    return signals.stopped()


def close_quietly(stream: TextIO | None = None) -> None:
    """Give up a stream (standard output unless given) whose reader has gone, so that nothing
    complains at the exit.
    """
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, (stream or sys.stdout).fileno())


def _internal(error: Exception) -> int:
    if settings.debug:
        _traceback()
    kind = type(error).__name__
    detail = " ".join(str(error).split())
    found = codes.INTERNAL.nowhere().note(f"{kind}: {detail}"[:300] if detail else kind)
    if not settings.debug:
        found = found.help("run the same command with `--debug` to see where it happened")
    return fail(found.help("please report it with the program and the command that caused it"))


def _traceback() -> None:
    import traceback

    traceback.print_exc()
