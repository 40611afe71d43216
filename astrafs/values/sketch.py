"""The sizes of the sketch behind ``approx_count_distinct``; what they mean stands with the
aggregate, in ``astrafs.builtins.aggregates.distributions``.
"""

from __future__ import annotations

INDEX_BITS = 12
REGISTERS = 1 << INDEX_BITS
HASH_BITS = 64
RANK_BITS = HASH_BITS - INDEX_BITS
MOST_RANK = RANK_BITS + 1
