"""Planted bugs of windows whose rows come and go, of revisions, and of requests as rows."""

from __future__ import annotations

from tests.parity.bug import Bug

_DUCKDB = "astrafs/backends/duckdb/"
_WINDOWS = _DUCKDB + "windows.py"

WINDOW_BUGS: tuple[Bug, ...] = (
    Bug(
        "calendar_next_included",
        _WINDOWS,
        'f"{following} - 1"',
        "following",
        "a row is in its day's window at the first instant of the next",
        "window.calendar",
    ),
    Bug(
        "week_from_sunday",
        "astrafs/kernels/calendar.py",
        "(days + 3) % 7",
        "(days + 4) % 7",
        "weeks begin on Sunday",
        "window.calendar",
    ),
    Bug(
        "midnight_shown_last",
        "astrafs/kernels/calendar.py",
        "np.maximum(shown, latest[period - 1])",
        "shown",
        "a day whose midnight comes twice begins with the second",
        "window.calendar",
    ),
    Bug(
        "cut_keeps_itself",
        _WINDOWS,
        'f"{_ORDER} ROWS BETWEEN CURRENT ROW',
        'f"{_ORDER} ROWS BETWEEN 1 FOLLOWING',
        "the row that cuts is in the `since last` window itself",
        "window.since_last",
    ),
    Bug(
        "cut_after_itself",
        _WINDOWS,
        'OVER ({later}) - 1")',
        'OVER ({later})")',
        "a row leaves a `since last` window a microsecond late",
        "window.since_last",
    ),
    Bug(
        "session_gap_open",
        _WINDOWS,
        """SELECT *, "@e" - {before} <= {gap} AS "@near\"""",
        """SELECT *, "@e" - {before} < {gap} AS "@near\"""",
        "neighbours exactly the gap apart belong to two sessions",
        "window.session",
    ),
    Bug(
        "session_never_idle",
        _WINDOWS,
        """max("@e") + {gap} AS "@stop\"""",
        """max("@e") + {2**61} AS "@stop\"""",
        "a session lasts until the next one begins",
        "window.session",
    ),
    Bug(
        "late_session_of_one",
        _WINDOWS,
        'max("@e") OVER (PARTITION BY "@kid", "@chain") + {gap}',
        '"@e" + {gap}',
        "of rows that arrive late, one leaves its session once t is the gap away",
        "window.session",
    ),
    Bug(
        "session_lag_ignored",
        _WINDOWS,
        """"@start" <= {before} + {gap + 1} AS "@joins\"""",
        """TRUE AS "@joins\"""",
        "a session of a source with a delay is never empty in between",
        "window.session",
    ),
    Bug(
        "revision_outlives",
        _DUCKDB + "rows.py",
        """{rest}) - 1 AS "@until\"""",
        """{rest}) AS "@until\"""",
        "a revision and the next one both count at the instant of the next",
        "source.deleted",
    ),
    Bug(
        "deletion_ignored",
        _DUCKDB + "rows.py",
        "{ident(source.deleted)} IS NOT TRUE",
        "TRUE",
        "a deletion is one more revision",
        "source.deleted",
    ),
    Bug(
        "deletion_before_order",
        _DUCKDB + "rows.py",
        """f"  FROM {relation})\\n\"""",
        """f"  FROM {relation} WHERE TRUE{deleted})\\n\"""",
        "a deletion does not take the place of the revision before it",
        "source.deleted",
    ),
    Bug(
        "request_seen_by_all",
        _DUCKDB + "features.py",
        "SELECT min(",
        "SELECT max(",
        "of requests of one moment, only the last sees the rows that become visible then",
        "request.row",
    ),
    Bug(
        "request_stays",
        _DUCKDB + "runs.py",
        """CASE WHEN "@own" + 1 < "@end" THEN""",
        """CASE WHEN "@own" + 2 < "@end" THEN 1 +""",
        "a request is seen by the next question too",
        "request.row",
    ),
    Bug(
        "request_past_conditions",
        _DUCKDB + "request_rows.py",
        "conditions += [] if head.block_where is None else [head.block_where]",
        "conditions += []",
        "the request counts though the block's condition leaves it out",
        "window.including_request",
    ),
)
