"""A short cut for ``astrafs check`` with plain options: it needs no command-line library, whose
loading would take longer than the check.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_VALUES = {
    "--format": "form", "-f": "form", "--deny": "deny", "--warn": "warn", "--allow": "allow",
    "--env": "env", "--stdin-name": "stdin_name",
}  # fmt: skip
_ONCE = ("form", "env", "stdin_name")


def plain_check(arguments: Sequence[str]) -> dict[str, list[str]] | None:
    """Return the values of a ``check`` command line by option (``path`` is the argument), or None
    if there is anything in it that the command-line library should judge.
    """
    if not arguments or arguments[0] != "check":
        return None
    found: dict[str, list[str]] = {name: [] for name in (*_VALUES.values(), "path", "no_cache")}
    rest = iter(arguments[1:])
    for one in rest:
        name, value = _option(one, rest)
        if name is None or value is None:
            return None
        found[name].append(value)
    if found["stdin_name"] and found["path"] != ["-"]:
        return None
    if any(len(found[name]) > 1 for name in (*_ONCE, "path", "no_cache")):
        return None
    return found


def _option(one: str, rest: Iterator[str]) -> tuple[str | None, str | None]:
    """Return what ``one`` is and its value, which may be the next of ``rest``; None if unknown."""
    if one == "--no-cache":
        return "no_cache", one
    if not one.startswith("-") or one == "-":
        return ("path", one) if one else (None, None)
    name, equals, value = one.partition("=")
    if one.startswith("--") and equals:
        return _VALUES.get(name), value
    following = next(rest, None)
    if following is not None and following.startswith("-"):
        return None, None
    return _VALUES.get(one), following


def run(arguments: Sequence[str]) -> int | None:
    """Check, print, and return the exit code; None where this is not the way."""
    given = plain_check(arguments)
    if given is None:
        return None
    from astrafs.cli import checking, console
    from astrafs.cli.project import parse_levels

    forms = {one.value: one for one in console.Format}
    form = forms.get(given["form"][0]) if given["form"] else console.Format.TEXT
    if form is None:
        return None

    def check() -> int:
        levels = parse_levels(given["deny"], given["warn"], given["allow"])
        return checking.check(
            checking.Request(
                given["path"][0] if given["path"] else ".",
                form,
                levels,
                given["env"][0] if given["env"] else None,
                given["stdin_name"][0] if given["stdin_name"] else "",
                not given["no_cache"],
            )
        )

    return console.guarded(check)
