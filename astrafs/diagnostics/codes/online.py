"""Codes of online serving: stores, ingestion, requests to the server."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

NO_STORE = Code(
    "AFS1001",
    "there is no online store",
    "Serving and ingestion work on a store: a directory that `astrafs online init` makes for a set "
    "of views, and `astrafs online load` fills from the sources.",
    runtime=True,
)

NEWER_STORE = Code(
    "AFS1002",
    "the online store was made by another version",
    "The state in a store has a format version. This version of the tool does not read that one: "
    "use the version that made it, or make a new store and load it from the sources.",
    runtime=True,
)

STORE_FAILED = Code(
    "AFS1003",
    "the online store refused",
    "The database below the store could not read or write: the disk is full, permissions are "
    "missing, or the file is damaged. A write is kept whole or not at all; what was acknowledged "
    "before is still there.",
    runtime=True,
)

ROW_CONFLICT = Code(
    "AFS1004",
    "a row with this key is there already, with other values",
    "The key of a source names a row. Sending the same row again does nothing; sending another one "
    "under its key is refused, unless the source has `revisions`.",
    runtime=True,
)

BAD_QUESTION = Code(
    "AFS1020",
    "a question does not fit the view",
    "A view is asked for a key of its entity, or with the fields of its request, by their names "
    "and in their types; `view_schema` in Python and `GET /views/VIEW/schema` say which. A field "
    "of a request that may be null can be left out; in a table of questions each has its column.",
    runtime=True,
)

REPLAY_REFUSED = Code(
    "AFS1022",
    "the history cannot be replayed into the store",
    "A parity run sends every row of the sources to an online store, in the order in which they "
    "became known. A store that is given for it must be empty: rows of another history are in the "
    "way.",
    runtime=True,
)

NOT_SERVED = Code(
    "AFS1023",
    "the store does not serve this view",
    "A store is made for a set of views, and keeps rows for these alone. `astrafs online status` "
    "says which they are; `astrafs online init` names others, and `astrafs online load` then reads "
    "what they need and the store lacks.",
    runtime=True,
)

UNKNOWN_SOURCE = Code(
    "AFS1021",
    "there is no such source",
    "Rows are sent to a source or table of the project, by its qualified name such as "
    "`fraud.cards.transactions`, or by its last part where only one is called so.",
    runtime=True,
)

BAD_STORE_PLACE = Code(
    "AFS1030",
    "an online store cannot be there",
    "A store is a directory, or a Redis database as `redis://host:6379/0?prefix=name` (`rediss://` "
    "with TLS, `unix:///path` through a socket). A directory that `astrafs.toml` names relative to "
    "the project must lie in the project, links followed; write an absolute path for another.",
    runtime=True,
)

STORE_BUSY = Code(
    "AFS1031",
    "the online store is busy",
    "Other processes kept the store locked, or changed the same entities over and over, for as "
    "long as a call waits. Nothing of the call was kept. Sent again later, it works; if it often "
    "does not, send larger batches from fewer processes.",
    runtime=True,
)

STORE_UNREACHABLE = Code(
    "AFS1032",
    "the online store cannot be reached",
    "The Redis server did not answer: it is not running, not at that address, or the connection "
    "was lost. The next call connects anew. Of a write that was under way it is not known whether "
    "it was kept, whole or not at all: send it again, rows that are there already count once.",
    runtime=True,
)

STORE_FORGETS = Code(
    "AFS1033",
    "the Redis server may drop state",
    "The server has a memory limit and a policy that evicts keys of its choice when it is reached. "
    "Features would then be computed from what happens to be left. State is kept only on servers "
    "with `maxmemory-policy noeviction` (or a `volatile-` policy, which spares it); when memory is "
    "full these refuse writes, and nothing is lost.",
    runtime=True,
)

NO_REDIS_LIBRARY = Code(
    "AFS1034",
    "the library for Redis is not installed",
    "Stores in Redis need the Python library `redis`, which comes with `astrafs[redis]`.",
    runtime=True,
)

BAD_JSON = Code(
    "AFS1050",
    "this is no valid JSON",
    "JSON is read by the letter: UTF-8, every key once in an object, no NaN and no infinities, 64 "
    "levels at most. Readers that let more pass disagree with one another about what was said.",
    runtime=True,
)

BAD_FIELD = Code(
    "AFS1051",
    "a value is not of its field's type",
    "A value must be one of the declared type without rounding or guessing. In JSON, integers "
    "beyond 2^53 are strings of digits, decimals are strings (or numbers, read exactly), times are "
    "ISO 8601 with an offset, durations are written as in a program (`1h30m`), bytes are base64, "
    "lists and vectors arrays, maps objects.",
    runtime=True,
)

UNKNOWN_FIELD = Code(
    "AFS1052",
    "there is no such field",
    "Fields are those that are declared; a misspelt one must not be ignored in silence.",
    runtime=True,
)

BAD_ARROW = Code(
    "AFS1053",
    "this is no valid Arrow data",
    "Arrow data is checked in full before it is used: lengths, offsets, UTF-8. Data that breaks "
    "off or does not hold what its header says is refused as a whole.",
    runtime=True,
)

NOT_LOADED = Code(
    "AFS1010",
    "the online store does not hold what the program needs",
    "A store keeps, per group of rows and key, what the features of the program read, from the "
    "time from which it was loaded. Features over other rows, keys, conditions or inputs need "
    "more: `astrafs online load` reads what is missing from the sources, and nothing else.",
    runtime=True,
)

BELOW_FLOOR = Code(
    "AFS1011",
    "the question is older than what the store keeps",
    "Rows that no window can reach any more are dropped as time goes on. From then on only "
    "questions at the store's floor or later have answers; `astrafs backfill` answers older ones "
    "from the sources.",
    runtime=True,
)

NO_VIEWS = Code(
    "AFS1054",
    "the project has no view to serve",
    "A store is made for views: what they read is what is kept, and they are what can be asked. A "
    "project without any has nothing to serve.",
    runtime=True,
)

TABLE_TOO_LATE = Code(
    "AFS1012",
    "a change of a table comes too late",
    "A table decides to which keys rows of a stream belong, and rows that the change concerns have "
    "come before it. They stay where they are, so the change is refused: taken, it would let the "
    "store give other values than the sources. A new store, loaded from the sources, has both.",
    runtime=True,
)

PLACED_BY_FEATURE = Code(
    "AFS1013",
    "rows belong to keys that a feature gives",
    "To which keys a row belongs is decided when it comes. A key (or condition) that looks up a "
    "feature of another entity may change when rows of that entity come later, and rows would stay "
    "with the wrong key. Such features are for backfills; served ones take their keys from columns "
    "and tables.",
    runtime=True,
)
