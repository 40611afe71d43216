"""Questions to a view as they are given, made exact: keys or request fields by name, and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.codes import run as run_codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.online.expressions import Key
from astrafs.online.given import UnfitError, cells, engine_column
from astrafs.online.schemas import ViewSchema
from astrafs.online.values import read_fields, reader
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.typesys import TIMESTAMP
from astrafs.values.times import Time, instant

TIME = "t"
"""The name under which a question may carry its own time."""

_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions ready for the engine: one column of engine values per key column, and the times."""

    columns: Sequence[Sequence[Any]]
    times: Sequence[int]

    def keys(self) -> list[Key]:
        """Return the key of each question."""
        return list(zip(*self.columns, strict=True)) if self.columns else [()] * len(self.times)


class Form:
    """How questions to one view are read. Safe to share between threads."""

    def __init__(self, schema: ViewSchema, entity: ir.Entity) -> None:
        self.schema = schema
        self._entity = entity
        self._names = tuple(part.name for part in entity.keys)
        # A null key is nobody's and gets the values of empty windows; a request has no such fields.
        types = [part.type if entity.request else part.type.optional() for part in entity.keys]
        self._fields = tuple(zip(self._names, types, strict=True))
        self._readers = tuple(map(reader, types))
        self._timed = TIME not in self._names
        self._short = entity.name.rsplit(".", 1)[-1]

    def one(self, given: object) -> Key:
        """Return the key that ``given`` means: a mapping by name, a tuple or list in the order of
        the key's columns, or a bare value where there is one column.
        """
        match given:
            case Mapping():
                return self._mapping(given, self._short)
            case tuple() | list() if len(self._names) != 1:
                values: Sequence[object] = given
            case None if not self._names:
                values = ()
            case _:
                values = (given,)
        if len(values) != len(self._names):
            raise AstrafsError(self._other_count(len(values)))
        return tuple(
            read(_plain(value), name)
            for read, name, value in zip(self._readers, self._names, values, strict=True)
        )

    def many(self, given: Sequence[Mapping[str, object]], at: int) -> Asked:
        """Return the questions that mappings by name mean; each may carry its time as ``t``."""
        problems: list[Diagnostic] = []
        keys: list[Key] = []
        times: list[int] = []
        for place, question in enumerate(given):
            where = f"questions[{place}]"
            try:
                if not isinstance(question, Mapping):
                    raise AstrafsError(self._no_mapping(question, where))
                t = at
                if self._timed and TIME in question:
                    t = _time(question[TIME], f"{where}.{TIME}")
                    question = {name: one for name, one in question.items() if name != TIME}
                keys.append(self._mapping(question, where))
                times.append(t)
            except AstrafsError as error:
                problems.extend(error.diagnostics)
                if len(problems) >= _MOST_PROBLEMS:
                    break
        if problems:
            raise AstrafsError(*problems[:_MOST_PROBLEMS])
        return Asked(tuple(zip(*keys, strict=True)), times)

    def table(self, questions: pa.Table, at: int) -> Asked:
        """Return the questions that the rows of a table mean; a column ``t`` gives their times.

        Columns are found, converted and judged as those of a spine.
        """
        outputs = {output.name for output in self.schema.outputs}
        if clashes := [f"`{name}`" for name in questions.column_names if name in outputs]:
            title = f"the questions have columns that the view makes: {', '.join(clashes)}"
            raise AstrafsError(run_codes.NAME_CLASH.nowhere(title).help("rename them"))
        if missing := [name for name in self._names if name not in questions.column_names]:
            raise AstrafsError(*(self._no_column(name, questions) for name in missing))
        columns, problems = [], []
        timed = self._timed and TIME in questions.column_names
        for name, type_ in (*self._fields, *((TIME, TIMESTAMP),) * timed):
            try:
                found = engine_column(questions.column(name), type_)
                if found.null_count and not type_.nullable:
                    row = found.is_null().index(True).as_py() + 1
                    raise UnfitError(f"it is null in row {row:,}")
                columns.append(found)
            except UnfitError as error:
                title = f"the column `{name}` of the questions is `{type_}`: {error.why}"
                problem = codes.BAD_QUESTION.nowhere(title)
                problems.append(problem.help(error.advice) if error.advice else problem)
        if problems:
            raise AstrafsError(*problems)
        times = columns.pop().to_pylist() if timed else [at] * questions.num_rows
        return Asked(
            [
                cells(column, type_)
                for column, (_, type_) in zip(columns, self._fields, strict=True)
            ],
            times,
        )

    def _mapping(self, given: Mapping[str, object], place: str) -> Key:
        if not self._entity.request and len(given) < len(self._names):
            missing = [name for name in self._names if name not in given]
            unknown = [name for name in given if name not in self._names]
            if missing and not unknown:
                raise AstrafsError(*(self._missing(name, place) for name in missing))
        return read_fields(given, self._fields, place)

    def _missing(self, name: str, place: str) -> Diagnostic:
        found = codes.BAD_QUESTION.nowhere(f"`{place}` has no `{name}`, a key of `{self._short}`")
        return found.help(f"it is `{dict(self._fields)[name].required()}`")

    def _no_column(self, name: str, questions: pa.Table) -> Diagnostic:
        kind = "field" if self._entity.request else "key"
        title = f"the questions have no column `{name}`, a {kind} of `{self._short}`"
        found = codes.BAD_QUESTION.nowhere(title)
        near = closest(name, questions.column_names)
        return found.help(f"rename `{near}`" if near else f"it is `{dict(self._fields)[name]}`")

    def _no_mapping(self, given: object, place: str) -> Diagnostic:
        listed = ", ".join(f'"{name}": ...' for name in self._names)
        found = codes.BAD_QUESTION.nowhere(f"`{place}` is a `{type(given).__name__}`")
        return found.help(f"a question is an object: {{{listed}}}")

    def _other_count(self, count: int) -> Diagnostic:
        listed = ", ".join(f"`{name}`" for name in self._names) or "nothing"
        have = f"{count} value{'s' if count != 1 else ''}"
        title = f"the key of `{self._short}` has {len(self._names)} columns, and this is {have}"
        return codes.BAD_QUESTION.nowhere(title).help(f"give {listed}, by name or in this order")


def time_of(at: Time | None, now: int) -> int:
    """Return the time of a question in microseconds: ``at``, else ``now``."""
    return now if at is None else _time(at, "at")


def _time(given: Any, what: str) -> int:
    return instant(given, what)


def _plain(value: Any) -> Any:
    """Return a number of NumPy as Python's own."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value
