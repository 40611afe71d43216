"""Codes of the backends (AFS07xx): what an engine could not do with a valid plan."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

ENGINE_FAILED = Code(
    "AFS0701",
    "the engine refused a step of the run",
    explain="""DuckDB did not accept or could not finish a statement that AstraFS wrote. The note
holds its words. No value of a correct program should cause this; please report it with the program.
Nothing was written.""",
    runtime=True,
)
BAD_RESULT = Code(
    "AFS0702",
    "the engine returned something else than asked",
    explain="""Every result is compared with what the plan promises: one row per spine row, in
order, with the declared types. This one differs, so it was not written. Please report it with the
program.""",
    runtime=True,
)
