"""The command line ``astrafs``: the commands, the options before them, and usage errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from astrafs._version import __version__
from astrafs.cli import (
    backfill,
    check,
    compile,
    console,
    diff,
    explain,
    fix,
    fmt,
    get,
    graph,
    ingest,
    init,
    online,
    parity,
    plan,
    registry,
    running,
    serve,
    signals,
    tests,
    verify,
    why,
)
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import Diagnostic

ABOUT = "AstraFS: a feature-definition language with a compiler, point-in-time correct."

app = typer.Typer(
    name="astrafs",
    help=ABOUT,
    no_args_is_help=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    color: Annotated[
        console.Colour, typer.Option("--color", help="When to colour what is printed.")
    ] = console.Colour.AUTO,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an internal error.")
    ] = False,
) -> None:
    """AstraFS: a feature-definition language with a compiler; point-in-time correct by
    construction.
    """
    console.settings.colour = color
    console.settings.debug = console.settings.debug or debug
    if version:
        console.write(f"astrafs {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.write(f"{context.get_help().rstrip()}\n")
        raise typer.Exit


_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Writing features": {
        "init": init.run,
        "check": check.run,
        "fix": fix.run,
        "fmt": fmt.run,
        "test": tests.run,
    },
    "Computing values": {"backfill": backfill.run, "verify": verify.run},
    "Serving": {
        "online": online.run,
        "ingest": ingest.run,
        "get": get.run,
        "serve": serve.run,
        "token": serve.token,
        "parity": parity.run,
    },
    "Looking into a program": {
        "explain": explain.run,
        "why": why.run,
        "graph": graph.run,
        "compile": compile.run,
    },
    "Versions, recorded in astrafs.lock": {
        "plan": plan.run,
        "apply": plan.apply,
        "diff": diff.run,
        "list": registry.list_,
        "history": registry.history,
        "show": registry.show,
    },
}
"""The commands by the heading that `--help` gives them, in its order."""

for _heading, _commands in _COMMANDS.items():
    for _name, _run in _commands.items():
        app.command(_name, rich_help_panel=_heading)(_run)


@app.command("version", rich_help_panel="About AstraFS")
def version() -> None:
    """Print the version."""
    console.write(f"astrafs {__version__}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    running.main(arguments)


def dispatch(arguments: Sequence[str]) -> int:
    """Run the command that ``arguments`` name; return its exit code."""
    try:
        result = app(list(arguments), prog_name="astrafs", standalone_mode=False)
    except Exception as error:
        message = _usage_message(error)
        if message is None:
            raise
        return console.fail(_usage_diagnostic(error, message))
    if result == signals.INTERRUPTED:  # the command-line library's answer to a signal, unsaid
        return console.interrupted()
    return result if isinstance(result, int) else console.OK


def _usage_message(error: Exception) -> str | None:
    """Return the text of a usage error of the command-line library, None for others."""
    if not isinstance(error, _USAGE_ERROR):
        return None
    text = str(error.format_message()).rstrip(".")  # type: ignore[attr-defined]
    for pattern, words in _PLAINER:
        text = re.sub(pattern, words, text)
    return text


_PLAINER = (
    ("Value error, ", ""),
    (r"Input should be greater than or equal to (\d+)", r"it must be at least \1"),
    (r"Input should be less than or equal to (\d+)", r"it must be at most \1"),
    (r"Input should be a valid integer.*", "it must be a whole number"),
    (r"Got unexpected extra argument\(s\) \((.*)\)", r"more arguments than it takes: `\1`"),
    (r"No such option: (\S+)", r"no such option `\1`"),
    (r" \(Possible options: (.*)\)", r". Did you mean \1?"),
)
"""What the library says of usage errors, and how it is said here."""

# The library has moved this class between modules; its place above BadParameter has stayed.
_USAGE_ERROR = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ in ("ClickException", "UsageError")
)


def _usage_diagnostic(error: Exception, message: str) -> Diagnostic:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "astrafs"
    text = message[:1].lower() + message[1:]
    found = codes.USAGE.nowhere(text.replace("'", "`"))
    return found.help(f"`{path} --help` shows what it takes")
