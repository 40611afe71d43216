"""Codes of windows as written (AFS04xx); what a window may see is the leakage pass's affair."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

MISSING_WINDOW = Code(
    "AFS0401",
    "an aggregate has no window",
    explain="",
)
WINDOW_WITHOUT_AGGREGATE = Code(
    "AFS0402",
    "`over` needs an aggregate",
    explain="",
)
LENGTH_NOT_CONSTANT = Code(
    "AFS0403",
    "the length of a window must be known when compiling",
    explain="",
)
NOT_A_DURATION = Code(
    "AFS0404",
    "a window is measured in time",
    explain="",
)
EMPTY_WINDOW = Code(
    "AFS0405",
    "the window holds no time",
    explain="",
)
BAD_ROW_COUNT = Code(
    "AFS0406",
    "`last` needs a number of rows above zero",
    explain="",
)
EDGES_REVERSED = Code(
    "AFS0407",
    "the edges of the window are the wrong way round",
    explain="",
)
NEGATIVE_DURATION = Code(
    "AFS0408",
    "a duration above zero is wanted",
    explain="",
)
