"""What a shell asks for when the user presses Tab: commands, options, and the project's names.

The shell starts the program anew for each question, with ``_ASTRAFS_COMPLETE`` set. So neither the
command-line library nor the compiler is loaded: the commands stand in ``commands.json``, which
``python -m astrafs.cli.completing`` writes, and names come from the cache of ``check`` or straight
from the text. Whatever goes wrong, the answer is that nothing fits; a shell is no place for errors.
"""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from astrafs.record import dataclass

VARIABLE = "_ASTRAFS_COMPLETE"
TABLE = Path(__file__).parent / "commands.json"


@dataclass(frozen=True, slots=True)
class Item:
    """One way to go on, and what it means."""

    value: str
    help: str = ""


def run(environment: Mapping[str, str]) -> int | None:
    """Answer the question in ``environment``; None where there is none that is answered here."""
    asked = environment.get(VARIABLE, "")
    answers: dict[str, Callable[[Mapping[str, str]], int]] = {
        "complete_bash": _bash,
        "complete_zsh": _zsh,
        "complete_fish": _fish,
    }
    if asked not in answers:
        return None
    try:
        return answers[asked](environment)
    except Exception:  # noqa: BLE001 - a message would stand in the middle of the user's line
        return 1


def _bash(environment: Mapping[str, str]) -> int:
    words = _split(environment["COMP_WORDS"])
    at = int(environment["COMP_CWORD"])
    found = complete(words[1:at], words[at] if at < len(words) else "")
    _write([item.value for item in found])
    return 0


def _zsh(environment: Mapping[str, str]) -> int:
    found = complete(*_line(environment))
    if not found:
        _write(["_files"])
        return 0
    items = "\n".join(
        f'"{_escaped(item.value)}"' + (f':"{_escaped(item.help)}"' if item.help else "")
        for item in found
    )
    _write([f"_arguments '*: :(({items}))'"])
    return 0


def _fish(environment: Mapping[str, str]) -> int:
    found = complete(*_line(environment))
    if environment.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return 0 if found else 1
    _write([f"{item.value}\t{item.help}" if item.help else item.value for item in found])
    return 0


