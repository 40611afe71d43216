"""Codes of the command line and of our own mistakes (AFS00xx). All but ``INTERNAL`` exit with 2."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

INTERNAL = Code(
    "AFS0001",
    "internal error: this is a mistake in AstraFS, not in your program",
    explain="""AstraFS met a state that should not exist. Nothing was written. Please report it with
the program that caused it and the output of the same command with `--debug`, which shows where it
happened.""",
    runtime=True,
)
USAGE = Code(
    "AFS0010",
    "the command line is not understood",
    explain="""An option or argument is unknown, missing, or has a value that it does not take.
`astrafs --help` and `astrafs COMMAND --help` list what there is.""",
    runtime=True,
)
MISSING_FILE = Code(
    "AFS0011",
    "no such file or directory",
    explain="""A path on the command line does not exist, or is a directory where a file is wanted
(or the other way round).""",
    runtime=True,
)
UNKNOWN_VIEW = Code(
    "AFS0012",
    "there is no such view",
    explain="""The name is not a view of the project. A view is named by its module and name, such
as `fraud.cards.checkout_risk`; its last part is enough where only one view is called so.""",
    runtime=True,
)
UNKNOWN_FEATURE = Code(
    "AFS0013",
    "the view has no such feature",
    explain="""`--features` picks columns of the view by their names in it (the name after `as`,
where there is one).""",
    runtime=True,
)
BAD_TIME = Code(
    "AFS0014",
    "not a time",
    explain="""Times on the command line are ISO 8601 with an offset, such as `2026-01-01T10:00:00Z`
or `2026-01-01T10:00:00+02:00`, or a date, which means its midnight in UTC. A time without offset is
refused: it would mean another instant on another machine.""",
    runtime=True,
)
BAD_VALUE = Code(
    "AFS0015",
    "an option's value is not understood",
    explain="""The value is not of the form that the option takes: `--every 1d` is a duration,
`--memory-limit 2GB` a size, `--key user_id=customer` a pair, `--threads 4` a number above zero.""",
    runtime=True,
)
UNKNOWN_ENV = Code(
    "AFS0016",
    "there is no such environment",
    explain="""`--env NAME` uses the source overrides under `[env.NAME.sources]` of astrafs.toml,
and there is no such table.""",
    runtime=True,
)
EXPLAIN_UNKNOWN = Code(
    "AFS0017",
    "there is no such code",
    explain="""`astrafs explain CODE` takes the code of a diagnostic, such as `AFS0301`. Without an
argument it lists all of them.""",
    runtime=True,
)
CANNOT_WRITE = Code(
    "AFS0018",
    "the output cannot be written",
    explain="""The operating system refused to write there: the directory is missing, or its
permissions do not allow it. Nothing is left half-written. (A full disk is AFS0917.)""",
    runtime=True,
)
NOT_EMPTY = Code(
    "AFS0019",
    "the directory already holds a project",
    explain="""`astrafs init` never overwrites a file. Name another directory, or remove the files
listed.""",
    runtime=True,
)
BAD_BASELINE = Code(
    "AFS0020",
    "the baseline cannot be used",
    explain="""`--baseline` names a file that `astrafs check --write-baseline FILE` has written: a
JSON object with `schema` and `problems`. It is not edited by hand but for taking entries out.""",
    runtime=True,
)
NO_SUCH_FEATURE = Code(
    "AFS0030",
    "there is no such feature",
    explain="""`explain`, `why` and `graph` take the name of a feature: `txn_count_1h` where one
entity has it, `User.txn_count_1h`, or `User.txn_count_1h@2` for a version. Without a version it is
the latest that is not deprecated.""",
    runtime=True,
)
