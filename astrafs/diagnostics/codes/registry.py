"""Codes of the registry: the lock file and the meaning of locked feature versions."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

BAD_LOCK_FILE = Code(
    "AFS0801",
    "the lock file cannot be read",
    "`astrafs.lock` holds one line per feature version: its identity, type, date, status and what "
    "it reads. It is written by the tool and kept in version control. A merge conflict left in "
    "it, an edit by hand, or a newer version of the tool makes it unreadable; restore it from "
    "version control.",
    runtime=True,
)

CHANGED_MEANING = Code(
    "AFS0802",
    "a locked feature version has changed its meaning",
    "Models were trained on what this version meant when it was locked, and training sets made "
    "from now on would mean something else under the same name. Give the new meaning a new "
    "version (`name@2: ...`) beside the old one; what still wants the old meaning pins it as "
    "`name@1`.",
    runtime=True,
)

LOCK_HELD = Code(
    "AFS0803",
    "another process is writing the lock file",
    "`astrafs apply` writes `astrafs.lock` one process at a time and waits a minute for its turn. "
    "Run it again; the system frees the lock of a process that has died.",
    runtime=True,
)

NOT_LOCKED = Code(
    "AFS0804",
    "the lock file does not say what the sources say",
    "`astrafs check --locked` wants `astrafs.lock` to record every feature version as it is: none "
    "new, none gone, none of another type, owner, description or status. Run `astrafs plan` to "
    "see what differs and `astrafs apply` to record it, and commit both files together.",
    runtime=True,
)

_TAGGED = """owner "risk@acme.test"

entity User { user_id: int }

## Sign-ups, one row each.
source signups from parquet("signups.parquet") key signup_id time at {
  signup_id: string
  user_id: User
  email: string tags "pii"
  at: timestamp
}

features for User from signups {
  ## The e-mail address of the last sign-up.
  last_email: string? = last(email) over all
  ## Sign-ups of the past week.
  signups_7d: int = count() over 7d
}
"""

FORBIDDEN_TAG = Code(
    "AFS0805",
    "a view has an output with a tag that it forbids",
    "A feature has the tags of every column and feature that its values depend on, however "
    "indirectly, unless it declares its own with `@tags(...)`. A view may forbid tags; then no "
    "output may have one. Take the output out of the view, or declare the tags of a feature that "
    "leaves nothing of what was tagged in its values: `@tags()` declares none.",
    bad=_TAGGED
    + """
## What the model reads.
view risk for User forbid tags "pii" {
  signups_7d
  last_email
}
""",
    good=_TAGGED
    + """
## What the model reads.
view risk for User forbid tags "pii" { signups_7d }
""",
)

EXPIRED = Code(
    "AFS0806",
    "a feature version is past the date until which it may be used",
    '`@deprecated("use x", remove_after="2027-01-31")` says that a version may be used until the '
    "end of that day. `astrafs check --on 2027-02-01` makes an error of its definition and of "
    "every use; without `--on` nothing depends on what day it is. Take out the uses, then the "
    "definition; the lock file keeps what it was.",
    runtime=True,
)

CANNOT_PIN = Code(
    "AFS0810",
    "a locked feature version cannot be computed here",
    "`astrafs backfill --feature User.spend_7d@1` and `--lock FILE` compute feature versions as "
    "they were locked, beside what the project is today. Entities are shared: one whose keys have "
    "changed since is another entity, and nobody could say which key a row is about. Features that "
    "are asked for without a view must be of one entity.",
    runtime=True,
)

LOST_DEFINITION = Code(
    "AFS0811",
    "the definition of a locked feature version is not kept",
    "`astrafs apply` keeps the definition of every version in `.astrafs/definitions`, by identity. "
    "That directory belongs in version control beside `astrafs.lock`: without it, a version can be "
    "computed only while its source text is there, unchanged.",
    runtime=True,
)

BAD_MANIFEST = Code(
    "AFS0812",
    "the manifest cannot be used",
    "`astrafs verify MANIFEST` takes the file that `astrafs backfill` writes beside a result "
    "(`OUT.manifest.json`, or `manifest.json` in the directory of a dataset) and runs again what "
    "it describes. A manifest of a view names its spine by its path in the project; where a run "
    "had another, name it with `--spine`.",
    runtime=True,
)
