"""A project on disk as one object: load it, check it, run its views."""

from __future__ import annotations

import time as clocks
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrafs.config import Config, check_overrides, load_config
from astrafs.diagnostics.codes.internal import INTERNAL
from astrafs.diagnostics.model import AstrafsError, Diagnostic, Sink
from astrafs.driver import compile_project
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.source import SourceFile
from astrafs.workspace import open_workspace

if TYPE_CHECKING:
    import pyarrow as pa

    from astrafs.online.service import Online
    from astrafs.runtime.backfill import Place, Report
    from astrafs.runtime.datasets import DatasetReport
    from astrafs.runtime.progress import Progress
    from astrafs.runtime.request import Request
    from astrafs.values.times import Duration, Time


@dataclass(frozen=True, slots=True)
class Project:
    """A compiled project. ``program`` can be run only where ``check`` finds no error."""

    config: Config
    files: tuple[SourceFile, ...]
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]

    def check(self) -> list[Diagnostic]:
        """Return everything there is to say about the program, errors and warnings, in source
        order.
        """
        return list(self.diagnostics)

    @property
    def views(self) -> tuple[str, ...]:
        """The qualified names of all views, sorted."""
        return () if self.program is None else tuple(view.name for view in self.program.plan.views)

    def backfill(
        self,
        view: str,
        spine: object = None,
        as_of: Time | None = None,
        *,
        time: str | None = None,
        time_zone: str = "",
        keys: Mapping[str, str] | None = None,
        features: Sequence[str] | None = None,
        limit: int | None = None,
        start: Time | None = None,
        end: Time | None = None,
        every: Duration | None = None,
        memory_limit: str | None = None,
        threads: int | None = None,
        quarantine: str | Path | None = None,
        cache: bool = False,
        partition_rows: int | None = None,
        progress: Progress | None = None,
    ) -> pa.Table:
        """Return the features of ``view`` as an Arrow table, as known at ``as_of``.

        The rows are those of ``spine`` (a path, or a pyarrow, Polars or pandas table), its own
        columns first; or, with ``start``, ``end`` and ``every``, every known key at each of these
        times (``end`` itself is not one); or every key known at ``as_of``. ``time`` names the
        spine's prediction time (default ``t``, ``time`` or the only timestamps), ``time_zone`` the
        zone of zoneless ones, ``keys`` maps key names to the spine's column names. Times are ISO
        text with an offset, aware datetimes or microseconds. With ``cache``, columns that earlier
        runs over a spine have kept in ``.astrafs/results`` are used, and new ones kept there;
        ``partition_rows`` computes a spine in parts of so many rows. Raises :class:`AstrafsError`.
        """
        from astrafs.runtime.backfill import to_table

        request = _request(locals())
        return to_table(self._runnable(), self._place(), request)[0]

    def backfill_to(
        self,
        output: str | Path,
        view: str,
        spine: object = None,
        as_of: Time | None = None,
        *,
        format: str | None = None,
        time: str | None = None,
        time_zone: str = "",
        keys: Mapping[str, str] | None = None,
        features: Sequence[str] | None = None,
        limit: int | None = None,
        start: Time | None = None,
        end: Time | None = None,
        every: Duration | None = None,
        memory_limit: str | None = None,
        threads: int | None = None,
        quarantine: str | Path | None = None,
        cache: bool = False,
        partition_rows: int | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Write what :meth:`backfill` returns to ``output``, with a manifest beside it; whole or
        not at all.

        ``format`` is ``parquet``, ``csv``, ``jsonl`` or ``arrow``; else ``output`` ends in it.
        """
        from astrafs.runtime.backfill import to_file

        request = _request(locals())
        return to_file(self._runnable(), self._place(), request, Path(output), format)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The qualified names of all datasets, sorted."""
        if self.program is None:
            return ()
        return tuple(dataset.name for dataset in self.program.plan.datasets)

    def dataset(
        self,
        dataset: str,
        as_of: Time | None = None,
        *,
        memory_limit: str | None = None,
        threads: int | None = None,
        quarantine: str | Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, pa.Table]:
        """Return the examples of ``dataset`` as known at ``as_of``: ``train`` and ``test``, or
        ``all`` where it has no split.

        Per table: the spine's columns that are known at the row's time, the view's outputs, and the
        labels, null where they are not decided yet. Raises :class:`AstrafsError`.
        """
        from astrafs.runtime.datasets import to_tables

        request = _request({"view": dataset, **locals()})
        return to_tables(self._runnable(), self._place(), request)[0]

    def dataset_to(
        self,
        output: str | Path,
        dataset: str,
        as_of: Time | None = None,
        *,
        format: str | None = None,
        memory_limit: str | None = None,
        threads: int | None = None,
        quarantine: str | Path | None = None,
        progress: Progress | None = None,
    ) -> DatasetReport:
        """Write what :meth:`dataset` returns into the directory ``output``, one file per split and
        a manifest; all or none. ``format`` is ``parquet`` (the default), ``csv``, ``jsonl`` or
        ``arrow``.
        """
        from astrafs.runtime.datasets import to_files

        request = _request({"view": dataset, **locals()})
        return to_files(self._runnable(), self._place(), request, Path(output), format)

    def open_online(
        self,
        store: str | Path | None = None,
        *,
        create: bool = False,
        clock: Callable[[], int] | None = None,
    ) -> Online:
        """Open the online store at ``store`` for this project's views: ``get``, ``get_many``,
        ``ingest``, ``load``, ``expire``. Close it, or use it as a context manager.

        ``store`` is a directory or a URL (``redis://host:6379/0``); else the ``[online] store`` of
        astrafs.toml, else ``.astrafs/online`` in the project. With ``create`` it is made where
        there is none: ``load`` fills it from the sources, or ``ingest`` alone feeds it from the
        first row on. ``clock`` gives the time of questions without one, as microseconds since 1970
        in UTC; the system's unless given. Raises :class:`AstrafsError`.
        """
        return open_program(self.config, self._runnable(), store, create=create, clock=clock)

    def _runnable(self) -> Program:
        errors = tuple(found for found in self.diagnostics if found.is_error)
        if errors:
            raise AstrafsError(*errors, files={file.path: file for file in self._texts()})
        if self.program is None:
            raise AstrafsError(INTERNAL.nowhere("no program and nothing that explains it"))
        return self.program

    def _texts(self) -> tuple[SourceFile, ...]:
        return self.files if self.config.file is None else (*self.files, self.config.file)

    def _place(self) -> Place:
        from astrafs.runtime.backfill import Place

        return Place(self.config.root, self.config.roots, self.config.sources)


def load(path: str | Path, env: str | None = None) -> Project:
    """Read and compile the project at ``path`` (a directory, or one ``.afs`` file), with the
    sources of ``env``.

    Mistakes in the program do not raise: ``check`` of the result returns them. Raises
    :class:`AstrafsError` where there is nothing at ``path``.
    """
    sink = Sink()
    workspace = open_workspace(Path(path), sink)
    config = load_config(workspace.root, env, sink)
    program = compile_project(workspace.files, sink) if workspace.files else None
    if program is not None:
        check_overrides(config, program.bindings, sink)
    return Project(config, workspace.files, program, tuple(config.levels.apply(sink)))


def open_program(
    config: Config,
    program: Program,
    store: str | Path | None,
    *,
    create: bool = False,
    clock: Callable[[], int] | None = None,
) -> Online:
    """Open the online store of a compiled program: see :meth:`Project.open_online`."""
    from astrafs.online.service import Online
    from astrafs.online.stores import open_store, place_of
    from astrafs.runtime.answer import Place

    given = None if store is None else str(store)
    opened = open_store(place_of(config.root, given, config.online), create=create)
    try:
        place = Place(config.root, config.roots, config.sources)
        return Online(program, opened, clock or _now, place, config.history)
    except BaseException:
        opened.close()
        raise


def _now() -> int:
    """Return the time of the system's clock in microseconds since 1970, in UTC."""
    return clocks.time_ns() // 1000


def _request(given: Mapping[str, Any]) -> Request:
    """Make a request of a method's arguments."""
    from astrafs.runtime.request import Request

    names = Request.__dataclass_fields__
    values = {name: value for name, value in given.items() if name in names}
    values["keys"] = values.get("keys") or {}
    if values["quarantine"] is not None:
        values["quarantine"] = Path(values["quarantine"])
    return Request(**values)
