"""What expressions become in the plan: widening, literals, windows, keys, inlining."""

from __future__ import annotations

from decimal import Decimal

import pytest

from astrafs.plan import ir
from astrafs.typesys import (
    BOOL,
    DURATION_UNITS,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
)
from tests.unit.typecheck.programs import HEAD, clean, compiled, feature, value

DAY = DURATION_UNITS["d"]
HOUR = DURATION_UNITS["h"]


def aggregate(text: str, type_: str) -> ir.Aggregate:
    found = value(text, type_)
    assert isinstance(found, ir.Aggregate)
    return found


@pytest.mark.parametrize(
    ("written", "window"),
    [
        ("7d", ir.RangeWindow(7 * DAY, 0, True, False)),
        ("7d offset 60d", ir.RangeWindow(67 * DAY, 60 * DAY, True, False)),
        ("7d including now", ir.RangeWindow(7 * DAY, 0, False, True)),
        ("7d every 1h", ir.RangeWindow(7 * DAY, 0, True, False, HOUR)),
        ("[7d, 1h)", ir.RangeWindow(7 * DAY, HOUR, True, False)),
        ("(7d, 1h]", ir.RangeWindow(7 * DAY, HOUR, False, True)),
        ("[1h, 1h]", ir.RangeWindow(HOUR, HOUR, True, True)),
        ("all", ir.RangeWindow(None, 0, False, False)),
        ("all offset 1d", ir.RangeWindow(None, DAY, False, False)),
        ("last 5", ir.LastWindow(5)),
        ("last 5 within 7d", ir.LastWindow(5, 7 * DAY)),
    ],
)
def test_windows(written: str, window: ir.Window) -> None:
    assert aggregate(f"count() over {written}", "int").window == window


def test_named_windows_extend_one_another() -> None:
    program = clean("""
window month = 30d
window older = month offset 7d
const five = 2 + 3

features for User from payments {
  ## A.
  a: int = count() over older
  ## B.
  b: int = count() over month every 1d
  ## C.
  c: int = count() over last five
}
""")
    windows = [feature(program, name).expression for name in "abc"]
    assert [w.window for w in windows if isinstance(w, ir.Aggregate)] == [
        ir.RangeWindow(37 * DAY, 7 * DAY, True, False),
        ir.RangeWindow(30 * DAY, 0, True, False, DAY),
        ir.LastWindow(5),
    ]


def test_aggregate_reads_the_rows_of_its_block_by_key() -> None:
    program = clean("""
features for User from payments where status == "approved" {
  ## A.
  a: decimal(38, 2) [usd] = sum(amount where score > 0.5) over 7d
}
""")
    status = Type(Kind.ENUM, values=("approved", "declined"))
    assert feature(program, "a").expression == ir.Aggregate(
        "sum",
        (ir.Column("amount", decimal(12, 2)),),
        ir.Call(
            "gt", (ir.Column("score", FLOAT.optional()), ir.Literal(0.5, FLOAT)), BOOL.optional()
        ),
        ir.Call("eq", (ir.Column("status", status), ir.Literal("approved", status)), BOOL),
        "main.payments",
        (ir.Column("user_id", INT),),
        ir.RangeWindow(7 * DAY, 0, True, False),
        decimal(38, 2),
    )


def test_units_are_declared_and_not_in_expressions() -> None:
    program = clean("""
features for User from payments {
  ## A.
  a: decimal(38, 2) [usd] = sum(amount) over 7d
}
""")
    found = feature(program, "a")
    assert found.type.unit == (("usd", 1),)
    assert found.expression.type.unit == ()


def test_literals_take_the_type_beside_them() -> None:
    found = aggregate("count(where amount >= 1.5) over 1d", "int").where
    assert isinstance(found, ir.Call)
    assert found.args[1] == ir.Literal(Decimal("1.50"), decimal(12, 2))
    assert value("1", "float") == ir.Literal(1.0, FLOAT)
    assert value("1.5", "decimal(4, 2)") == ir.Literal(Decimal("1.50"), decimal(4, 2))
    assert value("-3", "int") == ir.Literal(-3, INT)
    assert value("null", "int?") == ir.Literal(None, INT.optional())


def test_widening_is_a_call() -> None:
    found = value("count() over 1d", "float")
    assert isinstance(found, ir.Call)
    assert (found.function, found.type) == ("to_float", FLOAT)
    mixed = aggregate("sum(if n is null then 0 else n * 1.5) over 1d", "float")
    product = mixed.args[0]
    assert isinstance(product, ir.Call)
    assert product.type == FLOAT


def test_chains_of_logic_and_defaults_are_one_call() -> None:
    found = aggregate('count(where n > 1 and n < 9 and status == "declined") over 1d', "int").where
    assert isinstance(found, ir.Call)
    assert (found.function, len(found.args)) == ("and", 3)
    chain = value("last(n) over 1d ?? first(n) over 2d ?? 0", "int")
    assert isinstance(chain, ir.Call)
    assert (chain.function, len(chain.args), chain.type) == ("coalesce", 3, INT)


def test_computed_columns_are_put_in_place_of_their_names() -> None:
    program = clean("""
stream large from payments time paid where paid is not null and twice > 10 {
  twice: decimal(13, 2) [usd] = amount + amount
  more:  decimal(14, 2) [usd] = twice + 1
}
""")
    (stream,) = program.plan.streams
    amount = ir.Column("amount", decimal(12, 2))
    twice = ir.Call("add", (amount, amount), decimal(13, 2))
    assert [column.name for column in stream.columns] == ["more", "twice"]
    assert stream.columns[1].expression == twice
    more = stream.columns[0].expression
    assert isinstance(more, ir.Call)
    assert more.args[0] == twice
    assert stream.time == ir.Column("paid", TIMESTAMP)
    assert isinstance(stream.where, ir.Call)
    assert stream.where.args[1] == ir.Call(
        "gt", (twice, ir.Literal(Decimal("10.00"), decimal(13, 2))), BOOL
    )


