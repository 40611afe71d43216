"""Make up the card payments of a small bank: ``python features/fraud/prepare.py``.

The rows are a pure function of this file: the same bytes on every machine.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).resolve().parent / "data"
START = datetime(2025, 7, 1, tzinfo=UTC)
DAYS = 365
USERS, MERCHANTS = 60, 25
COUNTRIES = ("DE", "FR", "NL", "PL")


class Dice:
    """Numbers that look random, from a linear congruential generator."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def roll(self, sides: int) -> int:
        """Return a number from 0 to ``sides`` - 1."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % sides


def payments() -> list[dict[str, object]]:
    """Return a year of authorisations. Every ninth user stops paying half way."""
    dice = Dice(2026)
    rows: list[dict[str, object]] = []
    for user in range(1, USERS + 1):
        at = START + timedelta(minutes=dice.roll(5_000))
        last = DAYS // 2 if user % 9 == 0 else DAYS
        while at < START + timedelta(days=last):
            merchant = 1 + min(dice.roll(MERCHANTS), dice.roll(MERCHANTS))
            risky = merchant % 7 == 0
            amount = Decimal(200 + dice.roll(20_000) * (3 if risky else 1)) / 100
            lag = dice.roll(90) if dice.roll(20) else 3_600 * 5
            rows.append(
                {
                    "user_id": user,
                    "merchant_id": merchant,
                    "amount": amount,
                    "status": "declined" if dice.roll(15) == 0 else "approved",
                    "note": "gift" if dice.roll(6) == 0 else None,
                    "disputed": dice.roll(8 if risky else 90) == 0,
                    "at": at,
                    "seen_at": at + timedelta(seconds=lag),
                }
            )
            at += timedelta(minutes=30 + dice.roll(8_000))
    rows.sort(key=lambda row: (row["at"], row["user_id"]))
    return [{"txn_id": f"t{number:06d}", **row} for number, row in enumerate(rows)]


def main() -> None:
    """Write ``data/``: a file of payments a month, the customers, the rates."""
    (DATA / "transactions").mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        {
            "txn_id": pa.string(),
            "user_id": pa.int64(),
            "merchant_id": pa.int64(),
            "amount": pa.decimal128(12, 2),
            "status": pa.string(),
            "note": pa.string(),
            "disputed": pa.bool_(),
            "at": pa.timestamp("us", "UTC"),
            "seen_at": pa.timestamp("us", "UTC"),
        }
    )
    months: dict[str, list[dict[str, object]]] = {}
    for row in payments():
        at = row["at"]
        assert isinstance(at, datetime)
        months.setdefault(f"{at:%Y-%m}", []).append(row)
    for month, rows in months.items():
        pq.write_table(
            pa.Table.from_pylist(rows, schema), DATA / "transactions" / f"{month}.parquet"
        )
    dice = Dice(7)
    with (DATA / "users.csv").open("w", encoding="utf-8", newline="") as stream:
        users = csv.writer(stream, lineterminator="\n")
        users.writerow(("user_id", "country", "at"))
        for user in range(1, USERS + 1):
            users.writerow((user, COUNTRIES[dice.roll(4)], "2025-06-01T00:00:00Z"))
            if user % 10 == 0:
                users.writerow((user, COUNTRIES[dice.roll(4)], "2026-01-15T12:00:00Z"))
    with (DATA / "fx.csv").open("w", encoding="utf-8", newline="") as stream:
        rates = csv.writer(stream, lineterminator="\n")
        rates.writerow(("currency", "rate", "at"))
        for day in range(0, DAYS, 7):
            at = f"{START + timedelta(days=day):%Y-%m-%dT06:00:00Z}"
            rates.writerow(("usd", f"0.{88_000 + dice.roll(8_000)}", at))


if __name__ == "__main__":
    main()
