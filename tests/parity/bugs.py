"""The planted bugs: one small wrong change each, as the exact text to replace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """Replace ``old`` (which occurs exactly once in ``file``) with ``new``.

    ``needs`` is a construct (a tag of the generator, or ``~`` and program text) without which no
    program can show the bug, so that the hunt need not run those.
    """

    name: str
    file: str
    old: str
    new: str
    description: str
    needs: str = ""


_DUCKDB = "astrafs/backends/duckdb/"
_EXACT = "astrafs/kernels/exact.py"
_SCALARS = "astrafs/builtins/scalars/"

# Windows; rows, order and nulls; streams, tables and lookups; exact arithmetic; scalars; the run.
BUGS: tuple[Bug, ...] = (
    Bug(
        "near_edge_closed",
        _DUCKDB + "windows.py",
        "(0 if window.near_closed else 1)",
        "0",
        "an event at exactly t is history",
    ),
    Bug(
        "near_edge_open",
        _DUCKDB + "windows.py",
        "(0 if window.near_closed else 1)",
        "1",
        "`including now` leaves out the event at t",
        "window.now",
    ),
    Bug(
        "far_edge_closed",
        _DUCKDB + "windows.py",
        "(0 if window.far_closed else 1)",
        "0",
        "an open far edge includes the event at t - w",
        "window.edges()",
    ),
    Bug(
        "far_edge_open",
        _DUCKDB + "windows.py",
        "(0 if window.far_closed else 1)",
        "1",
        "`over w` leaves out the event at t - w",
    ),
    Bug(
        "offset_sign",
        _DUCKDB + "windows.py",
        'return f"{column} + {micros}" if micros > 0',
        'return f"{column} - {micros}" if micros > 0',
        "windows and offsets reach into the future",
    ),
    Bug(
        "every_opens_early",
        _DUCKDB + "windows.py",
        "{_floor(f'{opens} + {step - 1}', step)}",
        "{_floor(opens, step)}",
        "`every` lets rows in before the next full step",
        "window.every",
    ),
    Bug(
        "every_closes_early",
        _DUCKDB + "windows.py",
        "{_floor(closes, step)} + {step - 1}",
        "{_floor(closes, step)}",
        "`every` drops rows at the start of their last step",
        "window.every",
    ),
    Bug(
        "floor_toward_zero",
        _DUCKDB + "windows.py",
        "((({value}) % {step}) + {step}) % {step}",
        "(({value}) % {step})",
        "`every` rounds toward zero before 1970",
        "window.every",
    ),
    Bug(
        "knowledge_ignored",
        _DUCKDB + "windows.py",
        "f'greatest(\"@k\", {opens})'",
        "opens",
        "rows count from their event time on, not from when they were known",
    ),
    Bug(
        "last_sees_now",
        _DUCKDB + "windows.py",
        '\'greatest("@k", "@e" + 1)\'',
        '\'greatest("@k", "@e")\'',
        "`last N` includes the event at t",
        "window.last",
    ),
    Bug(
        "last_knowledge_ignored",
        _DUCKDB + "windows.py",
        '\'greatest("@k", "@e" + 1)\'',
        "'\"@e\" + 1'",
        "`last N` counts rows before they are known",
        "window.last",
    ),
    Bug(
        "last_one_more",
        _DUCKDB + "windows.py",
        'f"lead({start}, {window.rows}) OVER',
        'f"lead({start}, {window.rows + 1}) OVER',
        "`last N` keeps N + 1 rows of a source without late rows",
        "window.last",
    ),
    Bug(
        "last_arrival_order",
        _DUCKDB + "windows.py",
        "if ordered_arrival:",
        "if True:",
        "`last N` takes rows in order of arrival",
        "window.last",
    ),
    Bug(
        "last_within_widened",
        _DUCKDB + "windows.py",
        'f"""least({stop}, ',
        'f"""greatest({stop}, ',
        "`within` widens `last N` instead of bounding it",
        "window.last_within",
    ),
    Bug(
        "nulls_take_part",
        _DUCKDB + "events.py",
        'return " AND ".join(f"{ident(value)} IS NOT NULL" for value in self.values)',
        'return "TRUE"',
        "null inputs are counted",
    ),
    Bug(
        "where_dropped",
        _DUCKDB + "events.py",
        (
            "            tuple(column(arg, node.where) for arg in node.args),\n"
            "            None if node.where is None else column(node.where),\n"
        ),
        ("            tuple(column(arg) for arg in node.args),\n            None,\n"),
        "an aggregate's own `where` is ignored",
        "aggregate.where",
    ),
    Bug(
        "block_where_dropped",
        _DUCKDB + "events.py",
        "where = '\\nWHERE r.\"@keep\"'",
        'where = "\\nWHERE TRUE"',
        "a block's `where` is ignored",
        "features.where",
    ),
    Bug(
        "ties_by_key_downwards",
        _DUCKDB + "events.py",
        '", ".join(f"r.{ident(name)}" for name in source.key)',
        '", ".join(f"r.{ident(name)} DESC" for name in source.key)',
        "equal event times are ordered by falling key",
    ),
    Bug(
        "ties_by_chance",
        _DUCKDB + "events.py",
        '{", " + keys if keys else ""}) AS "@ord"',
        ') AS "@ord"',
        "equal event times have no order",
    ),
    Bug(
        "start_strict",
        _DUCKDB + "events.py",
        'x."@start" <= a."@t"',
        'x."@start" < a."@t"',
        "a row enters its window a microsecond late",
    ),
    Bug(
        "stop_inclusive",
        _DUCKDB + "events.py",
        'x."@stop" < b."@t"',
        'x."@stop" <= b."@t"',
        "a row leaves its window a microsecond early",
    ),
    Bug(
        "negative_run_kept",
        _DUCKDB + "events.py",
        'WHERE b."@q" IS NULL OR x."@from" < b."@q"',
        'WHERE TRUE OR x."@from" < b."@q"',
        "a row that leaves its window before it is known still counts",
    ),
    Bug(
        "never_leaves",
        _DUCKDB + "aggregates.py",
        'FROM states WHERE "@to" IS NOT NULL GROUP BY "@to"',
        'FROM states WHERE "@to" IS NULL GROUP BY "@to"',
        "totals never lose the rows that leave",
    ),
    Bug(
        "distinct_over_nulls",
        _DUCKDB + "aggregates.py",
        "FROM {runs.relation} WHERE {condition}),",
        "FROM {runs.relation}),",
        "`count_distinct` counts null and ignores `where`",
        "agg.count_distinct",
    ),
    Bug(
        "distinct_overlaps",
        _DUCKDB + "aggregates.py",
        'greatest("@from", coalesce("@covered", "@from"))',
        '"@from"',
        "a value whose runs overlap counts twice",
        "agg.count_distinct",
    ),
    Bug(
        "composite_key_order",
        _DUCKDB + "events.py",
        'r."@key{place}" = k."@k{place}"',
        'r."@key{place}" = k."@k{questions.parts - 1 - place}"',
        "the parts of a composite key are matched in the wrong order",
        "entity.composite",
    ),
    Bug(
        "composite_key_printed",
        _DUCKDB + "events.py",
        (
            '    on = " AND ".join(f\'r."@key{place}" = k."@k{place}"\' for place in '
            "range(questions.parts))\n"
        ),
        (
            "    sides = [\n"
            '        " || ".join(f\'{side}{place}"::VARCHAR\' for place in range(ques'
            "tions.parts))\n"
            "        for side in ('r.\"@key', 'k.\"@k')\n"
            "    ]\n"
            '    on = " = ".join(sides) if questions.parts else ""\n'
        ),
        "composite keys that print alike are confused",
        "entity.composite",
    ),
    Bug(
        "retiming_ignored",
        _DUCKDB + "rows.py",
        '"@old": "@e", "@e": "@new"',
        '"@old": "@new", "@e": "@e"',
        "a stream keeps its base's event times",
        "stream.retimed",
    ),
    Bug(
        "table_order",
        _DUCKDB + "lookups.py",
        'order = \'"@e", "@k"\'',
        'order = \'"@k", "@e"\'',
        "a changelog's latest row is the last to arrive",
        "lookup.table",
    ),
    Bug(
        "table_ties",
        _DUCKDB + "lookups.py",
        "NULLS FIRST",
        "DESC NULLS LAST",
        "equal rows of a changelog are settled the wrong way round",
        "lookup.table",
    ),
    Bug(
        "table_knowledge_ignored",
        _DUCKDB + "lookups.py",
        'start = \'greatest("@e", "@k")\'',
        "start = '\"@e\"'",
        "a changelog holds before it is known",
        "table.known",
    ),
    Bug(
        "table_strict",
        _DUCKDB + "lookups.py",
        'r."@when" >= v."@start"',
        'r."@when" > v."@start"',
        "a changelog does not hold at the instant of its change",
        "lookup.table",
    ),
    Bug(
        "max_age_edge",
        _DUCKDB + "lookups.py",
        'v."@e" >= r."@when" - {lookup.max_age}',
        'v."@e" > r."@when" - {lookup.max_age}',
        "a value of exactly `within` age is too old",
        "lookup.within",
    ),
    Bug(
        "lookup_offset_sign",
        _DUCKDB + "lookups.py",
        'f" - {head.offset}" if head.offset > 0',
        'f" + {head.offset}" if head.offset > 0',
        "`offset` looks into the future",
        "lookup.entity_offset",
    ),
    Bug(
        "lookup_offset_ignored",
        _DUCKDB + "lookups.py",
        'f"{ident(time)}{shift}"',
        'f"{ident(time)}"',
        "`offset` of a lookup is ignored",
        "lookup.entity_offset",
    ),
    Bug(
        "table_state_not_kept",
        _DUCKDB + "lookups.py",
        'ROWS UNBOUNDED PRECEDING) AS "@rank"',
        'ROWS CURRENT ROW) AS "@rank"',
        "a late, outdated row becomes a changelog's state",
        "table.known",
    ),
    Bug(
        "sum_truncated",
        "astrafs/kernels/compensated.py",
        "tail, lost = _two_sum(error, bottom)",
        "tail, lost = _two_sum(error, bottom * 0.0)",
        "a float sum loses what lies below 2^-53",
        "agg.sum.float",
    ),
    Bug(
        "mean_rounded_twice",
        _EXACT,
        "return total / (unit * count) + 0.0 if count else None",
        "return total / unit / count + 0.0 if count else None",
        "a mean is rounded twice",
        "agg.mean",
    ),
    Bug(
        "variance_divisor",
        _EXACT,
        "divisor = count - 1 if sample else count",
        "divisor = count",
        "the sample variance is divided by n",
        "agg.var",
    ),
    Bug(
        "variance_formula",
        _EXACT,
        ("numerator = count * squares - total * total\n"),
        ("numerator = squares - total * total\n"),
        "the variance forgets a factor n",
        "agg.var",
    ),
    Bug(
        "root_precision",
        _EXACT,
        "denominator.bit_length() - 112) // 2",
        "denominator.bit_length() - 100) // 2",
        "a square root is computed to 50 bits",
        "agg.stddev",
    ),
    Bug(
        "first_is_last",
        "astrafs/builtins/aggregates.py",
        (
            '        doc="The non-null value of the earliest row, in (event time, k'
            'ey) order.",\n'
            '        merge="min",'
        ),
        (
            '        doc="The non-null value of the earliest row, in (event time, k'
            'ey) order.",\n'
            '        merge="max",'
        ),
        "`first` gives the last value",
        "agg.first",
    ),
    Bug(
        "last_row_skips_nulls",
        "astrafs/builtins/aggregates.py",
        ('        merge="max",\n        keep_nulls=True,'),
        ('        merge="max",\n        keep_nulls=False,'),
        "`last_row` skips nulls",
        "agg.last_row",
    ),
    Bug(
        "all_but_one",
        "astrafs/builtins/aggregates.py",
        'return f"{totals[0]} = 0"',
        'return f"{totals[0]} <= 1"',
        "`all` tolerates one row where the condition is false",
        "agg.all",
    ),
    Bug(
        "floor_division",
        _SCALARS + "arithmetic.py",
        "({0} < 0) <> ({1} < 0) THEN 1 ELSE 0 END)",
        "({0} < 0) <> ({1} < 0) THEN 0 ELSE 0 END)",
        "`//` rounds toward zero",
        "~ // ",
    ),
    Bug(
        "modulo_sign",
        _SCALARS + "arithmetic.py",
        "THEN {1} ELSE 0 END END",
        "THEN 0 ELSE 0 END END",
        "`%` has the sign of its left operand",
        "~ % ",
    ),
    Bug(
        "division_by_zero",
        _SCALARS + "arithmetic.py",
        'return float_or_null(f"({left} / {right})")',
        "return f\"coalesce({float_or_null(f'({left} / {right})')}, 0.0)\"",
        "a division by zero gives 0",
        "~ / ",
    ),
    Bug(
        "and_of_null",
        _SCALARS + "logic.py",
        "f\"({' AND '.join(args)})\"",
        "f\"(COALESCE({args[0]}, FALSE) AND {' AND '.join(args[1:])})\"",
        "`and` takes null for false",
        "~ and ",
    ),
    Bug(
        "questions_repeated",
        _DUCKDB + "compile.py",
        'SELECT DISTINCT {listed}"@t"',
        'SELECT {listed}"@t"',
        "duplicate rows of the spine are multiplied",
        "spine.duplicate",
    ),
    Bug(
        "null_keys_lost",
        _DUCKDB + "compile.py",
        's.{part} IS NOT DISTINCT FROM a."@k{place}"',
        's.{part} = a."@k{place}"',
        "rows of the spine with a null key are lost",
        "spine.null_key",
    ),
    Bug(
        "known_keys_now",
        _DUCKDB + "compile.py",
        'greatest("@k", "@e" + 1)',
        'greatest("@k", "@e")',
        "a key is known at the very instant of its first event",
    ),
    Bug(
        "as_of_ignored",
        "astrafs/runtime/sources.py",
        'WHERE coalesce("@k" <= {AS_OF}, TRUE)',
        "WHERE TRUE",
        "rows known after the cutoff are read",
    ),
    Bug(
        "delay_ignored",
        "astrafs/runtime/sources.py",
        'THEN "@e" + {delay} END',
        'THEN "@e" END',
        "a source's `delay` is ignored",
    ),
    Bug(
        "nan_kept",
        "astrafs/runtime/conversions.py",
        'WHEN isfinite({value}) THEN {value} END"',
        'WHEN TRUE THEN {value} END"',
        "NaN and infinities in a file stay what they are",
    ),
    Bug(
        "label_sees_only_t",
        _DUCKDB + "windows.py",
        "opens if window.hindsight else f'greatest",
        "f'greatest",
        "a label's window forward drops rows that are known after its near edge",
        "label",
    ),
    Bug(
        "label_at_once",
        _DUCKDB + "datasets.py",
        """f's."@t" + {label.horizon} <= s."@cutoff"'""",
        """f's."@t" <= s."@cutoff"'""",
        "labels are shown before they are decided",
        "dataset",
    ),
    Bug(
        "label_before_known",
        _DUCKDB + "datasets.py",
        "for known in label.known),",
        "for known in label.known[1:]),",
        "a column known later is a label before its moment",
        "dataset.known",
    ),
    Bug(
        "training_at_the_cutoff",
        _DUCKDB + "datasets.py",
        'train = f"least({AS_OF}, {dataset.test_from})"',
        "train = AS_OF",
        "labels of training rows may be decided in the test period",
        "dataset.known",
    ),
    Bug(
        "gap_kept",
        _DUCKDB + "datasets.py",
        "AND NOT ({inside})",
        "AND NOT (FALSE)",
        "rows between training and testing stay",
        "dataset.split",
    ),
    Bug(
        "union_members_tie",
        _DUCKDB + "rows.py",
        '{inner}{first} AS "@place"',
        '{inner}{-first} AS "@place"',
        "of equal rows of a union, those of a later member come first",
        "union",
    ),
)
