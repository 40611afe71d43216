"""What to do about a spine that does not fit, in the words of whoever gave it: a file on the
command line, or a frame from pandas, Polars or pyarrow.
"""

from __future__ import annotations

from astrafs.runtime.conversions import JSON, TEXT
from astrafs.typesys import Kind, Type

_PANDAS = {Kind.INT: "Int64", Kind.FLOAT: "float64", Kind.BOOL: "boolean", Kind.STRING: "string"}
_POLARS = {Kind.INT: "Int64", Kind.FLOAT: "Float64", Kind.BOOL: "Boolean", Kind.STRING: "String"}


def words(physical: str) -> str:
    """Say in plain words what a column of the engine type ``physical`` holds."""
    if physical in (TEXT, JSON, "VARCHAR"):
        return "text"
    if physical.startswith("TIMESTAMP"):
        return "times without a zone"
    if physical == "DATE":
        return "dates"
    if physical in ("FLOAT", "DOUBLE"):
        return "floats"
    if physical.endswith(("INT", "INTEGER")):
        return "integers"
    return physical.lower()


def name_the_zone(column: str, library: str) -> tuple[str, ...]:
    """Advise on times of ``column`` that have no zone; ``library`` made the frame, if one did."""
    if not library:
        return (
            'if they are UTC, say `--time-zone UTC` (from Python: `time_zone="UTC"`); '
            "if they are local times, name their zone: `--time-zone Europe/Paris`",
        )
    either = (
        'if they are UTC, pass `time_zone="UTC"`; '
        'if they are local times, name their zone: `time_zone="Europe/Paris"`'
    )
    match library:
        case "pandas":
            change = f'frame["{column}"] = frame["{column}"].dt.tz_localize("UTC")'
        case "polars":
            change = f'frame.with_columns(pl.col("{column}").dt.replace_time_zone("UTC"))'
        case _:
            change = f'pc.assume_timezone(table["{column}"], "UTC")'
    return either, f"or change the frame: `{change}`"


def name_the_unit(library: str) -> str:
    """Advise on times that are plain numbers."""
    option = "`--time-zone unix:s`" if not library else '`time_zone="unix:s"`'
    return f"say what the numbers count: {option}, or `unix:ms`, `unix:us`, `unix:ns`"


def make_instants(column: str, library: str) -> str:
    """Advise on dates, or text, where prediction times are wanted."""
    match library:
        case "pandas":
            return f'write `frame["{column}"] = pandas.to_datetime(frame["{column}"], utc=True)`'
        case "polars":
            change = f'pl.col("{column}").cast(pl.Datetime("us", "UTC"))'
            return f"write `frame.with_columns({change})`"
        case _:
            return "store times with an offset, such as `2026-01-01T00:00:00Z` for the day's start"


def round_down(column: str, library: str) -> str:
    """Advise on times finer than a microsecond."""
    match library:
        case "pandas":
            return f'round down: `frame["{column}"] = frame["{column}"].dt.floor("us")`'
        case "polars":
            return f'round down: `frame.with_columns(pl.col("{column}").dt.cast_time_unit("us"))`'
        case _:
            return "times are counted in microseconds: round the column down where it is written"


def convert_to(type_: Type, column: str, physical: str, library: str) -> str:
    """Advise on a key or field of another type than the view takes."""
    plain = type_.parts[0] if type_.kind is Kind.KEY and len(type_.parts) == 1 else type_
    why = ""
    if physical in ("FLOAT", "DOUBLE") and plain.kind is Kind.INT and library in ("", "pandas"):
        why = " (pandas makes floats of integers where one is missing)"
    if library == "pandas" and plain.kind in _PANDAS:
        change = f'frame["{column}"] = frame["{column}"].astype("{_PANDAS[plain.kind]}")'
        return f"write `{change}`{why}"
    if library == "polars" and plain.kind in _POLARS:
        change = f'frame.with_columns(pl.col("{column}").cast(pl.{_POLARS[plain.kind]}))'
        return f"write `{change}`"
    return f"convert it to `{plain.optional()}`{why}" if why else f"convert it to `{plain}`"
