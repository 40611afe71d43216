"""Codes of names: what is declared, imported and referred to (AFS02xx)."""

from __future__ import annotations

from astrafs.diagnostics.model import Code, Severity

_BASE = """owner "risk@acme.test"

unit usd
unit eur

entity User { user_id: int }

## Payments, one row per attempt.
source payments
  from parquet("payments.parquet")
  key  txn_id
  time at
{
  txn_id:  string
  user_id: User
  amount:  float
  fee:     float [usd]
  tax:     float [eur]
  points:  int
  note:    string?
  status:  enum("approved", "declined")
  at:      timestamp
}
"""

UNKNOWN_NAME = Code(
    "AFS0201",
    "unknown name",
    explain="""A name resolves in its own file or in a `use` line, never otherwise: there is no
search path and no wildcard. In an expression it is a column, a key, a feature of the same
entity, a loop variable or a constant; elsewhere a declaration of the kind that the place
wants.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(amonut) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(amount) over 7d
}
""",
)
UNKNOWN_MODULE = Code(
    "AFS0202",
    "unknown module",
    explain="""A `use` line names a file of the project by its path: `common/customers.afs` is
`common.customers`.""",
    bad="""use common.customer.{User}
""",
    good="""use common.customers.{User}

## Checkout.
request Checkout { user_id: User }
# file: common/customers.afs
entity User { user_id: int }
""",
)
UNKNOWN_IMPORT = Code(
    "AFS0203",
    "the module has no such name",
    explain="""The file that the `use` line names exists, and declares nothing of that name. What
a file imports itself is not handed on: name the file that declares it.""",
    bad="""use common.customers.{Usr}
# file: common/customers.afs
entity User { user_id: int }
""",
    good="""use common.customers.{User}

request Checkout { user_id: User }
# file: common/customers.afs
entity User { user_id: int }
""",
)
UNUSED_IMPORT = Code(
    "AFS0204",
    "unused import",
    explain="""A `use` line brings in a name that the file never mentions. It costs nothing but
misleads the reader about what the file depends on.""",
    bad="""use common.customers.{User}

entity Shop { shop_id: int }
# file: common/customers.afs
entity User { user_id: int }
""",
    good="""entity Shop { shop_id: int }
# file: common/customers.afs
entity User { user_id: int }
""",
    severity=Severity.WARNING,
)
DUPLICATE_NAME = Code(
    "AFS0205",
    "a name is declared twice",
    explain="""Every name has one meaning where it can be seen: declarations of a file, columns
of a source, features of an entity (in all files), columns of a view. Names that differ only in
the case of their letters count as the same, because some stores fold them. A changed feature
is a new version: `name@2`.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
  ## Payments of the past week.
  payments_7d: int = count(note) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
  ## Payments of the past week.
  payments_7d@2: int = count(note) over 7d
}
""",
)
UNKNOWN_COLUMN = Code(
    "AFS0206",
    "unknown column",
    explain="""A clause (`key`, `time`, `known`, `by`) or a lookup in a table names a column that
is not declared. Names are checked against the declaration, with or without data.""",
    bad=_BASE
    + """
features for User from payments by user {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
    good=_BASE
    + """
features for User from payments by user_id {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
)
UNKNOWN_FEATURE = Code(
    "AFS0207",
    "unknown feature",
    explain="""`Entity[key].feature` finds any feature of the entity, in whichever file it is
declared. There is none of this name.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}

request Checkout { user_id: User }

view checkout for Checkout { User[user_id].payment_7d }
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}

request Checkout { user_id: User }

view checkout for Checkout { User[user_id].payments_7d }
""",
)
UNKNOWN_FUNCTION = Code(
    "AFS0208",
    "unknown function",
    explain="""Functions are the builtins, the aggregates, and the `fn` declarations of this file
or its `use` lines.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = rond(sum(amount) over 7d)
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = abs(sum(amount) over 7d)
}
""",
)
UNKNOWN_VERSION = Code(
    "AFS0209",
    "unknown version of a feature",
    explain="""`name@2` pins a version. A plain `name` is the latest version that is not
deprecated.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
  ## Payments of the past week.
  twice: int = payments_7d@3 * 2
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
  ## Payments of the past week.
  twice: int = payments_7d@1 * 2
}
""",
)
WRONG_KIND = Code(
    "AFS0210",
    "the name is of another kind",
    explain="""The name is declared, as something else than the place wants: a table where events
are wanted, a window where a value is.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(usd) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(amount) over 7d
}
""",
)
REFERENCE_CYCLE = Code(
    "AFS0211",
    "definitions depend on one another in a circle",
    explain="""Features, streams, constants, windows, functions and keys may refer to one another
in any order, as long as following the references comes to an end. A reference to a plain name
means its latest version; a new version that builds on the old one pins it: `name@1`.""",
    bad="""owner "risk@acme.test"

entity User { user_id: int }

features for User {
  ## One.
  a: int = b + 1
  ## Two.
  b: int = a + 1
}
""",
    good="""owner "risk@acme.test"

entity User { user_id: int }

features for User {
  ## One.
  a: int = b + 1
  ## Two.
  b: int = 1
}
""",
)
MISSING_DOC = Code(
    "AFS0212",
    "a feature has no description",
    explain="""A feature is read by people who did not write it, long after. The `##` line above
it is its description in every listing.""",
    bad=_BASE
    + """
features for User from payments {
  payments_7d: int = count() over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
)
MISSING_OWNER = Code(
    "AFS0213",
    "a feature has no owner",
    explain="""Somebody must answer for a feature. The `owner` line of a file holds for all
features in it; `@owner(...)` above one names another.""",
    bad="""entity User { user_id: int }

features for User {
  ## One.
  a: int = 1
}
""",
    good="""owner "risk@acme.test"

entity User { user_id: int }

features for User {
  ## One.
  a: int = 1
}
""",
)
BAD_ANNOTATION = Code(
    "AFS0214",
    "an annotation is not understood",
    explain="""Above a feature may stand `@owner("team")`, `@tags("a", "b")` and
`@deprecated("what to use")`, each at most once. The last may also say until the end of which
day it may be used: `@deprecated("what to use", remove_after="2027-01-31")`.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments.
  @ownr("fraud@acme.test")
  payments_7d: int = count() over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments.
  @owner("fraud@acme.test")
  payments_7d: int = count() over 7d
}
""",
)
DEPRECATED = Code(
    "AFS0215",
    "a deprecated feature is used",
    explain="""The version that the reference means is marked `@deprecated`; its text says what
to use.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments.
  @deprecated("use payments_7d")
  payments: int = count() over 7d
  ## Payments of the past week.
  payments_7d: int = count() over 7d
  ## Payments of the past week.
  twice: int = payments * 2
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments.
  @deprecated("use payments_7d")
  payments: int = count() over 7d
  ## Payments of the past week.
  payments_7d: int = count() over 7d
  ## Payments of the past week.
  twice: int = payments_7d * 2
}
""",
    severity=Severity.WARNING,
)
NO_ENTITY_KEY = Code(
    "AFS0216",
    "the rows have no key of the entity",
    explain="""Rows belong to an entity through, in this order: the columns after `by`; the one
