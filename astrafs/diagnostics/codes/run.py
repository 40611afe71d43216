"""Codes of a run and its data (AFS09xx below 0950): files, columns, contracts, spines, values,
output.
"""

from __future__ import annotations

from astrafs.diagnostics.model import Code

NO_FILES_MATCH = Code(
    "AFS0901",
    "no file matches the pattern of a source",
    explain="""Every pattern of a source must match at least one file, relative to the project's
directory: a source without files is more often a misspelt path than an empty one. Where the data
lies elsewhere in one environment, override the pattern in `astrafs.toml`.""",
    runtime=True,
)
OUTSIDE_ROOTS = Code(
    "AFS0902",
    "a file of a source lies outside the allowed directories",
    explain="""Sources are read only under the directories that `roots` of `astrafs.toml` lists
(without it, the project's own directory), links followed. So a program from elsewhere cannot read
arbitrary files of this machine.""",
    runtime=True,
)
MISSING_COLUMN = Code(
    "AFS0903",
    "a file does not hold a declared column",
    explain="""Every declared column must be in every file of the source, under exactly its name or
the one after `from`. Upper and lower case differ.""",
    runtime=True,
)
PHYSICAL_TYPE = Code(
    "AFS0904",
    "a column's type in the file does not fit its declaration",
    explain="""Values are converted from the file's type to the declared one only where nothing can
be lost: int32 to `int`, float32 to `float`, decimal(10, 2) to `decimal(12, 2)`, text to `enum`.
Anything else needs another declaration, with a cast where the column is used.""",
    runtime=True,
)
ZONELESS_TIME = Code(
    "AFS0905",
    "a time without a zone",
    explain="""A `timestamp` is an instant. The column holds wall-clock times or plain numbers,
which are instants only once a zone or a unit is named: `at: timestamp in "Europe/Paris"`, or `in
"unix:ms"` for counted time. Times of the hour that an autumn change repeats mean its first
occurrence; times that a spring change skips are moved forward by the gap.""",
    runtime=True,
)
CONTRACT_BROKEN = Code(
    "AFS0906",
    "the data breaks a contract of its source",
    explain="""The types, nullability, enum values, unique key, `known >= time`, times of streams
and `expect` lines of a source are checked as it is read, on the rows known by `--as-of`. A
violation stops the run and nothing is written. Mend the data or the declaration, or run with
`--quarantine DIR`: offending rows are then written there and the run goes on without them.""",
    runtime=True,
)
UNREADABLE_FILE = Code(
    "AFS0907",
    "a data file cannot be read",
    explain="""The file exists, and is not what its format says: a damaged or half-written Parquet
file, a CSV line with too few columns or an open quote, a line that is no JSON object, text that is
not UTF-8.""",
    runtime=True,
)
INPUT_CHANGED = Code(
    "AFS0908",
    "an input file changed during the run",
    explain="""The manifest of a result names every input with its hash. A file changed between
hashing and reading, so the result would not be what the manifest says. Nothing was written; run
again when the file is at rest.""",
    runtime=True,
)
SPINE_COLUMN = Code(
    "AFS0910",
    "the spine lacks a column that the view needs",
    explain="""A spine has one column per key column of the view's entity, or per field of its
request, by name, and one with the prediction time. Columns with other names are mapped: `--key
user_id=customer`, `--time seen_at`.""",
    runtime=True,
)
SPINE_TIME = Code(
    "AFS0911",
    "the spine's time column is not clear",
    explain="""The prediction time is the column that `--time` names; else `t`; else `time`; else
the only column of timestamps. It holds instants (with a zone), never null.""",
    runtime=True,
)
SPINE_TYPE = Code(
    "AFS0912",
    "a column of the spine has the wrong type",
    explain="""Keys, request fields and the prediction time are converted like source columns: only
where nothing can be lost. Times need a zone.""",
    runtime=True,
)
SPINE_VALUE = Code(
    "AFS0913",
    "the spine holds values that the view does not take",
    explain="""The spine's rows come back one for one, so none can be set aside: a prediction time
that is null or outside the years 1678 to 2261, a null in a request field that is not nullable, or a
text that is no value of its enum stops the run.""",
    runtime=True,
)
SPINE_FORMAT = Code(
    "AFS0914",
    "this is not a spine",
    explain="""A spine is a Parquet, CSV, JSON-lines or Arrow file, told by its ending, or from
Python anything that speaks the Arrow C stream: a pyarrow, Polars or pandas table.""",
    runtime=True,
)
NAME_CLASH = Code(
    "AFS0915",
    "a column of the spine has the name of an output of the view",
    explain="""The result holds the spine's own columns and then the view's. Rename the spine's
column, or give the view's output another name with `as`.""",
    runtime=True,
)
BAD_REQUEST = Code(
    "AFS0916",
    "the backfill is not fully described",
    explain="""A backfill needs a view, the knowledge cutoff (`--as-of`), and one of: a spine; a
grid (`--from`, `--to`, `--every`); neither, for every known entity at the cutoff. There is no
default for the cutoff, because "now" would give another result tomorrow.""",
    runtime=True,
)
CANNOT_WRITE = Code(
    "AFS0917",
    "the result cannot be written",
    explain="""The operating system refused: no such directory, no permission, a full disk. What
stood at the place before is untouched.""",
    runtime=True,
)
OUT_OF_MEMORY = Code(
    "AFS0920",
    "the run needs more memory than it may use",
    explain="""Most work spills to disk when memory runs short; some cannot. Raise `--memory-limit`,
lower `--threads`, or ask for fewer features at once with `--features`.""",
    runtime=True,
)
DISK_FULL = Code(
    "AFS0921",
    "no space left for temporary files",
    explain="""Work that exceeds the memory limit is kept in a temporary directory, which is full.
Free some space, set TMPDIR to a larger disk, or raise `--memory-limit`.""",
    runtime=True,
)
INT_OVERFLOW = Code(
    "AFS0930",
    "an integer does not fit 64 bits",
    explain="""`int` holds -9223372036854775808 to 9223372036854775807, and arithmetic never wraps
around. Convert with `float(x)` or `decimal(x, 38, 0)` before the operation.""",
    runtime=True,
)
FLOAT_OVERFLOW = Code(
    "AFS0931",
    "a float is too large",
    explain="""A `float` is always finite. `+`, `-` and `*` on floats have type `float`, so a result
beyond 1.8e308 stops the run. Bound the operands, or look for broken rows with an `expect`.""",
    runtime=True,
)
DECIMAL_OVERFLOW = Code(
    "AFS0932",
    "a decimal does not fit its type",
    explain="""`decimal(p, s)` holds p digits, s of them after the point. The value has more before
the point. Use a larger p (38 at most), or `float(x)`.""",
    runtime=True,
)
BAD_CAST = Code(
    "AFS0933",
    "a value cannot be converted",
    explain="""The cast has no value of its type for this input: a text that is no number, a float
beyond the integers.""",
    runtime=True,
)
TIME_RANGE = Code(
    "AFS0934",
    "a time lies outside the years 1678 to 2261",
    explain="""Times are counted in microseconds, and lie in the years 1678 to 2261. A time beyond
them is most often a unit mistaken for another: seconds read as milliseconds.""",
    runtime=True,
)
SUM_RANGE = Code(
    "AFS0936",
    "a float is too large for an exact sum",
    explain="""Sums of floats are exact for inputs below 2^90 (about 1.2e27). The row named holds a
larger one: most often a broken value, which an `expect` on the source would catch.""",
    runtime=True,
)
NO_MATURE_LABEL = Code(
    "AFS0970",
    "no label of the dataset is decided yet",
    explain="""A label is decided some time after its row: when its column has settled, its window
has passed, or its `known` column says. Until then it is null. At this `--as-of` that holds for
every label of every row, so there is nothing to learn from.""",
    runtime=True,
)
