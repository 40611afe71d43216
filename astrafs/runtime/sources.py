"""Reading one source: scan, convert, judge, and keep the good rows as the relation ``src:<name>``.

All declared columns are read and judged, also those that a view does not use: which rows a contract
lets through must not depend on the features asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import assert_never

import numpy as np
import pyarrow as pa

from astrafs.backends.duckdb.expressions import row_expression
from astrafs.backends.duckdb.names import ident, text
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Code, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir
from astrafs.plan.contracts import (
    Check,
    Contract,
    Elements,
    Expect,
    NotBefore,
    NotNull,
    OneOf,
    column_contracts,
    row_contracts,
)
from astrafs.plan.program import SourceOrigin
from astrafs.record import dataclass
from astrafs.runtime import atomic, zones
from astrafs.runtime.contracts import (
    EXAMPLES,
    Quarantine,
    Quarantined,
    Rule,
    Violation,
    examples_of,
)
from astrafs.runtime.conversions import TEXT, Conversion, Problem, Refusal
from astrafs.runtime.nested import convert, element_condition
from astrafs.runtime.paths import InputFile
from astrafs.runtime.physical import FILE, Group, all_columns, describe, other_separator
from astrafs.runtime.session import Session
from astrafs.source import Span
from astrafs.typesys import Kind, Type

AS_OF = "CAST(getvariable('as_of') AS BIGINT)"

_SPREAD = 16
"""Numbers are marked one by one where they spread over at most so many times their count."""

_WRITABLE = (
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL(",
    "VARCHAR",
    "BLOB",
    "DATE",
    "TIMESTAMP",
)


@dataclass(slots=True)
class SourceReader:
    """Reads ``source`` from ``files`` into ``session``; ``quarantine`` is None where a violation
    stops the run. ``expects`` are the conditions as written, ``origin`` says where.
    """

    session: Session
    source: ir.Source
    format: str
    files: Sequence[InputFile]
    quarantine: Quarantine | None = None
    expects: Sequence[str] = ()
    origin: SourceOrigin | None = None
    _groups: tuple[Group, ...] = field(init=False, default=())
    _conversions: dict[Group, dict[str, Conversion]] = field(init=False, default_factory=dict)
    _rules: list[Rule] = field(init=False, default_factory=list)
    _conditions: list[str] = field(init=False, default_factory=list)

    @property
    def relation(self) -> str:
        """The quoted name of the relation that ``load`` makes."""
        return ident(f"src:{self.source.name}")

    def load(self, needed: Sequence[str]) -> int:
        """Make the relation with the columns ``needed``, the key, ``"@e"`` and ``"@k"``; return its
        rows.

        Raises :class:`AstrafsError` where files do not hold what is declared or rows break a
        contract.
        """
        self.open()
        kept = dict.fromkeys((*needed, *self.source.key))
        listed = "".join(f"{ident(name)}, " for name in kept)
        union = "\nUNION ALL\n".join(
            f'SELECT {listed}"@e", "@k", "@bad" FROM {self._judged(group)}'
            for group in self._groups
        )
        try:
            self.session.run(f"CREATE TEMP TABLE {self.relation} AS\n{union}", self._doing)
        except AstrafsError as error:
            raise self._with_file(error) from None
        self._judge_rows()
        if not self.source.table and not self.source.revisions:
            self._judge_key()
        return int(self.session.rows(f"SELECT count(*) FROM {self.relation}", self._doing)[0][0])

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules by which rows are judged, once the reader is open."""
        return self._rules

    def judged(self, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Yield every row that the files hold, once the reader is open: its columns in engine form,
        ``"@bad"`` (the place of the first rule that it breaks, or null), and ``"@raw"`` for those
        that break one: the declared columns as text. Unique keys are not judged.

        Rows come in the order of the files where the session keeps it.
        """
        listed = ", ".join(ident(column.name) for column in self.source.columns)
        texts = ", ".join(
            f"CAST({ident(f'r:{column.name}')} AS VARCHAR)" for column in self.source.columns
        )
        raw = f'CASE WHEN "@bad" IS NOT NULL THEN [{texts}] END AS "@raw"'
        for group in self._groups:
            query = f'SELECT {listed}, "@bad", {raw} FROM {self._judged(group)}'
            yield from self.session.stream(query, self._doing, batch_rows)

    def _with_file(self, error: AstrafsError) -> AstrafsError:
        """Return ``error`` about a damaged file with the file's path, also where the engine kept it
        to itself.
        """
        found = error.diagnostics[0]
        if found.code != codes.UNREADABLE_FILE:
            return error
        if found.title != found.code.title:
            named = [file for file in self.files if f"`{file.path.name}`" in found.title]
            if len(named) != 1:
                return error
            title = found.title.replace(named[0].path.name, named[0].shown)
            return AstrafsError(replace(found, title=title))
        for group in self._groups:
            for path in group.files:
                alone = replace(group, files=(path,))
                scan = alone.scan([_physical(column) for column in self.source.columns])
                try:
                    self.session.rows(f"SELECT bit_xor(hash(r)) FROM {scan} r", self._doing)
                except AstrafsError:
                    title = f"`{self._shown(path)}` cannot be read"
                    return AstrafsError(replace(found, title=title))
        return error

    def expel(self, rule: Rule, offenders: str) -> None:
        """Treat the rows whose keys the relation ``offenders`` lists as breaking ``rule``; drop
        them if that is allowed.
        """
        span = None if self.origin is None else self.origin.name
        self._take_out(replace(rule, span=span), offenders)

    # -- files against the declaration
    # -------------------------------------------------------------------

    @property
    def _doing(self) -> str:
        return f"reading source {self.source.name}"

    def open(self) -> None:
        """Compare what the files hold with the declaration; raises :class:`AstrafsError`."""
        wanted = [_physical(column) for column in self.source.columns]
        durations = [
            _physical(column) for column in self.source.columns if _has_durations(column.type)
        ]
        paths = [file.path for file in self.files]
        try:
            self._groups = describe(self.session, self.format, paths, wanted, durations)
        except AstrafsError as error:
            raise self._with_file(error) from None
        problems: dict[str, Diagnostic] = {}
        for group in self._groups:
            self._check_separator(group)
            self._conversions[group] = {}
            for column in self.source.columns:
                found = self._conversion(group, column)
                if isinstance(found, Diagnostic):
                    problems.setdefault(column.name, found)
                else:
                    self._conversions[group][column.name] = found
        if problems:
            raise AstrafsError(*problems.values())
        self._collect_rules()

    def _check_separator(self, group: Group) -> None:
        names = tuple(name for name, _ in group.columns)
        sign = other_separator(names) if group.format == "csv" else ""
        if sign and not any(_physical(column) in names for column in self.source.columns):
            shown = {"\t": "tabs"}.get(sign, f"`{sign}`")
            raise AstrafsError(
                codes.UNREADABLE_FILE.nowhere(
                    f"source `{self.source.name}`: the columns of "
                    f"`{self._shown(group.files[0])}` are separated by {shown}"
                ).help("save it with commas, or as Parquet")
            )

    def _conversion(self, group: Group, column: ir.SourceColumn) -> Conversion | Diagnostic:
        name = _physical(column)
        file = self._shown(group.files[0])
        physical = group.physical(name)
        if physical is None:
            return self._missing(group, column, name, file)
        if column.zone and column.zone not in zones.UNIX_ZONES and not zones.exists(column.zone):
            title = f"source `{self.source.name}`: `{column.zone}` is no time zone"
            return self._about(codes.ZONELESS_TIME, column, title).help(
                "zones are named as in the IANA database, such as `Europe/Paris`"
            )
        found = convert(
            column.type, physical, column.zone, ident(f"r:{column.name}"), ident(f"p:{column.name}")
        )
        if isinstance(found, Conversion):
            return found
        return self._refused(found, column, physical, file)

    def _missing(self, group: Group, column: ir.SourceColumn, name: str, file: str) -> Diagnostic:
        names = all_columns(self.session, group)
        title = f"source `{self.source.name}`: `{file}` has no column `{name}`"
        found = self._about(codes.MISSING_COLUMN, column, title)
        near = closest(name, names)
        if near is None:
            listed = ", ".join(f"`{other}`" for other in names[:20])
            more = f" and {len(names) - 20} more" if len(names) > 20 else ""
            found = found.note(f"its columns are {listed}{more}")
        else:
            found = found.help(f'did you mean `{column.name}: {column.type} from "{near}"`?')
        return found

    def _refused(
        self, refusal: Refusal, column: ir.SourceColumn, physical: str, file: str
    ) -> Diagnostic:
        code = codes.ZONELESS_TIME if refusal.zone else codes.PHYSICAL_TYPE
        stored = "text" if physical == TEXT else physical.lower()
        column_words = f"source `{self.source.name}`: column `{_physical(column)}`"
        title = f"{column_words} is declared `{column.type}` and stored as {stored}"
        if refusal.zone:
            title = f"{column_words} holds {stored}, which is no instant"
        return self._about(code, column, title).note(f"in `{file}`").help(refusal.advice)

    def _about(self, code: Code, column: ir.SourceColumn, title: str) -> Diagnostic:
        """Make a diagnostic at the declaration of ``column``, where that is known."""
        span = self._span(column.name)
        if span is None:
            return code.nowhere(title)
        return code.at(span, "declared here", title=title)

    def _span(self, column: str) -> Span | None:
        return None if self.origin is None else self.origin.columns.get(column, self.origin.name)

    def _shown(self, path: Path) -> str:
        return next((file.shown for file in self.files if file.path == path), path.name)

    # -- rules
    # -------------------------------------------------------------------------------------------

    def _collect_rules(self) -> None:
        """List the rules in the order in which a row is judged: a row counts for the first that it
        breaks.
        """
        for column in self.source.columns:
            for group in self._groups:
                for problem in self._conversions[group][column.name].problems:
                    self._rule(self._type_rule(column, problem), "")
            for contract in column_contracts(column):
                self._contract(contract, self._span(column.name))
        for contract in row_contracts(self.source, self.expects):
            self._contract(contract, self._row_span(contract))

    def _row_span(self, contract: Contract) -> Span | None:
        if contract.place < 0:
            return self._span(contract.columns[-1])
        return None if self.origin is None else self.origin.expects[contract.place].span

    def _contract(self, contract: Contract, span: Span | None) -> None:
        rule = Rule(contract.name, contract.text, contract.columns, span=span)
        self._rule(rule, _breaking(contract.check))

    def _type_rule(self, column: ir.SourceColumn, problem: Problem) -> Rule:
        words, span = f"`{column.name}` {problem.rule}", self._span(column.name)
        return Rule(f"{column.name}.type", words, (column.name,), problem.advice, span)

    def _rule(self, rule: Rule, condition: str) -> None:
        if rule not in self._rules:
            self._rules.append(rule)
            self._conditions.append(condition)

    def _judged(self, group: Group, extra: Sequence[str] = ()) -> str:
        """Return a table expression: raw, prepared and final columns, ``@e``, ``@k`` and ``@bad``
        (a rule's number).
        """
        columns = self.source.columns
        conversions = self._conversions[group]
        wanted = tuple(dict.fromkeys((*(_physical(column) for column in columns), *extra)))
        raw = ", ".join(f"{ident(_physical(c))} AS {ident(f'r:{c.name}')}" for c in columns)
        more = "".join(f", {ident(name)} AS {ident(f'x:{name}')}" for name in extra)
        prepared = ", ".join(
            f"{conversions[c.name].prepare} AS {ident(f'p:{c.name}')}" for c in columns
        )
        values = ", ".join(f"{conversions[c.name].value} AS {ident(c.name)}" for c in columns)
        broken = []
        for column in columns:
            for problem in conversions[column.name].problems:
                place = self._rules.index(self._type_rule(column, problem))
                broken.append(f"WHEN {problem.condition} THEN {place}")
        types = f"CASE {' '.join(broken)} END" if broken else "CAST(NULL AS INTEGER)"
        rest = " ".join(
            f"WHEN {condition} THEN {place}"
            for place, condition in enumerate(self._conditions)
            if condition
        )
        later = f"CASE {rest} END" if rest else "NULL"
        event, known = self._times()
        sql = f"(SELECT {raw}{more}, {ident(FILE)} FROM {group.scan(wanted)})"
        sql = f"(SELECT *, {prepared} FROM {sql})"
        sql = f'(SELECT *, {values}, {types} AS "@type" FROM {sql})'
        sql = f'(SELECT *, {event} AS "@e" FROM {sql})'
        sql = f'(SELECT *, {known} AS "@k" FROM {sql})'
        if self.source.time:  # what has no time is always known
            sql = f'(SELECT * FROM {sql} WHERE coalesce("@k" <= {AS_OF}, TRUE))'
        return f'(SELECT *, coalesce("@type", {later}) AS "@bad" FROM {sql})'

    def _times(self) -> tuple[str, str]:
        zero = "CAST(0 AS BIGINT)"
        if not self.source.time:
            return zero, zero
        match self.source.knowledge:
            case ir.KnownColumn(column):
                known = ident(column)
            case ir.Delay(0):
                known = '"@e"'
            case ir.Delay(delay):
                inside = f'"@e" BETWEEN {zones.MIN_TIME} AND {zones.MAX_TIME}'
                known = f'CASE WHEN {inside} THEN "@e" + {delay} END'
            case _:
                assert_never(self.source.knowledge)
        return ident(self.source.time), known

    # -- violations
    # --------------------------------------------------------------------------------------

    def _judge_rows(self) -> None:
        found = self.session.rows(
            f'SELECT DISTINCT "@bad" FROM {self.relation} WHERE "@bad" IS NOT NULL ORDER BY 1',
            self._doing,
        )
        if found:
            self._reject([(self._rules[place], f'"@bad" = {place}') for (place,) in found])
            self.session.run(f'DELETE FROM {self.relation} WHERE "@bad" IS NOT NULL', self._doing)

    def _judge_key(self) -> None:
        keys = ", ".join(ident(name) for name in self.source.key)
        if not keys or self._has_unique_key():
            return
        offenders = ident(f"twice:{self.source.name}")
        self.session.run(
            f"CREATE TEMP TABLE {offenders} AS SELECT {keys} FROM {self.relation}"
            f" GROUP BY {keys} HAVING count(*) > 1",
            self._doing,
        )
        if self.session.rows(f"SELECT 1 FROM {offenders} LIMIT 1", self._doing):
            listed = ", ".join(f"`{name}`" for name in self.source.key)
            columns = (*self.source.key, *((self.source.time,) if self.source.time else ()))
            rule = Rule("key", f"the key ({listed}) is unique", columns)
            self._take_out(replace(rule, span=self._span(self.source.key[0])), offenders)
        self.session.run(f"DROP TABLE {offenders}", self._doing)

    def _has_unique_key(self) -> bool:
        """Whether the key is one number that is different in every row, told by marking each; False
        where that is not told so cheaply.
        """
        types = {column.name: column.type.kind for column in self.source.columns}
        if [types[name] for name in self.source.key] not in ([Kind.INT], [Kind.TIMESTAMP]):
            return False
        key = ident(self.source.key[0])
        query = f"SELECT count(*), count({key}), min({key}), max({key}) FROM {self.relation}"
        rows, present, least, most = self.session.rows(query, self._doing)[0]
        if rows != present or not rows or most - least >= _SPREAD * rows:
            return False
        seen = np.zeros(most - least + 1, dtype=np.bool_)
        for batch in self.session.stream(f"SELECT {key} FROM {self.relation}", self._doing):
            seen[batch.column(0).to_numpy() - least] = True
        return bool(np.count_nonzero(seen) == rows)

    def _take_out(self, rule: Rule, offenders: str) -> None:
        """Reject the rows of the relation whose keys ``offenders`` lists."""
        same = " AND ".join(
            f"o.{ident(name)} IS NOT DISTINCT FROM s.{ident(name)}" for name in self.source.key
        )
        condition = f'"@bad" IS NULL AND EXISTS (SELECT 1 FROM {offenders} o WHERE {same})'
        self._reject([(rule, condition)])
        self.session.run(f"DELETE FROM {self.relation} s WHERE {condition}", self._doing)

    def _reject(self, broken: Sequence[tuple[Rule, str]]) -> None:
        """Report the rows of each (rule, condition over the judged relation ``s``), or write them
        aside.
        """
        if self.quarantine is None:
            raise AstrafsError(
                *(self._violation(rule, where).diagnostic() for rule, where in broken)
            )
        for rule, where in broken:
            paths = [
                written
                for part, group in enumerate(self._groups)
                if (written := self._set_aside(rule, where, group, part)) is not None
            ]
            count = sum(rows for rows, _ in paths)
            self.quarantine.found.append(
                Quarantined(self.source.name, rule.text, count, tuple(path for _, path in paths))
            )

    def _violation(self, rule: Rule, where: str) -> Violation:
        shown = tuple(dict.fromkeys((*self.source.key, *rule.columns)))
        listed = ", ".join(
            f"CAST({ident(f'r:{name}')} AS VARCHAR) AS {ident(name)}" for name in shown
        )
        listed = ", ".join((*((listed,) if listed else ()), ident(FILE)))
        union = "\nUNION ALL\n".join(
            f"SELECT {listed} FROM {self._judged(group)} s WHERE {where}" for group in self._groups
        )
        count = self.session.rows(f"SELECT count(*) FROM ({union})", self._doing)[0][0]
        rows = self.session.rows(
            f"SELECT * FROM ({union}) ORDER BY ALL LIMIT {EXAMPLES}", self._doing
        )
        files = tuple(self._shown(Path(row[-1])) for row in rows)
        return Violation(self.source.name, rule, count, examples_of(shown, rows), files)

    def _set_aside(
        self, rule: Rule, where: str, group: Group, part: int
    ) -> tuple[int, Path] | None:
        """Write the group's offending rows as they were in the file; return how many and where."""
        assert self.quarantine is not None
        declared = {_physical(column): column.name for column in self.source.columns}
        extra = tuple(name for name in all_columns(self.session, group) if name not in declared)
        from_raw = [(f"r:{column}", name) for name, column in declared.items()]
        columns = [*from_raw, *((f"x:{name}", name) for name in extra)]
        judged = self._judged(group, extra)
        kinds = dict(self.session.columns(f"SELECT * FROM {judged} s", self._doing))
        listed = ", ".join(
            f"{_storable(ident(column), kinds[column])} AS {ident(name)}"
            for column, name in columns
        )
        query = (
            f"SELECT {listed}, {text(rule.text)} AS astrafs_reason, {ident(FILE)} AS astrafs_file"
            f" FROM {judged} s WHERE {where} ORDER BY ALL"
        )
        schema = self.session.schema(query, self._doing)
        path = self.quarantine.path(self.source.name, rule, part)
        rows = atomic.write_parquet(path, schema, self._batches(query))
        return (rows, path) if rows else None

    def _batches(self, query: str) -> Iterator[pa.RecordBatch]:
        yield from self.session.stream(query, self._doing)


def _breaking(check: Check) -> str:
    """Return SQL over a row in engine form that is true where the row breaks ``check``."""
    match check:
        case NotNull(column=column):
            return f"{ident(column)} IS NULL"
        case OneOf(column=column, values=values):
            return f"{ident(column)} NOT IN ({', '.join(map(text, values))})"
        case Elements(column=column, check=inner):
            return element_condition(inner, ident(column))
        case NotBefore():
            return '"@k" < "@e"'
        case Expect(condition=condition):
            return f"({row_expression(condition)}) IS FALSE"
        case _:
            assert_never(check)


def _has_durations(type_: Type) -> bool:
    return type_.kind is Kind.DURATION or (
        type_.is_nested and any(map(_has_durations, type_.parts))
    )


def _physical(column: ir.SourceColumn) -> str:
    return column.physical or column.name


def _storable(column: str, kind: str) -> str:
    return (
        column if kind.startswith(_WRITABLE) and "[" not in kind else f"CAST({column} AS VARCHAR)"
    )
