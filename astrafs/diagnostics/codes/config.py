"""Codes of the project file ``astrafs.toml`` and of finding and reading source files (AFS095x,
AFS096x).
"""

from __future__ import annotations

from astrafs.diagnostics.model import Code

NOT_TOML = Code(
    "AFS0950",
    "astrafs.toml is not valid TOML",
    explain="""The project file could not be read as TOML, so nothing of it was used. The place
shown is where the reader gave up; the cause is usually on that line or the one before it: a missing
quote, a missing `]`, or a value without quotes.""",
    runtime=True,
)
UNKNOWN_KEY = Code(
    "AFS0951",
    "unknown key in astrafs.toml",
    explain="""Every key of the project file is checked, because a misspelt key that is ignored in
silence means a setting that does not hold. The keys are:

    [project]                      name, roots
    [sources."module.source"]      format, paths
    [env.NAME.sources."..."]       format, paths
    [diagnostics]                  deny, warn, allow
    [online]                       store, history
    [serve]                        host, port, tokens and limits, see `astrafs serve --help`""",
    runtime=True,
)
WRONG_VALUE = Code(
    "AFS0952",
    "wrong kind of value in astrafs.toml",
    explain="""The key exists, and its value is of another kind than it takes. `name` and `format`
are strings, `roots`, `paths`, `deny`, `warn` and `allow` are lists of strings; everything else is a
table.""",
    runtime=True,
)
UNKNOWN_CODE = Code(
    "AFS0953",
    "unknown diagnostic code",
    explain="""A list under `[diagnostics]`, or one of the options --deny, --warn and --allow, names
a code that does not exist. Codes look like `AFS0301`; `astrafs explain` lists them all, and
`warnings` stands for every warning.""",
    runtime=True,
)
ERROR_STAYS = Code(
    "AFS0954",
    "an error cannot be turned off",
    explain="""Levels change warnings: `deny` makes them errors, `allow` hides them. An error says
that the program has no meaning, so there is nothing that could be compiled if it were hidden.""",
    runtime=True,
)
UNKNOWN_FORMAT = Code(
    "AFS0955",
    "a source override names no known format",
    explain="""A `[sources."module.source"]` table may give another `format` for the files:
`parquet`, `csv` or `jsonl` (one JSON object per line).""",
    runtime=True,
)
BAD_ROOT = Code(
    "AFS0956",
    "a root is not a directory",
    explain="""`roots` lists the directories under which source files may be read. Each must exist
and be a directory; a relative one counts from the directory that holds astrafs.toml.""",
    runtime=True,
)
UNKNOWN_SOURCE = Code(
    "AFS0957",
    "an override for a source that does not exist",
    explain="""A `[sources."module.source"]` table of astrafs.toml says where a source is read, and
no file of the project declares a source or table of that name. The name is qualified by its module,
and must be quoted because it holds a point: `[sources."fraud.cards.transactions"]`.""",
    runtime=True,
)
BAD_SETTING = Code(
    "AFS0958",
    "a setting of the server is out of range",
    explain="""The settings under `[serve]` each have a range, and `access_log` is one of `text`,
`json` and `off`. `astrafs serve --help` lists them; the options of the same names win over the
file.""",
    runtime=True,
)
CANNOT_READ = Code(
    "AFS0960",
    "a file cannot be read",
    explain="""The operating system refused to hand out the file: it is missing, its permissions do
not allow reading, or it is not a regular file.""",
    runtime=True,
)
LINK_ESCAPES = Code(
    "AFS0961",
    "a link leads out of the project",
    explain="""An `.afs` file is a symbolic link to a place outside the project. Such a link is not
followed: what a project means must depend only on what is in it. Copy the file, or move it into the
project.""",
    runtime=True,
)
TOO_MANY_FILES = Code(
    "AFS0962",
    "too many files in the project",
    explain="""A project holds at most 2,000 `.afs` files. Split it into projects with an
`astrafs.toml` each; a directory with its own project file is not part of the project around it.""",
    runtime=True,
)
NO_FILES = Code(
    "AFS0963",
    "there is no `.afs` file here",
    explain="""The project holds no `.afs` file, so there is nothing to check. Hidden directories
and directories with an `astrafs.toml` of their own are not searched. `astrafs init` writes a small
project to start from.""",
    runtime=True,
)
