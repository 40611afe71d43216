"""Running the command line: the streams, the net below every command, the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from astrafs.cli import completing, console, quick


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        _prepare(stream)
    console.settings.debug = bool(os.environ.get(console.DEBUG_VARIABLE))
    console.settings.colour = console.Colour.AUTO
    console.settings.stopped = False
    before, after = _split(given)
    if "--debug" in before:
        console.settings.debug = True
        before = [one for one in before if one != "--debug"]
    code = console.guarded(lambda: _run([*before, *after]))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        console.close_quietly()
        code = console.PIPE_CLOSED
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    code = None
    if completing.VARIABLE in os.environ:
        code = completing.run(os.environ)
    if code is None:
        code = quick.run(arguments)
    if code is None:
        from astrafs.cli.app import dispatch  # every command, and the library that reads them

        code = dispatch(arguments)
    return code


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part the arguments at ``--``, behind which nothing is an option."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at:]


def _open_closed_streams() -> None:
    """Put the null device where the caller closed a standard stream, which is None then."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _prepare(stream: TextIO) -> None:
    """Let any text be written, whatever the encoding of the terminal."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
