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
