"""What a caller asks for, checked and made exact: the view, its outputs, the cutoff, where the rows
come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from astrafs.backends.duckdb.script import Engine
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.find import find_view
from astrafs.plan.outputs import check_outputs
from astrafs.record import dataclass
from astrafs.runtime.progress import Progress
from astrafs.runtime.zones import UNIX_ZONES, exists
from astrafs.values.times import Duration, Time, duration, instant

MAX_GRID_TIMES = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """A backfill as asked for; the fields are those of ``Project.backfill``.

    With ``cache``, columns of earlier runs are used again and new ones kept in the project's
    directory; ``partition_rows`` has a spine computed in parts of so many rows. ``engine`` says
    whether kernels may evaluate windows.
    """

    view: str
    as_of: Time | None
    spine: object = None
    time: str | None = None
    time_zone: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    features: Sequence[str] | None = None
    limit: int | None = None
    start: Time | None = None
    end: Time | None = None
    every: Duration | None = None
    memory_limit: str | None = None
    threads: int | None = None
    quarantine: Path | None = None
    progress: Progress | None = None
    cache: bool = False
    partition_rows: int | None = None
    engine: Engine = "sql"


@dataclass(frozen=True, slots=True)
class Grid:
    """Prediction times ``start``, ``start + every``, ... before ``end``; microseconds."""

    start: int
    end: int
    every: int

    @property
    def count(self) -> int:
        """How many times there are."""
        return max(0, -(-(self.end - self.start) // self.every))


@dataclass(frozen=True, slots=True)
class Job:
    """A checked request: ``view`` holds only the outputs asked for. Neither spine nor grid means
    every known key.
    """

    request: Request
    view: ir.View
    entity: ir.Entity
    as_of: int
    grid: Grid | None


def check(plan: ir.Plan, request: Request) -> Job:
    """Return the job that ``request`` means for ``plan``; raises :class:`AstrafsError` where it is
    not clear.
    """
    _check_kinds(request)
    view = find_view(plan, request.view)
    entity = next(entity for entity in plan.entities if entity.name == view.entity)
    chosen = _pick(view, request.features)
    as_of = check_as_of(request)
    if request.limit is not None and request.limit < 0:
        raise AstrafsError(codes.BAD_REQUEST.nowhere(f"the limit is {request.limit}, below zero"))
    check_parts(request)
    if request.time_zone and request.time_zone not in UNIX_ZONES and not exists(request.time_zone):
        raise AstrafsError(
            usage.BAD_VALUE.nowhere(f"`{request.time_zone}` is no time zone").help(
                "zones are named as in the IANA database, such as `Europe/Paris`; "
                "numbers are counted in `unix:s`, `unix:ms`, `unix:us` or `unix:ns`"
            )
        )
    return Job(request, chosen, entity, as_of, _grid(request))


def check_parts(request: Request, *, spine: bool = False) -> None:
    """Refuse parts of a spine where there is none (``spine``: it is not of the request), or of no
    rows, or with rows set aside.
    """
    rows = request.partition_rows
    if rows is None:
        return
    if rows < 1:
        raise AstrafsError(codes.BAD_REQUEST.nowhere(f"parts of {rows} rows cannot be computed"))
    for name, excluded in (
        ("without a spine", request.spine is None and not spine),
        ("with `--quarantine`", request.quarantine is not None),
    ):
        if excluded:
            title = f"a run {name} cannot be computed in parts"
            raise AstrafsError(
                codes.BAD_REQUEST.nowhere(title).help("leave out `--partition-rows` and `--resume`")
            )


def check_as_of(request: Request) -> int:
    """Return the knowledge cutoff in microseconds; raises :class:`AstrafsError` for none."""
    if request.as_of is None:
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere("the knowledge cutoff is missing").help(
                "name it: `--as-of 2026-01-01T00:00:00Z`, or `as_of=...` in Python"
            )
        )
    return instant(request.as_of, "as-of")


def _check_kinds(request: Request) -> None:
    """Refuse arguments from Python that are not of the kind that is wanted."""
    problems = []
    for name in ("limit", "threads", "partition_rows"):
        value = getattr(request, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            problems.append(
                usage.BAD_VALUE.nowhere(f"{name}: {value!r} is no whole number").help(
                    f"write `{name}=4`"
                )
            )
    features: object = request.features
    if isinstance(features, str):
        listed = ", ".join(f'"{one.strip()}"' for one in features.split(","))
        problems.append(
            usage.BAD_VALUE.nowhere(
                "features: this is one text, and a list of names is wanted"
            ).help(f"write `features=[{listed}]`")
        )
    keys: object = request.keys
    if not isinstance(keys, Mapping):
        problems.append(
            usage.BAD_VALUE.nowhere(
                "keys: names of keys and of the spine's columns are wanted"
            ).help('write `keys={"user_id": "customer"}`')
        )
    memory: object = request.memory_limit
    if memory is not None and not isinstance(memory, str):
        problems.append(
            usage.BAD_VALUE.nowhere(f"memory_limit: {memory!r} is no size").help(
                'write a size such as `memory_limit="2GB"`'
            )
        )
    aside = request.quarantine
    if aside is not None and aside.exists() and not aside.is_dir():
        problems.append(
            usage.BAD_VALUE.nowhere(f"quarantine: `{aside}` is a file").help("name a directory")
        )
    if problems:
        raise AstrafsError(*problems)


def find_dataset(plan: ir.Plan, name: str) -> ir.Dataset | None:
    """Return the dataset called ``name``, qualified or by its last part; None where there is none.

    Raises :class:`AstrafsError` where several are called so.
    """
    found = [one for one in plan.datasets if one.name == name]
    found = found or [one for one in plan.datasets if one.name.rsplit(".", 1)[-1] == name]
    if len(found) > 1:
        listed = ", ".join(f"`{one.name}`" for one in found)
        raise AstrafsError(
            usage.UNKNOWN_VIEW.nowhere(f"several datasets are called `{name}`").help(
                f"name one: {listed}"
            )
        )
    return found[0] if found else None


def _pick(view: ir.View, features: Sequence[str] | None) -> ir.View:
    if features is None:
        return view
    check_outputs(view, features)
    if not features:
        raise AstrafsError(usage.UNKNOWN_FEATURE.nowhere("no feature of the view is asked for"))
    kept = tuple(output for output in view.outputs if output.name in set(features))
    return ir.View(view.name, view.entity, kept, view.doc)


def _grid(request: Request) -> Grid | None:
    given = {"start": request.start, "end": request.end, "every": request.every}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == 3:
        return None
    if missing:
        options = {"start": "--from", "end": "--to", "every": "--every"}
        listed = " and ".join(f"`{options[name]}`" for name in missing)
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere(f"the grid of times is not complete: {listed} missing").help(
                "a grid has all three: `--from 2026-01-01 --to 2026-02-01 --every 1d`"
            )
        )
    if request.spine is not None:
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere("a spine and a grid of times cannot be asked for at once")
        )
    assert request.start is not None and request.end is not None and request.every is not None
    grid = Grid(
        instant(request.start, "from"), instant(request.end, "to"), duration(request.every, "every")
    )
    if grid.start >= grid.end:
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere(
                "the grid of times is empty: `--from` is not before `--to`"
            ).note("the grid holds the times from `--from`, and before `--to`")
        )
    if grid.count > MAX_GRID_TIMES:
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere(
                f"the grid has {grid.count:,} times, and at most {MAX_GRID_TIMES:,} are allowed"
            ).help("ask for a longer `--every`, or for a part at a time")
        )
    return grid