def test_where_of_a_stream_narrows_what_is_built_on_it() -> None:
    program = clean("""
stream known from payments where n is not null and score > 0.0 {
  more: int = n + 1
}

stream later from known where n > 3 { also: float = score }

features for User from later {
  ## A.
  a: int? = last(n + more) over 7d
}
""")
    found = feature(program, "a").expression
    assert isinstance(found, ir.Aggregate)
    assert found.args[0].type == INT


def test_keys_of_several_parts_are_flattened() -> None:
    program = clean("""
stream trips from payments {
  route: Route = Route(origin, dest)
  past:  int = Route[route].n
  same:  int = Route[origin, dest].n
}

features for Route from payments {
  ## N.
  n: int = count() over 7d
}

features for Route from trips by route {
  ## M.
  m: int = count(where route != Route(dest, origin)) over 7d
}
""")
    (stream,) = program.plan.streams
    names = [column.name for column in stream.columns]
    assert names == ["past", "route.dest", "route.origin", "same"]
    past, same = stream.columns[0].expression, stream.columns[3].expression
    assert past == same
    counted = feature(program, "m").expression
    assert isinstance(counted, ir.Aggregate)
    assert counted.keys == (ir.Column("route.origin", STRING), ir.Column("route.dest", STRING))


def test_lookups_in_tables() -> None:
    program = clean("""
request Trip { currency: string }

features for Trip {
  ## A.
  a: float? = rates[currency].rate
  ## B.
  b: float? = rates[currency].rate within 1h offset 1d
  ## C.
  c: float? = rates["eur"].rate
}
""")
    key = ir.KeyPart("currency", STRING)
    rate = FLOAT.optional()
    assert [feature(program, name).expression for name in "abc"] == [
        ir.TableLookup("main.rates", (key,), "rate", 0, 2 * HOUR, rate),
        ir.TableLookup("main.rates", (key,), "rate", DAY, HOUR, rate),
        ir.TableLookup("main.rates", (ir.Literal("eur", STRING),), "rate", 0, 2 * HOUR, rate),
    ]


def test_functions_are_inlined_with_exact_types() -> None:
    program = clean("""
fn ratio(a: float?, b: float) -> float? = a / b

features for User from payments {
  ## A.
  a: float? = ratio(1, 2.0 + 0.0)
  ## B.
  b: float = ratio(3, 2.0) ?? 0.0
}
""")
    found = feature(program, "a").expression
    assert isinstance(found, ir.Call)
    assert found.function == "div"
    assert found.args[0] == ir.Literal(1.0, FLOAT)


def test_templates_expand_in_names_windows_and_docs() -> None:
    program = clean("""
features for User from payments {
  for w in [1h, 7d] {
    for s in ["approved", "declined"] {
      ## Payments {s} in {w}.
      n_{s}_{w}: int = count(where status == s) over w
    }
  }
}

view v for User {
  for w in [1h, 7d] { n_approved_{w} as last_{w} }
}
""")
    names = [f.id.name for f in program.plan.features]
    assert names == ["n_approved_1h", "n_approved_7d", "n_declined_1h", "n_declined_7d"]
    assert feature(program, "n_declined_7d").doc == "Payments declined in 7d."
    (view,) = program.plan.views
    assert [output.name for output in view.outputs] == ["last_1h", "last_7d"]


def test_versions_resolve_to_the_latest_active_one() -> None:
    program = clean("""
features for User {
  ## A.
  a: int = 1
  ## A, better.
  a@2: int = a@1 + 1
  ## A, withdrawn.
  @deprecated("it was wrong")
  a@3: int = 3
  ## Uses it.
  b: int = a
}
""")
    found = feature(program, "b").expression
    assert isinstance(found, ir.FeatureRef)
    assert found.feature.version == 2


def test_order_of_files_and_declarations_does_not_matter() -> None:
    one = HEAD + "\nfeatures for User from payments {\n  ## A.\n  a: int = count() over 1d\n}\n"
    two = (
        'use main.{User, a}\n\nowner "x@y.test"\n\nfeatures for User {\n  ## B.\n  b: int = a\n}\n'
    )
    program, found = compiled(one, two)
    assert found == []
    swapped = HEAD.split("## Payments.")
    again = swapped[0] + one.split(HEAD)[1] + "\n## Payments." + swapped[1]
    other, found = compiled(again, two)
    assert found == []
    assert program.plan == other.plan


def test_origins_run_parallel_to_expressions() -> None:
    from astrafs.plan.tree import Origin, children

    program = clean("""
stream s from payments where n is not null { r: int = n + 1 }

features for User from s where score > 0.0 {
  ## A.
  a: float? = if n_7d > 3 then mean(score where n > 1) over 7d else 0.0
  ## N.
  n_7d: int = count() over 7d
}
""")

    def same_shape(expr: ir.Expr, origin: Origin) -> bool:
        parts = children(expr)
        return len(parts) == len(origin.children) and all(
            same_shape(part, place) for part, place in zip(parts, origin.children, strict=True)
        )

    for found in program.plan.features:
        assert same_shape(found.expression, program.features[found.id].value)
    (stream,) = program.plan.streams
    places = program.streams[stream.name]
    assert stream.where is not None
    assert places.where is not None
    assert same_shape(stream.where, places.where)
    for column in stream.columns:
        assert same_shape(column.expression, places.columns[column.name])
