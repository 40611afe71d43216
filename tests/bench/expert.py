"""Workload W as an expert would write it in DuckDB SQL: the fastest plan found by hand.

Events are sorted once, with running sums; every edge of every window is found by one as-of join;
extremes go through lists per customer with the extremes of every 16 values; different values are
counted by the times from which and to which they are the latest. Float sums are the engine's own:
quick, and different from run to run.
"""

from __future__ import annotations

from tests.bench.workload import WINDOWS

_BLOCK = 16


def statements(events: str, spine: str, target: str) -> list[str]:
    """Return the statements that write the 36 features of ``spine`` to ``target``."""
    names = list(WINDOWS)
    edges = ", ".join(f"({place + 1}, {length})" for place, length in enumerate(WINDOWS.values()))
    totals = {"rn": "row_number() OVER ()", "nn": "count(a) OVER w", "s": "sum(a) OVER w"}
    totals |= {"q": "sum(a * a) OVER w", "f": "sum(CASE WHEN food THEN a ELSE 0 END) OVER w"}
    made = ", ".join(f"{text} AS {name}" for name, text in totals.items())
    before = ", ".join(f"lag({name}, 1, 0) OVER o AS {name}_b" for name in totals)
    listed = ", ".join(f"p.{name}" for name in totals)
    pivot = ", ".join(
        f"coalesce(max(l.{name}) FILTER (k = {place}), any_value(u.{name}_b), 0) AS {name}_{place}"
        for place in range(len(names) + 1)
        for name in totals
    )
    places = ", ".join(f"'p{place}': rn_{place} - n0" for place in range(len(names) + 1))
    found = [
        f"""CREATE TEMP TABLE srt AS SELECT u, t, a, m,
        lead(u) OVER () AS nu, lead(t) OVER () AS nt, {made} FROM (SELECT
        user_id AS u, epoch_us(e."at") AS t, amount AS a, shop AS m,
        category = 'c00' AS food FROM '{events}' e ORDER BY u, t, id)
        WINDOW w AS (ROWS UNBOUNDED PRECEDING)""",
        f"""CREATE TEMP TABLE sp AS SELECT row_number() OVER () AS i, user_id AS u,
        epoch_us(s.t) AS t FROM '{spine}' s""",
        f"""CREATE TEMP TABLE usr AS SELECT u, {before} FROM srt WHERE nu IS DISTINCT FROM u
        WINDOW o AS (ORDER BY u)""",
        f"""CREATE TEMP TABLE lk AS SELECT s.i, s.u, s.k, {listed}
        FROM (SELECT i, u, t - length AS t, k FROM sp, (VALUES (0, 0), {edges}) w(k, length)) s
        ASOF LEFT JOIN (SELECT * FROM srt WHERE nu IS DISTINCT FROM u OR nt IS DISTINCT FROM t) p
        ON p.u = s.u AND p.t < s.t""",
        f"""CREATE TEMP TABLE pv AS SELECT i, {pivot}, coalesce(any_value(u.rn_b), 0) AS n0,
        any_value(l.u) AS u FROM lk l LEFT JOIN usr u USING (u) GROUP BY i""",
        "CREATE TEMP TABLE ul AS SELECT u, list(a ORDER BY rn) AS a FROM srt GROUP BY u",
        f"""CREATE TEMP TABLE ub AS SELECT *, {_blocks("min")}, {_blocks("max")} FROM ul""",
        f"""CREATE TEMP TABLE sl AS SELECT u, list({{'id': i, {places}}}) AS s
        FROM pv GROUP BY u""",
        f"""CREATE TEMP TABLE mm AS SELECT r.* FROM (SELECT unnest(list_transform(s, lambda x:
        {{'id': x.id, {", ".join(_extremes("min") + _extremes("max"))},
        'l3': {_gather("a", "greatest(x.p0 - 3, 0)", "x.p0")}, 'la': a[x.p0]}})) AS r
        FROM sl LEFT JOIN ub USING (u))""",
        """CREATE TEMP TABLE iv AS SELECT u, t, m,
        lead(t) OVER (PARTITION BY u, m ORDER BY t) AS nx FROM srt""",
    ]
    found += [_latest(window) for window in ("7d", "30d")]
    found.append(
        """CREATE TEMP TABLE cd AS SELECT s.i, a.rn AS r7, b.rn AS r30, l.m AS shop FROM sp s
        ASOF LEFT JOIN e_7d a ON a.u = s.u AND a.b < s.t
        ASOF LEFT JOIN e_30d b ON b.u = s.u AND b.b < s.t
        ASOF LEFT JOIN (SELECT * FROM srt WHERE nu IS DISTINCT FROM u OR nt IS DISTINCT FROM t) l
        ON l.u = s.u AND l.t < s.t"""
    )
    found.append(
        f"COPY (SELECT pv.i, {_outputs(names)} FROM pv LEFT JOIN mm ON mm.id = pv.i "
        f"LEFT JOIN cd ON cd.i = pv.i ORDER BY pv.i) TO '{target}' (FORMAT parquet)"
    )
    return found


