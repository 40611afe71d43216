"""Planted bugs in aggregates that gather rows, group by a key, or sum powers."""

from __future__ import annotations

from tests.parity.bug import Bug

_PAIRS = "astrafs/backends/duckdb/pairs.py"
_ROWS = "astrafs/builtins/aggregates/"
_KERNELS = "astrafs/kernels/"

AGGREGATE_BUGS: tuple[Bug, ...] = (
    Bug(
        "runs_apart_one_more",
        _PAIRS,
        'least("@step" + {_STRIDE}, "@until")',
        'least("@step" + {_STRIDE}, "@until" + 1)',
        "a gathered row counts for the first question after its window",
        "aggregate.by",
    ),
    Bug(
        "counts_among_values",
        _PAIRS,
        "            _is_counted(entry),\n",
        "",
        "a count of values and what reads them share a column that holds only their presence",
        "aggregate.family",
    ),
    Bug(
        "latest_one_fewer",
        _PAIRS,
        "count = row.latest(entry.constants)",
        "count = max(1, row.latest(entry.constants) - 1)",
        "a row is dropped while it is still among the latest n",
        "agg.collect",
    ),
    Bug(
        "earliest_one_fewer",
        _PAIRS,
        "count = row.earliest(entry.constants)",
        "count = max(1, row.earliest(entry.constants) - 1)",
        "a row is dropped while it is still among the earliest n",
        "agg.first_k",
    ),
    Bug(
        "late_rows_pushed_in_order",
        _PAIRS,
        "        if arrival.ordered:\n            pushed",
        "        if True:\n            pushed",
        "of late rows the latest n are those that arrived last",
        "agg.collect",
    ),
    Bug(
        "newest_of_all_groups",
        _PAIRS,
        'OVER (PARTITION BY "@q"{key}) AS "@newest"',
        'OVER (PARTITION BY "@q") AS "@newest"',
        "an `ema` per key is weighted from the newest row of all keys",
        "agg.ema",
    ),
    Bug(
        "null_key_grouped",
        "astrafs/backends/duckdb/events.py",
        "parts = [self.by] if self.by else []",
        "parts: list[str] = []",
        "rows with a null key are in a group",
        "aggregate.by",
    ),
    Bug(
        "argmin_ties",
        _PAIRS,
        "f'{function}({inputs[0]}, row({inputs[1]}, {sign}\"@ord\"))'",
        "f'{function}({inputs[0]}, row({inputs[1]}, -{sign}\"@ord\"))'",
        "`argmin ... by` takes the earliest of equal rows",
        "agg.argmin",
    ),
    Bug(
        "argmax_rank_falls",
        "astrafs/backends/duckdb/events.py",
        '" DESC" if order is Order.FALLING else ""',
        '" DESC" if order is Order.RISING else ""',
        "`argmax` gives the value at the least",
        "agg.argmax",
    ),
    Bug(
        "quantile_too_high",
        _ROWS + "distributions.py",
        'return f"{share:f}::DECIMAL({places + 1}, {places})"',
        'return f"least(1.0, {share:f}::DOUBLE + 0.2)"',
        "a quantile is that of a share greater by a fifth",
        "agg.quantile",
    ),
    Bug(
        "mode_ties_greater",
        _ROWS + "distributions.py",
        "return f'first({inputs[0]} ORDER BY \"@n\" DESC, {inputs[0]})'",
        "return f'first({inputs[0]} ORDER BY \"@n\" DESC, {inputs[0]} DESC)'",
        "of equally frequent values the greatest is the mode",
        "agg.mode",
    ),
    Bug(
        "collect_newest_first",
        _ROWS + "picks.py",
        (
            '        "The n latest non-null values, oldest first.",\n'
            "        'list_reverse(arg_max({x}, \"@ord\", {n}))',"
        ),
        (
            '        "The n latest non-null values, oldest first.",\n'
            "        'arg_max({x}, \"@ord\", {n})',"
        ),
        "`collect` lists the newest value first",
        "agg.collect",
    ),
    Bug(
        "sketch_level",
        _ROWS + "distributions.py",
        'f"({level} = 1)::BIGINT"',
        'f"({level} = 2)::BIGINT"',
        "the sketch counts registers of rank 2 as those in use",
        "agg.approx_count_distinct",
    ),
    Bug(
        "skew_sign",
        _KERNELS + "powers.py",
        "return size if third >= 0 else -size",
        "return size",
        "a skewness is never negative",
        "agg.skew",
    ),
    Bug(
        "digits_not_carried",
        _KERNELS + "powers.py",
        "over = total >> np.uint64(BITS)",
        "over = total >> np.uint64(BITS + 1)",
        "a power loses half of what is carried",
        "agg.kurtosis",
    ),
    Bug(
        "covariance_divisor",
        _KERNELS + "powers.py",
        "divisor = n - 1 if sample else n",
        "divisor = n",
        "the sample covariance is divided by n",
        "agg.covar",
    ),
    Bug(
        "slope_unit",
        _ROWS + "moments.py",
        "unit = int(constants[1]) if len(constants) > 1 else SECOND",
        "unit = SECOND",
        "a slope is always per second",
        "~slope(",
    ),
    Bug(
        "decay_of_ages_below_zero",
        _ROWS + "decay.py",
        "greatest({end} - {{e}}, 0)::DOUBLE",
        "({end} - {{e}} + 1)::DOUBLE",
        "rows are a microsecond older than they are",
        "agg.decayed_sum",
    ),
    Bug(
        "elements_out_of_order",
        _PAIRS,
        '"@ord" * {_PLACES} + {place} AS "@ord"',
        '"@ord" * {_PLACES} - {place} AS "@ord"',
        "the elements of a list count from its end",
        "aggregate.each",
    ),
)