def _line(environment: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the finished words after the program's name, and the one at the cursor."""
    text = environment["_TYPER_COMPLETE_ARGS"]
    words = _split(text)[1:]
    if not words or text.endswith(" "):
        return words, ""
    return words[:-1], words[-1]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote is still open
        return text.replace('"', "").replace("'", "").split()


def _escaped(text: str) -> str:
    for old, new in (('"', '""'), ("'", "''"), ("$", "\\$"), ("`", "\\`"), (":", r"\\:")):
        text = text.replace(old, new)
    return text


def _write(lines: Sequence[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def complete(words: Sequence[str], incomplete: str) -> list[Item]:
    """Return how ``incomplete`` may go on after the finished ``words`` of a command line."""
    table = json.loads(TABLE.read_text("utf-8"))
    options: dict[str, Any] = table["options"]
    arguments: list[Any] = []
    command = ""
    waiting: dict[str, Any] | None = None  # the option whose value comes next
    given: list[str] = []
    for word in words:
        if waiting is not None:
            waiting = None
        elif word.startswith("-") and word != "-":
            name, equals, _ = word.partition("=")
            waiting = options.get(name)
            if waiting is None or equals or not waiting["value"]:
                waiting = None
        elif not command:
            command = word
            if command not in table["commands"]:
                return []
            options = table["commands"][command]["options"]
            arguments = table["commands"][command]["arguments"]
        else:
            given.append(word)
    if waiting is not None:
        found = _values(waiting["value"], words)
    elif incomplete.startswith("-"):
        found = [Item(name, one["help"]) for name, one in options.items() if name[:2] == "--"]
    elif not command:
        found = [Item(name, one["help"]) for name, one in table["commands"].items()]
    elif len(given) < len(arguments):
        found = _values(arguments[len(given)], words)
    else:
        found = []
    return [item for item in found if item.value.startswith(incomplete)]


def _values(kind: str | list[str], words: Sequence[str]) -> list[Item]:
    """Return the values of an option or argument: its choices, or names of a kind."""
    if not isinstance(kind, str):
        return [Item(one) for one in kind]
    if kind == "code":
        return list(_codes())
    if kind == "subject":
        return [*_names("feature", words), *_codes()]
    return _names(kind, words) if kind in ("feature", "view") else []


def _codes() -> Iterator[Item]:
    from astrafs.diagnostics.codes import ALL

    for name, code in ALL.items():
        yield Item(name, code.title)


def _names(kind: str, words: Sequence[str]) -> list[Item]:
    from astrafs.cli import known

    names = known.features if kind == "feature" else known.views
    return [Item(name) for name in names(Path(_project(words)))]


def _project(words: Sequence[str]) -> str:
    """Return the project that the command line names, else the directory at hand."""
    for at, word in enumerate(words):
        name, _, value = word.partition("=")
        if name in ("--project", "-p"):
            return value or (words[at + 1] if at + 1 < len(words) else ".")
    return "."


# --- writing the table ----------------------------------------------------------------------------

_KINDS = {
    ("explain", "subject"): "subject",
    ("why", "feature"): "feature",
    ("history", "feature"): "feature",
    ("show", "feature"): "feature",
    ("backfill", "view"): "view",
    ("check", "deny"): "code",
    ("check", "warn"): "code",
    ("check", "allow"): "code",
}
"""What the values of parameters are, where they are names that are known."""


def render_table() -> str:
    """Return the text of ``commands.json`` for the commands as they are."""
    from astrafs.cli.app import app

    commands = {}
    for one in app.registered_commands:
        assert one.name is not None and one.callback is not None
        if not one.hidden:
            text = one.help or inspect.getdoc(one.callback) or ""
            commands[one.name] = {"help": _first_line(text), **_parameters(one.name, one.callback)}
    assert app.registered_callback is not None and app.registered_callback.callback is not None
    options = _parameters("", app.registered_callback.callback)["options"]
    for name in ("--install-completion", "--show-completion"):
        options[name] = {"help": "Completion for the shell at hand.", "value": ""}
    table = {"options": options, "commands": commands}
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


def _parameters(command: str, callback: Callable[..., Any]) -> dict[str, Any]:
    """Return the options by every spelling, and what each argument is; ``value`` is "" for a
    switch.
    """
    options: dict[str, Any] = {}
    arguments = []
    for name, hint in get_type_hints(callback, include_extras=True).items():
        kind, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        for extra in extras:
            value = _kind(command, name, kind)
            if type(extra).__name__ == "ArgumentInfo":
                arguments.append(value)
            elif not extra.hidden:
                about = {"help": _first_line(extra.help or ""), "value": value}
                # The first name stands where the default would, were there no `Annotated`.
                first = extra.default if isinstance(extra.default, str) else f"--{name}"
                written = (first, *(extra.param_decls or ()))
                options |= {part: about for one in written for part in one.split("/")}
    options |= {name: {"help": "Show this message and exit.", "value": ""} for name in _HELP}
    return {"options": options, "arguments": arguments}


_HELP = ("--help", "-h")


def _kind(command: str, name: str, hint: Any) -> str | list[str]:
    if hint is bool:
        return ""
    kinds = (hint, *get_args(hint))
    choices = next((one for one in kinds if isinstance(one, type) and issubclass(one, Enum)), None)
    if choices is not None:
        return [str(one.value) for one in choices]
    return _KINDS.get((command, name), "file")


def _first_line(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def main(arguments: Sequence[str]) -> int:
    """Write the table, or with ``--check`` say whether it is current."""
    text = render_table()
    if "--check" in arguments:
        if not TABLE.is_file() or TABLE.read_text("utf-8") != text:
            sys.stderr.write(f"{TABLE.name} is stale: run python -m astrafs.cli.completing\n")
            return 1
        return 0
    TABLE.write_bytes(text.encode("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