def _latest(window: str) -> str:
    """How many rows have ceased to be the latest of their value in the window, by time."""
    return f"""CREATE TEMP TABLE e_{window} AS SELECT u, b, rn FROM (SELECT u, b,
        row_number() OVER () AS rn, lead(u) OVER () AS nu, lead(b) OVER () AS nb
        FROM (SELECT u, least(nx, t + {WINDOWS[window]}) AS b FROM iv ORDER BY u, b))
        WHERE nu IS DISTINCT FROM u OR nb IS DISTINCT FROM b"""


def _gather(values: str, low: str, high: str) -> str:
    return f"list_transform(range(({low}) + 1, ({high}) + 1), lambda i: {values}[i])"


def _blocks(best: str) -> str:
    inner = f"list_transform(range({_BLOCK} * b + 1, {_BLOCK} * b + {_BLOCK} + 1), lambda i: a[i])"
    return (
        f"list_transform(range(0, len(a) // {_BLOCK}), lambda b: list_{best}({inner})) AS b{best}"
    )


def _extremes(best: str) -> list[str]:
    """The extremes of what each window has beyond the next shorter one."""
    joined = "least" if best == "min" else "greatest"
    found = [
        f"'{best}{place}': list_{best}({_gather('a', f'x.p{place + 1}', f'x.p{place}')})"
        for place in range(2)
    ]
    for place in (2, 3):
        low, high = f"x.p{place + 1}", f"x.p{place}"
        first = f"least(({low} + {_BLOCK - 1}) // {_BLOCK} * {_BLOCK}, {high})"
        last = f"greatest({high} // {_BLOCK} * {_BLOCK}, {first})"
        parts = (
            _gather("a", low, first),
            _gather(f"b{best}", f"({first}) // {_BLOCK}", f"({last}) // {_BLOCK}"),
            _gather("a", last, high),
        )
        listed = ", ".join(f"list_{best}({part})" for part in parts)
        found.append(f"'{best}{place}': {joined}({listed})")
    return found


def _outputs(names: list[str]) -> str:
    found = []
    for place, window in enumerate(names, 1):
        count = f"(nn_0 - nn_{place})"
        total = f"(s_0 - s_{place})"
        spread = f"((q_0 - q_{place}) - {total} * {total} / nullif({count}, 0))"
        least = ", ".join(f"mm.min{one}" for one in range(place))
        most = ", ".join(f"mm.max{one}" for one in range(place))
        found += [
            f"rn_0 - rn_{place} AS n_{window}",
            f"{total} AS total_{window}",
            f"{total} / nullif({count}, 0) AS average_{window}",
            f"sqrt(greatest({spread} / nullif({count} - 1, 0), 0)) AS spread_{window}",
            f"least({least}, NULL) AS low_{window}",
            f"greatest({most}, NULL) AS high_{window}",
            f"f_0 - f_{place} AS food_{window}",
        ]
    found += [
        "rn_0 - coalesce(cd.r7, n0) AS shops_7d",
        "rn_0 - coalesce(cd.r30, n0) AS shops_30d",
        "mm.la AS latest",
        "cd.shop AS latest_shop",
        "coalesce(mm.l3, []) AS latest_3",
        "rn_0 - n0 AS n_all",
        "s_0 AS total_all",
        "((s_0 - s_2) / nullif(nn_0 - nn_2, 0)) / nullif((s_0 - s_4) / nullif(nn_0 - nn_4, 0), 0)"
        " AS ratio",
    ]
    return ",\n".join(found)