column whose type is the entity; columns with exactly the names and types of its key.""",
    bad=_BASE
    + """
entity Shop { shop_id: int }

features for Shop from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
    good=_BASE
    + """
entity Shop { points: int }

features for Shop from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
)
AMBIGUOUS_ENTITY_KEY = Code(
    "AFS0217",
    "the rows have several keys of the entity",
    explain="""Two columns hold keys of the entity (a sender and a receiver, an origin and a
destination): the block must say which one its features are about.""",
    bad=_BASE
    + """
## Transfers between users.
source transfers from parquet("transfers.parquet") key id time at {
  id:       string
  sender:   User
  receiver: User
  at:       timestamp
}

features for User from transfers {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
    good=_BASE
    + """
## Transfers between users.
source transfers from parquet("transfers.parquet") key id time at {
  id:       string
  sender:   User
  receiver: User
  at:       timestamp
}

features for User from transfers by sender {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
)
BAD_TEMPLATE = Code(
    "AFS0218",
    "a template does not expand to a name",
    explain="""A `for` runs over durations, numbers and texts known when compiling, and `{x}` in
a name is replaced by the value as it is written. The result must be a name.""",
    bad=_BASE
    + """
features for User from payments {
  for s in ["New York"] {
    ## Payments in {s}.
    payments_{s}: int = count(where note == s) over 7d
  }
}
""",
    good=_BASE
    + """
features for User from payments {
  for s in ["new_york"] {
    ## Payments in {s}.
    payments_{s}: int = count(where note == s) over 7d
  }
}
""",
)
EMPTY_BLOCK = Code(
    "AFS0219",
    "a block declares nothing",
    explain="""A `features` block, view, source or `for` without content is most likely
unfinished.""",
    bad=_BASE
    + """
features for User from payments { }
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
)
TOO_LARGE = Code(
    "AFS0220",
    "the project is too large",
    explain="""A project holds at most 10,000 features (after expansion of its templates) and
2,000 files.""",
    bad=_BASE
    + """
features for User from payments {
  for a in ["""
    + ", ".join(str(number) for number in range(101))
    + """] {
    for b in ["""
    + ", ".join(str(number) for number in range(100))
    + """] {
      ## Payments.
      f_{a}_{b}: int = count() over 1d
    }
  }
}
""",
    good=_BASE
    + """
features for User from payments {
  for a in [1, 2] {
    ## Payments.
    f_{a}: int = count() over 1d
  }
}
""",
)
RESERVED_NAME = Code(
    "AFS0221",
    "the name already means something else",
    explain="""A `fn` cannot take the name of a builtin function or aggregate: a reader could not
tell which one a call means.""",
    bad="""fn abs(x: float) -> float = x
""",
    good="""fn magnitude(x: float) -> float = abs(x)
""",
)
BAD_MODULE_NAME = Code(
    "AFS0222",
    "the file's path is no module name",
    explain="""A file is a module, named by its path: `fraud/cards.afs` is `fraud.cards`. So that
a `use` line can name it, every part of the path is a name: a lower-case letter, then letters,
digits and `_`.""",
    bad="""# file: fraud/my-cards.afs
entity User { user_id: int }
""",
    good="""# file: fraud/my_cards.afs
entity User { user_id: int }
""",
)
