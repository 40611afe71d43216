"""What the peers of the cases can say, row by row, and how AstraFS says it; all of it compiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).with_name("semantics.afs")
"""The declarations that the snippets use."""

USER = "features for User from payments"
SHOP = "features for Shop from payments by shop"
CHECKOUT = "features for Checkout"
CHECKOUT_ROWS = "features for Checkout from payments by user_id"
LABEL = "labels for User from payments"


@dataclass(frozen=True, slots=True)
class Said:
    """A semantic of the list: ``code`` says it, as a feature of type ``type_`` in ``block``, or as
    declarations where ``type_`` is empty. With ``refused`` (a diagnostic's code) it is refused.
    """

    semantic: str
    code: str
    type_: str = ""
    block: str = USER
    remark: str = ""
    refused: str = ""

    @property
    def shown(self) -> str:
        """The snippet on one line, without the comments that only the compiler needs."""
        lines = (line.strip() for line in self.code.splitlines())
        return " ".join(line for line in lines if line and not line.startswith("##"))

    def program(self, name: str) -> str:
        """Return the text to put behind the declarations; ``name`` is that of the feature."""
        if not self.type_:
            return self.code
        return f"{self.block} {{\n  ## It.\n  {name}: {self.type_} = {self.code}\n}}\n"


SECTIONS: dict[str, tuple[Said, ...]] = {
    "Time frames and their bounds": (
        Said("both ends closed: T-W <= t <= T", "count() over [7d, 0s]", "int"),
        Said("lower end open: T-W < t <= T", "count() over 7d including now", "int"),
        Said("upper end open: t < T", "count() over 7d", "int", remark="the default"),
        Said("history only, with a gap before the row", "count() over 7d offset 1d", "int"),
        Said("unbounded", "count() over all", "int"),
        Said("the row and N-1 before it", "sum(n) over last 5", "int"),
        Said("row frame with open ends", "nth_last_row(n, 2) over last 3", "int?"),
        Said("units from ms to d", "count() over 1d2h3m4s5ms", "int"),
        Said(
            "sawtooth: [floor(T-W, hop), T)",
            'count() over 3d every 1h + count() over since hour("UTC")',
            "int",
            remark="the windows that end at the hop, and what has come since",
        ),
        Said("midnight snapshot", "count() over 3d every 1d", "int"),
        Said(
            "exact next to sawtooth, per feature",
            "count() over 3d - count() over 3d every 1h",
            "int",
        ),
        Said(
            "two-sided window over facts known ahead",
            "count() over [30m, -30m]",
            "int",
            "features for User from bookings",
        ),
        Said("forward window", "count() over next 30d == 0", "bool", LABEL, "in labels only"),
        Said("since the last row where a predicate held", "count() over since last (ok)", "int"),
        Said(
            "over the last N true predicates",
            "stream oks from payments where ok {}\n"
            "features for User from oks {\n  ## It.\n  n_ok: int = count() over last 3\n}\n",
            remark="of the rows themselves; the rows between them have no window of their own",
        ),
        Said("since the last calendar tick", 'count() over since month("Europe/Paris")', "int"),
        Said(
            "tumbling, end included",
            "count() over since last (ok)",
            "int",
            remark="the closing row is a request: its value is added to the window before it",
        ),
        Said(
            "trailing, with an extra row when a value expires",
            "collect(n, 10) over (3s, 0s]",
            "list[int]",
            remark="a window can be asked for at any time; the spine says when",
        ),
        Said("local calendar day", 'count() over since day("America/New_York")', "int"),
        Said("several windows in one expression", "count() over 1d / count() over 30d", "float?"),
    ),
    "What a row may see": (
        Said(
            "only what was ingested before",
            "count() over all",
            "int",
            remark="`known seen` in the source: a row is visible from its own `seen` on",
        ),
        Said("same time: visible", "count() over [7d, 0s]", "int"),
        Said("same time: never visible", "count() over 7d", "int"),
        Said(
            "same time out, but the current row in",
            "count() over 7d including request",
            "int",
            CHECKOUT_ROWS,
        ),
        Said("current row out", "count() over 7d", "int", CHECKOUT_ROWS),
        Said(
            "order of equal times over several sources",
            "stream both from union(payments, refunds) {}\n"
            "features for User from both {\n  ## It.\n"
            "  newest: decimal(12, 2)? = last(amount) over all\n}\n",
            remark="(event time, key, place in the union): total, and no order of arrival",
        ),
        Said("row cap: the newest N rows of a window", "sum(n) over last 5 within 7d", "int"),
        Said("late rows count by event time", "max(at) over 7d", "timestamp?"),
        Said(
            "duplicate rows are separate events",
            "count() over all",
            "int",
            remark="their `key` differs; two rows with one key break a contract",
        ),
    ),
    "Sources of a window": (
        Said("over the spine's own table", "count() over 7d", "int", CHECKOUT_ROWS),
        Said("over another table", "User[user_id].n_1h", "int", CHECKOUT),
        Said(
            "over the union of several",
            "stream all_of from union(payments, refunds) {}\n"
            "features for User from all_of {\n  ## It.\n  n_all: int = count() over 7d\n}\n",
        ),
        Said(
            "renamed, cast and constant columns",
            "stream named from payments {\n  cost: float = float(amount)\n  side: int = 1\n}\n",
            remark='and `from "..."` in a column',
        ),
        Said(
            "over rows that were joined first",
            "stream joined from payments {\n  rate: float? = rates[shop].rate\n}\n"
            "features for User from joined {\n  ## It.\n"
            "  mean_rate: float? = mean(rate) over 7d\n}\n",
        ),
        Said(
            "keyed by a looked-up attribute",
            "stream made from payments {\n  maker: Shop? = rates[shop].maker\n}\n"
            "features for Shop from made by maker {\n  ## It.\n  sold: int = count() over 7d\n}\n",
        ),
        Said("filter on the event side", 'count(where kind == "web") over 7d', "int"),
        Said(
            "carried forward or only at its own event",
            "last(n) over all",
            "int?",
            remark="`over [0s, 0s]` holds the rows at the time itself only",
        ),
        Said(
            "aggregate of another entity's aggregate",
            "stream seen_shops from payments {\n  before: int = Shop[shop].seen_before\n}\n"
            "features for User from seen_shops {\n  ## It.\n"
            "  most: int? = max(before) over 30d\n}\n",
        ),
    ),
    "Keys": (
        Said(
            "composite keys",
            "stream pairs from payments {\n  pair: Pair = Pair(int(user_id), string(shop))\n}\n"
            "features for Pair from pairs by pair {\n  ## It.\n"
            "  times: int = count() over all\n}\n",
        ),
        Said("keys of type bool, date, timestamp", "entity Day { day: date, weekend: bool }\n"),
        Said(
            "several entities in one set",
            "view several for Checkout {\n  User[user_id].n_1h\n  Shop[shop].seen_before\n}\n",
        ),
        Said(
            "null as a group of its own",
            'stream named_kinds from payments {\n  group: string = kind ?? "none"\n}\n',
            remark="said in the open: a null is no key",
        ),
        Said("a null key matches nothing", "rates[other].rate", "float?", CHECKOUT),
        Said("empty text is a key", 'rates[Shop("")].rate', "float?"),
        Said(
            "one entity in two roles",
            "count() over 7d",
            "int",
            "features for Shop from payments by other",
        ),
        Said("global features", "count() over 1h", "int", "features for World from payments"),
        Said(
            "key renamed",
            "User[user_id].total",
            "decimal(38, 2)",
            CHECKOUT,
            "`--key user_id=customer` names the spine's column",
        ),
    ),
    "Nulls and empty frames": (
        Said(
            "sum of nothing is null",
            "if count(n) over 7d > 0 then sum(n) over 7d else null",
            "int?",
            remark="0 by itself",
        ),
        Said("nulls are skipped", "mean(x) over 7d", "float?"),
        Said("first and last row, null or not", "last_row(x) over 7d", "float?"),
        Said("first and last value", "last(x) over 7d", "float?"),
        Said(
            "lag beyond the frame",
            "nth_last_row(n, 3) over all",
            "int?",
            remark="a frame of its own, as far back as it must",
        ),
        Said(
            "population variance, null below two",
            "if count(x) over 7d > 1 then var_pop(x) over 7d else null",
            "float?",
        ),
        Said("default for null", "mean(x) over 7d ?? 0.0", "float"),
        Said("three-valued conditions", "count(where ok and x > 1.0) over 7d", "int"),
        Said(
            "division by zero",
            "sum(x) over 7d / count() over 1d",
            "float?",
            remark="null, and in the type",
        ),
        Said("empty list of nothing", "collect(x, 5) over 7d", "list[float]"),
    ),
    "Aggregates": (
        Said("sum, count, min, max, mean", "max(kind) over 7d", "string?"),
        Said(
            "median",
            "median(n) over 7d",
            "int?",
            remark="a value that occurs: the lower of two in the middle",
        ),
        Said("distinct count", "count_distinct(shop) over 7d", "int"),
        Said("bounded distinct count", "least(count_distinct(shop) over 7d, 5)", "int"),
        Said("conditional", 'sum(amount where kind == "web") over 7d', "decimal(38, 2)"),
        Said("by category, as a map", "mean(x) by kind over 7d", "map[string, float]"),
        Said(
            "the n largest categories",
            "max_k(n, 3) over 7d",
            "list[int]",
            remark="of values; `top_k` of the frequent ones",
        ),
        Said(
            "the n most frequent values, padded",
            'join(top_k(kind, 3) over 7d, ",")',
            "string",
            remark="padding is the reader's",
        ),
        Said(
            "share of the most frequent value",
            "(max_of(values(count() by kind over 7d)) ?? 0) / count() over 7d",
            "float?",
        ),
        Said("histogram", "count() by kind over 7d", "map[string, int]"),
        Said(
            "last k and first k",
            "concat(first_k(n, 2) over 7d, collect(n, 2) over 7d)",
            "list[int]",
        ),
        Said("top k and bottom k", "concat(max_k(n, 2) over 7d, min_k(n, 2) over 7d)", "list[int]"),
        Said(
            "list with a least and a greatest size",
            "if count(n) over all >= 2 then collect(n, 5) over all else null",
            "list[int]?",
        ),
        Said("element-wise over lists", "count(each tags) over 7d", "int"),
        Said(
            "rows equal to the current value",
            'get(User[user_id].kinds, kind ?? "")',
            "int?",
            CHECKOUT,
            "from a map of counts",
        ),
        Said("aggregate of an expression", "sum(float(amount) * (x ?? 1.0)) over 7d", "float"),
        Said("time of the previous event", "seconds(t - (last(at) over all ?? t))", "float"),
        Said(
            "partial states that merge",
            "sum(x) over 30d",
            "float",
            remark="sums are exact, so any split gives the same bits",
        ),
        Said(
            "retraction",
            "count() over 7d",
            "int",
            "features for User from orders",
            "`revisions deleted gone` in the source",
        ),
        Said(
            "sum of int32",
            "sum(n) over 7d",
            "int",
            remark="64 bits; what does not fit stops the run",
        ),
    ),
    "Joins and point in time": (
        Said("as-of lookup, equal times visible", "rates[shop].rate", "float?", CHECKOUT),
        Said("strictly before", "rates[shop].rate offset 1us", "float?", CHECKOUT),
        Said(
            "maximum age",
            "rates[shop].rate within 2h",
            "float?",
            CHECKOUT,
            "or `max_age` on the table",
        ),
        Said("at least an hour old", "rates[shop].rate offset 1h", "float?", CHECKOUT),
        Said(
            "equal times: the greatest created",
            "rates[shop].maker",
            "Shop?",
            CHECKOUT,
            "(event time, known, remaining columns)",
        ),
        Said(
            "written later than the question: invisible",
            "rates[shop].rate",
            "float?",
            CHECKOUT,
            "`known seen`; without it the table claims to be known at once",
        ),
        Said("last join, never a fan-out", "rates[shop].rate", "float?", CHECKOUT),
        Said(
            "with a condition on the right side",
            "stream dear from payments where n > 5 {}\n"
            "features for Shop from dear by shop {\n  ## It.\n"
            "  dear_last: int? = last(n) over all\n}\n",
        ),
        Said(
            "chains and stars of lookups",
            "stream twice from payments {\n  maker: Shop? = rates[shop].maker\n"
            "  maker_rate: float? = rates[maker].rate\n}\n",
        ),
        Said(
            "one table twice",
            "(rates[shop].rate ?? 0.0) - (rates[other].rate ?? 0.0)",
            "float",
            CHECKOUT,
        ),
        Said(
            "coercion of key types",
            "rates[5].rate",
            "float?",
            CHECKOUT,
            "written: `Shop(x)`",
            "AFS0315",
        ),
        Said(
            "latest value, not point in time",
            "n_1h",
            "int",
            "features for User",
            "`backfill` without a spine gives every key at `--as-of`",
        ),
        Said(
            "snapshot of a day", 'daily[shop, add_days(date(t, "UTC"), -1)].level', "int?", CHECKOUT
        ),
        Said(
            "snapshot and log of changes",
            "count() over all",
            "int",
            "features for User from orders",
        ),
        Said(
            "slowly changing dimension by event time",
            "stream dims from payments {\n  was: float? = rates[shop].rate\n}\n",
        ),
    ),
    "Time lines, labels, training sets": (
        Said(
            "one output row per spine row",
            "view again for User {\n  n_1h\n}\n",
            remark="in order, duplicates too",
        ),
        Said(
            "examples are events where a predicate holds",
            "stream big from payments where n > 5 {}\nview vector_of for User {\n  n_1h\n}\n"
            "dataset examples\n  view vector_of\n  spine big\n",
        ),
        Said(
            "sampling on ticks",
            "view ticks for User {\n  n_1h\n}\n",
            remark="`backfill --from --to --every 1h`",
        ),
        Said(
            "history of a feature",
            "view history for User {\n  total\n}\n",
            remark="a grid of times; a row per change is the reader's",
        ),
        Said("a value shifted in time", "last(n) over [1m, 1m]", "int?"),
        Said("shifted until a predicate", "first(n) over since last (ok)", "int?"),
        Said("label window", "count() over next 7d", "int", LABEL),
        Said(
            "features and a later label",
            "labels for User from payments {\n  ## It.\n"
            "  gone: bool = count() over next 30d == 0\n}\n"
            "view known for User {\n  n_1h\n}\n"
            "dataset churn\n  view known\n  spine payments\n  label User[user_id].gone\n",
        ),
        Said("mixed freshness", "count() over 3d every 1d + count() over 1h", "int"),
        Said("values of the request", "float(amount) / 2.0", "float", CHECKOUT),
        Said("zone of calendar functions", 'hour(t, "Asia/Shanghai")', "int", CHECKOUT),
    ),
    "Where AstraFS refuses": (
        Said(
            "a column that is mutated later",
            "count(where disputed) over 30d",
            "int",
            remark="`offset 60d`, or a label",
            refused="AFS0502",
        ),
        Said(
            "a column known later",
            "sum(late) over 30d",
            "int",
            remark="`stream landings from payments time landed where landed is not null`",
            refused="AFS0503",
        ),
        Said(
            "a forward window in a feature",
            "count() over next 1d",
            "int",
            remark="`labels`, or a source known ahead",
            refused="AFS0501",
        ),
        Said("the wall clock", "now() - 1d", "timestamp", remark="`t`", refused="AFS0508"),
        Said("a window without an end", "count()", "int", remark="`over all`", refused="AFS0401"),
        Said(
            "an order by a number",
            "last(n) over last x",
            "int?",
            remark="rows are ordered by (event time, key)",
            refused="AFS0403",
        ),
    ),
}
