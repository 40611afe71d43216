"""The project file ``astrafs.toml``: where sources lie in which environment, and how loud
diagnostics are.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import Any

from astrafs.diagnostics.codes import config as codes
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.model import Code, Diagnostic, Severity, Sink
from astrafs.diagnostics.suggest import closest
from astrafs.record import dataclass
from astrafs.serving import LOG_FORMS, Serving, range_problem
from astrafs.source import SourceFile, Span

FILE_NAME = "astrafs.toml"
FORMATS = ("parquet", "csv", "jsonl")
SIZE_LIMIT = 1 << 20
MOST_DOTS = 1_000
"""In a line: far more than any path or key has."""
ALL_WARNINGS = "warnings"
_TABLES = ("project", "sources", "env", "diagnostics", "online", "serve")


@dataclass(frozen=True, slots=True)
class SourceOverride:
    """Where a source is read instead of where its declaration says; an empty part keeps the
    declared one.

    ``patterns`` are globs, relative to the project root unless absolute.
    """

    format: str = ""
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Levels:
    """Which warnings are errors (``deny``) or hidden (``allow``); ``warn`` takes a code out of
    both.
    """

    deny: frozenset[str] = frozenset()
    warn: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()

    def over(self, lower: Levels) -> Levels:
        """Return these levels, falling back to ``lower`` for codes that are not named here."""
        named = self.deny | self.warn | self.allow
        return Levels(
            self.deny | (lower.deny - named),
            self.warn | (lower.warn - named),
            self.allow | (lower.allow - named),
        )

    def apply(self, diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
        """Yield ``diagnostics`` at their level, without the allowed ones. Errors pass unchanged."""
        for found in diagnostics:
            if found.is_error:
                yield found
                continue
            match self._level(found.code.id):
                case "allow":
                    continue
                case "deny":
                    yield replace(found, code=replace(found.code, severity=Severity.ERROR))
                case _:
                    yield found

    def _level(self, code: str) -> str:
        for name in (code, ALL_WARNINGS):
            for level, names in (("deny", self.deny), ("warn", self.warn), ("allow", self.allow)):
                if name in names:
                    return level
        return "warn"


@dataclass(frozen=True, slots=True)
class Config:
    """What ``astrafs.toml`` says, for one environment. Without the file, the defaults.

    ``roots`` are the resolved directories under which source files may be read. ``sources`` maps
    qualified source names to overrides. ``file`` is the text of the project file, to show
    diagnostics in. ``online`` is the place of the online store, as written; ``serving`` the
    settings of the HTTP server. ``history`` is how far back online questions may be asked, in
    microseconds; rows that no such question sees are dropped. None keeps everything.
    """

    root: Path
    name: str
    roots: tuple[Path, ...]
    sources: Mapping[str, SourceOverride] = field(default_factory=dict)
    levels: Levels = Levels()
    env: str | None = None
    file: SourceFile | None = None
    online: str | None = None
    serving: Serving = Serving()
    history: int | None = None


def load_config(root: Path, env: str | None, sink: Sink) -> Config:
    """Read ``root/astrafs.toml`` (which may be absent) for environment ``env``; mistakes go to
    ``sink``.
    """
    root = root.resolve()
    path = root / FILE_NAME
    if not path.exists():
        if env is not None:
            sink.emit(
                usage.UNKNOWN_ENV.nowhere(f"there is no environment `{env}`").note(
                    f"{root} holds no {FILE_NAME}, and environments are declared there"
                )
            )
        return Config(root, root.name, (root,), env=env)
    try:
        data = path.read_bytes()
        if len(data) > SIZE_LIMIT:
            raise OSError(f"it is larger than {SIZE_LIMIT // 1024} KiB")
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
        else:
            reason = "it is not UTF-8"
        sink.emit(codes.CANNOT_READ.nowhere(f"{FILE_NAME} cannot be read: {reason}"))
        return Config(root, root.name, (root,), env=env)
    file = SourceFile(FILE_NAME, text)
    return _Reader(root, file, sink).read(env)


class _Reader:
    """Checks one project file against what may stand in it."""

    def __init__(self, root: Path, file: SourceFile, sink: Sink) -> None:
        self.root = root
        self.file = file
        self.sink = sink
        self.places: Mapping[tuple[str, ...], Span] = {}

    def read(self, env: str | None) -> Config:
        default = Config(self.root, self.root.name, (self.root,), env=env, file=self.file)
        if any(line.count(".") > MOST_DOTS for line in self.file.text.split("\n")):
            long = f"a line has more than {MOST_DOTS} dots"
            self.sink.emit(codes.NOT_TOML.at(Span(self.file.path, 0, 0), long))
            return default
        try:
            document = tomllib.loads(self.file.text)
        except tomllib.TOMLDecodeError as error:
            self.sink.emit(_toml_error(self.file, error))
            return default
        except (RecursionError, ValueError):
            found = "this is nested too deep, or a number has too many digits"
            self.sink.emit(codes.NOT_TOML.at(Span(self.file.path, 0, 0), found))
            return default
        self.places = dict(_places(self.file))
        self._only(document, (), _TABLES)
        online = self._table(document, ("online",))
        self._only(online, ("online",), ("store", "history"))
        project = self._table(document, ("project",))
        self._only(project, ("project",), ("name", "roots"))
        sources = self._sources(self._table(document, ("sources",)), ("sources",))
        environments = self._table(document, ("env",))
        for name in environments:
            path = ("env", name)
            table = self._table(document, path)
            self._only(table, path, ("sources",))
            inner = (*path, "sources")
            overrides = self._sources(self._table(table, inner, within=path), inner)
            if name == env:
                sources = {**sources, **_merge(sources, overrides)}
        if env is not None and env not in environments:
            self.sink.emit(_unknown_env(env, tuple(environments)))
        return Config(
            self.root,
            self._string(project, ("project", "name")) or self.root.name,
            self._roots(project),
            sources,
            self._levels(self._table(document, ("diagnostics",))),
            env,
            self.file,
            self._string(online, ("online", "store")),
            self._serving(self._table(document, ("serve",))),
            self._duration(online, ("online", "history")),
        )

    def _duration(self, table: Mapping[str, Any], path: tuple[str, ...]) -> int | None:
        text = self._string(table, path)
        if text is None:
            return None
        from astrafs.syntax.literals import Literal, read_numeric  # few projects have one

        found = read_numeric(text)
        if isinstance(found, Literal) and found.type == "DURATION":
            micros = int(found.value)
            if micros > 0:
                return micros
        self.sink.emit(
            codes.WRONG_VALUE.at(
                self._place(path, text),
                "no length of time",
                title=f"`{path[-1]}` must be a duration",
            ).help(f'write it as in a program: `{path[-1]} = "7d"` or `"1d12h"`')
        )
        return None

    def _serving(self, table: Mapping[str, Any]) -> Serving:
        self._only(table, ("serve",), tuple(one.name for one in fields(Serving)))
        found: dict[str, Any] = {}
        for one in fields(Serving):
            path = ("serve", one.name)
            value = table.get(one.name)
            match one.default:
                case str():
                    value = self._string(table, path)
                case tuple():
                    value = self._strings(table, path)
                case _:
                    whole = isinstance(one.default, int)
                    value = None if value is None else self._number(path, value, whole=whole)
            if value is not None:
                found[one.name] = value
        form = found.get("access_log", "")
        if form and form not in LOG_FORMS:
            place = self._place(("serve", "access_log"), form)
            unknown = codes.BAD_SETTING.at(place, f"`{form}` is no form of the log")
            self.sink.emit(unknown.help(_choose(form, LOG_FORMS, "forms")))
            del found["access_log"]
        return Serving(**found)

    def _number(self, path: tuple[str, ...], value: object, *, whole: bool) -> int | float | None:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            self._wrong(path, value, "a whole number" if whole else "a number")
            return None
        problem = range_problem(path[-1], value)
        if problem is not None:
            found = codes.BAD_SETTING.at(self._place(path), "out of range", title=problem)
            self.sink.emit(found)
            return None
        return value if whole else float(value)

    def _roots(self, project: Mapping[str, Any]) -> tuple[Path, ...]:
        path = ("project", "roots")
        names = self._strings(project, path)
        if names is None:
            return (self.root,)
        found = []
        for name in names:
            directory = (self.root / name).resolve()
            if directory.is_dir():
                found.append(directory)
            else:
                self.sink.emit(
                    codes.BAD_ROOT.at(self._place(path, name), "there is no such directory").help(
                        f"create `{name}`, or name the directory that holds the data"
                    )
                )
        return tuple(found)

    def _levels(self, table: Mapping[str, Any]) -> Levels:
        self._only(table, ("diagnostics",), ("deny", "warn", "allow"))
        lists = {}
        for level in ("deny", "warn", "allow"):
            path = ("diagnostics", level)
            names = self._strings(table, path) or ()
            for name in names:
                problem = level_problem(level, name)
                if problem is not None:
                    code, text, advice = problem
                    self.sink.emit(code.at(self._place(path, name), text).help(advice))
            lists[level] = frozenset(names)
        return Levels(**lists)

    def _sources(
        self, table: Mapping[str, Any], path: tuple[str, ...]
    ) -> dict[str, SourceOverride]:
        found = {}
        for name in table:
            here = (*path, name)
            entry = self._table({path[-1]: table}, here, within=path[:-1])
            self._only(entry, here, ("format", "paths"))
            kind = self._string(entry, (*here, "format")) or ""
            if kind and kind not in FORMATS:
                self.sink.emit(
                    codes.UNKNOWN_FORMAT.at(
                        self._place((*here, "format"), kind), f"`{kind}` is no format"
                    ).help(_choose(kind, FORMATS, "formats"))
                )
                kind = ""
            paths = self._strings(entry, (*here, "paths"))
            if paths == ():  # it would be as if nothing had been said
                place, title = self._place((*here, "paths")), "`paths` names no files"
                problem = codes.WRONG_VALUE.at(place, "this list is empty", title=title)
                self.sink.emit(problem.help("list its files, or leave the line out"))
            found[name] = SourceOverride(kind, paths or ())
        return found

    def _table(
        self, document: Mapping[str, Any], path: tuple[str, ...], within: tuple[str, ...] = ()
    ) -> Mapping[str, Any]:
        value: Any = document
        for key in path[len(within) :]:
            value = value.get(key, {})
            if not isinstance(value, dict):
                self._wrong(path, value, "a table")
                return {}
        return value  # type: ignore[no-any-return]

    def _string(self, table: Mapping[str, Any], path: tuple[str, ...]) -> str | None:
        value = table.get(path[-1])
        if value is None or isinstance(value, str):
            return value
        self._wrong(path, value, "a string")
        return None

    def _strings(self, table: Mapping[str, Any], path: tuple[str, ...]) -> tuple[str, ...] | None:
        value = table.get(path[-1])
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self._wrong(path, value, "a list of strings")
        return None

    def _wrong(self, path: tuple[str, ...], value: object, wanted: str) -> None:
        found = codes.WRONG_VALUE.at(
            self._place(path), f"this is {_kind(value)}", title=f"`{path[-1]}` must be {wanted}"
        )
        if isinstance(value, str) and wanted == "a list of strings":
            found = found.help(f'write `{path[-1]} = ["{value}"]`')
        self.sink.emit(found)

    def _only(
        self, table: Mapping[str, Any], path: tuple[str, ...], known: tuple[str, ...]
    ) -> None:
        where = f"[{'.'.join(path)}]" if path else FILE_NAME
        for key in table:
            if key not in known:
                self.sink.emit(
                    codes.UNKNOWN_KEY.at(
                        self._place((*path, key)),
                        "not a known key",
                        title=f"`{key}` is not a key of {where}",
                    ).help(_choose(key, known, "keys"))
                )

    def _place(self, path: tuple[str, ...], value: str = "") -> Span:
        """Return where the longest known beginning of ``path`` stands, or ``value`` on that or a
        later line.
        """
        span = Span(FILE_NAME, 0, 0)
        for length in range(len(path), 0, -1):
            part = path[:length]
            span_of = next((one for at, one in self.places.items() if at[:length] == part), None)
            if span_of is not None:
                span = span_of
                break
        if value:
            for quoted in (f'"{value}"', f"'{value}'"):
                at = self.file.text.find(quoted, span.start)
                if at >= 0:
                    return Span(FILE_NAME, at, at + len(quoted))
        return span


def check_overrides(config: Config, declared: Iterable[str], sink: Sink) -> None:
    """Report overrides of sources that the project does not declare; ``declared`` holds qualified
    names.
    """
    known = frozenset(declared)
    if config.file is None:
        return
    places = dict(_places(config.file))
    for name in sorted(config.sources):
        if name not in known:
            place = next(
                (span for path, span in places.items() if name in path), Span(FILE_NAME, 0, 0)
            )
            likely = closest(name, known) or _same_last_part(name, known)
            advice = f"did you mean `{likely}`?" if likely else "name it `module.source`, in quotes"
            sink.emit(
                codes.UNKNOWN_SOURCE.at(
                    place, "no such source", title=f"the project has no source `{name}`"
                ).help(advice)
            )


def _same_last_part(name: str, known: Iterable[str]) -> str | None:
    last = name.rsplit(".", 1)[-1]
    return next((one for one in sorted(known) if one.rsplit(".", 1)[-1] == last), None)


def _merge(
    base: Mapping[str, SourceOverride], over: Mapping[str, SourceOverride]
) -> dict[str, SourceOverride]:
    merged = {}
    for name, entry in over.items():
        below = base.get(name, SourceOverride())
        merged[name] = SourceOverride(
            entry.format or below.format, entry.patterns or below.patterns
        )
    return merged


def level_problem(level: str, name: str) -> tuple[Code, str, str] | None:
    """Say what is wrong with naming ``name`` under ``level``: (code, what is there, what to do), or
    None.
    """
    from astrafs.diagnostics.codes import ALL  # all codes are many, and few projects name one

    if name == ALL_WARNINGS:
        return None
    code = ALL.get(name)
    if code is None:
        likely = closest(name.upper(), ALL)
        advice = f"did you mean `{likely}`?" if likely else "`astrafs explain` lists all codes"
        return codes.UNKNOWN_CODE, f"there is no code `{name}`", advice
    if level != "deny" and code.severity is Severity.ERROR:
        return (
            codes.ERROR_STAYS,
            f"{name} is an error: {code.title}",
            f"`astrafs explain {name}` says how such a program is mended",
        )
    return None


def _choose(name: str, known: Iterable[str], plural: str) -> str:
    likely = closest(name, known)
    if likely:
        return f"did you mean `{likely}`?"
    return f"the {plural} here are " + ", ".join(f"`{one}`" for one in known)


def _unknown_env(env: str, known: tuple[str, ...]) -> Diagnostic:
    found = usage.UNKNOWN_ENV.nowhere(f"there is no environment `{env}` in {FILE_NAME}")
    if known:
        return found.help(_choose(env, known, "environments"))
    return found.help(f"declare it: [env.{env}.sources]")


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list with other things than strings" if value else "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


_POSITION = re.compile(
    r"^(?P<text>.*?)\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"
)


def _toml_error(file: SourceFile, error: tomllib.TOMLDecodeError) -> Diagnostic:
    match = _POSITION.match(str(error))
    if match is None:
        return codes.NOT_TOML.at(Span(file.path, 0, 0), str(error))
    text = match["text"]
    label = text[:1].lower() + text[1:]
    if match["line"] is None:
        end = len(file.text.rstrip())
        return codes.NOT_TOML.at(Span(file.path, max(0, end - 1), end), f"{label}, at the end")
    line, column = int(match["line"]), int(match["column"])
    before = file.text.split("\n")
    start = sum(len(one) + 1 for one in before[: line - 1]) + column - 1
    start = min(start, len(file.text))
    end = start + 1 if start < len(file.text) and file.text[start] != "\n" else start
    return codes.NOT_TOML.at(Span(file.path, start, end), label)


_HEADER = re.compile(r"^[ \t]*\[(?!\[)(?P<name>[^\n#]*)\][ \t]*(?:#.*)?$")
_KEY = re.compile(r"""^[ \t]*(?P<name>(?:[A-Za-z0-9_.\- \t]|"[^"\n]*"|'[^'\n]*')+?)[ \t]*=""")


def _places(file: SourceFile) -> Iterator[tuple[tuple[str, ...], Span]]:
    """Yield where each table and key of a valid TOML text is named, line by line."""
    table: tuple[str, ...] = ()
    offset = 0
    for line in file.text.split("\n"):
        header, key = _HEADER.match(line.rstrip("\r")), _KEY.match(line)
        found = header or key
        if found is not None:
            name = found["name"]
            path = _path(name)
            if header is not None:
                table = path
            elif path:
                path = (*table, *path)
            if path:
                start = offset + found.start("name") + len(name) - len(name.lstrip())
                yield path, Span(file.path, start, start + len(name.strip()))
        offset += len(line) + 1


def _path(name: str) -> tuple[str, ...]:
    """Return the parts of a dotted TOML key; empty where ``name`` is none (a line inside a long
    string).
    """
    try:
        value: Any = tomllib.loads(f"{name} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(value, dict):
        ((key, value),) = value.items()
        path.append(key)
    return tuple(path)
