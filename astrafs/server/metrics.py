"""Metrics for Prometheus. Labels have few values: routes, statuses, and names of the program."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the directory in which several processes keep their numbers."""
_SECONDS: Final = (
    *(0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class Metrics:
    """The numbers of one process; ``text`` gives those of all that share ``SHARED``."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "astrafs_http_requests",
            "Requests answered.",
            ("route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "astrafs_http_request_seconds",
            "Time from the headers of a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._routes: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._refused = Counter(
            "astrafs_http_refused",
            "Requests refused before they were complete: damaged, slow, too large.",
            ("code",),
            registry=registry,
        )
        self._in_flight = Gauge(
            "astrafs_http_in_flight",
            "Requests under way.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._questions = Counter(
            "astrafs_questions", "Questions answered.", ("view",), registry=registry
        )
        self._values = Counter(
            "astrafs_values", "Feature values served.", ("view",), registry=registry
        )
        self._rows = Counter(
            "astrafs_rows", "Rows received.", ("source", "result"), registry=registry
        )
        self._store_errors = Counter(
            "astrafs_store_errors", "Operations that the online store refused.", registry=registry
        )

        self._cache = Counter(
            "astrafs_cache", "Looks for state in memory.", ("result",), registry=registry
        )
        self._looks = (0, 0)

    def started(self) -> None:
        """Count a request that has begun."""
        self._in_flight.inc()

    def finished(self, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._in_flight.dec()
        found = self._routes.get((route, status))
        if found is None:  # to look labels up takes longer than to count
            made = self._requests.labels(route, str(status)), self._seconds.labels(route)
            found = self._routes[route, status] = made
        found[0].inc()
        found[1].observe(seconds)

    def refused(self, code: str) -> None:
        """Count a request that never came to be one."""
        self._refused.labels(code).inc()

    def answered(self, view: str, questions: int, values: int) -> None:
        """Count answers of ``view``."""
        self._questions.labels(view).inc(questions)
        self._values.labels(view).inc(values)

    def ingested(self, source: str, results: Mapping[str, int]) -> None:
        """Count the rows of a batch, by what became of them."""
        for result, rows in results.items():
            if rows:
                self._rows.labels(source, result).inc(rows)

    def cached(self, looks: tuple[int, int]) -> None:
        """Count looks for state in memory; ``looks`` are all hits and misses so far."""
        for result, before, after in zip(("hit", "miss"), self._looks, looks, strict=True):
            if after > before:
                self._cache.labels(result).inc(after - before)
        self._looks = looks

    def store_failed(self) -> None:
        """Count an operation that the store refused."""
        self._store_errors.inc()

    def text(self) -> bytes:
        """Return all numbers in the text form of Prometheus."""
        registry = self._registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
