"""An engine that computes single calls: the real session, with every kernel registered."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from astrafs.backends.duckdb.names import literal
from astrafs.builtins import registry
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.registry import KERNELS
from astrafs.runtime.session import Session
from astrafs.typesys import Type
from astrafs.values.errors import ValueFailure


def bits(value: Any) -> Any:
    """A value in a form whose equality is that of its bits."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, Decimal):
        return value.as_tuple()
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, list | tuple):
        return tuple(bits(item) for item in value)
    return type(value).__name__, value


class Engine:
    """Computes calls on the reference and on DuckDB."""

    def __init__(self, session: Session) -> None:
        self._session = session
        for name, kernel in KERNELS.items():
            session.add_function(name, kernel.run, kernel.params, kernel.result)

    def sql(
        self,
        name: str,
        types: Sequence[Type],
        result: Type,
        rows: Sequence[tuple[Any, ...]],
        constants: Sequence[Any],
    ) -> list[Any]:
        columns: dict[str, pa.Array] = {"place": pa.array(range(len(rows)), pa.int64())}
        args = []
        for place, (type_, constant) in enumerate(zip(types, constants, strict=True)):
            if constant is not None:
                args.append(literal(constant, type_))
                continue
            columns[f"c{place}"] = pa.array([row[place] for row in rows], engine_type(type_))
            args.append(f"c{place}")
        text = registry.sql_text(name, tuple(args), tuple(types), result)
        self._session.register("given", pa.table(columns))
        try:
            found = self._session.rows(f"SELECT {text} FROM given ORDER BY place", text)
        finally:
            self._session.unregister("given")
        return [row[0] for row in found]

    def value(self, sql: str) -> Any:
        """Compute one expression without columns."""
        return self._session.rows(f"SELECT {sql}", sql)[0][0]

    def agree(
        self,
        name: str,
        types: Sequence[Type],
        rows: Sequence[tuple[Any, ...]],
        constants: Sequence[Any] | None = None,
    ) -> list[Any]:
        """Assert that both give the same bits, or the same failure; return the values that
        exist.
        """
        constants = constants or (None,) * len(types)
        signature = registry.FUNCTIONS[name].rule(tuple(types), tuple(constants))
        result = signature.result
        fine, answers = [], []
        for row in rows:
            try:
                answers.append(registry.evaluate(name, row, signature.args, result))
                fine.append(row)
            except ValueFailure as failure:
                with pytest.raises(AstrafsError) as caught:
                    self.sql(name, signature.args, result, [row], constants)
                code = caught.value.diagnostics[0].code.id
                assert code == failure.code, (name, row, caught.value)
        found = self.sql(name, signature.args, result, fine, constants)
        for row, wanted, got in zip(fine, answers, found, strict=True):
            assert bits(got) == bits(wanted), (name, [str(t) for t in types], row, wanted, got)
            assert wanted is not None or result.nullable, (name, row)
        return answers


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Session([], threads=1) as session:
        yield Engine(session)
