"""Feature versions past their date, and references to versions that are no more."""

from __future__ import annotations

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import Diagnostic
from astrafs.plan.ir import FeatureId
from astrafs.resolve.symbols import FeatureSymbol
from astrafs.source import Span
from astrafs.typecheck.context import Environment


def is_expired(symbol: FeatureSymbol, env: Environment) -> bool:
    """Whether a deprecated version may no longer be used on the day of the check."""
    return bool(symbol.remove_after) and env.outside.day > symbol.remove_after


def expired(symbol: FeatureSymbol, span: Span, env: Environment) -> Diagnostic:
    """Return the error at ``span``, the definition or a use of an expired version."""
    shown = _shown(symbol.id)
    return codes.EXPIRED.at(
        span,
        symbol.deprecated,
        title=f"`{shown}` was to be removed after {symbol.remove_after}",
    ).note(f"judged by {env.outside.day}")


def removed(feature: FeatureId, span: Span, env: Environment) -> Diagnostic | None:
    """Return the error of a reference to ``feature`` if that is a removed version."""
    day = env.outside.removed.get(feature)
    if day is None:
        return None
    entity = feature.entity.rpartition(".")[2]
    full = f"{entity}.{feature.name}@{feature.version}"
    versions = env.symbols.features.get(feature.entity, {}).get(feature.name)
    found = name_codes.UNKNOWN_VERSION.at(
        span,
        f"removed on {day}" if day else "removed",
        title=f"version `{feature.name}@{feature.version}` was removed",
    )
    if versions:
        latest = env.symbols.latest(feature.entity, feature.name)
        assert latest is not None
        found = found.label(latest.span, "the active version")
        found = found.help(f"`{feature.name}` now means `{feature.name}@{latest.id.version}`")
    else:
        found = found.help("no version of it is left; declare it again under a new version")
    return found.help(f"its definition is kept: `astrafs show {full}`")


def removed_feature(
    entity: str, name: str, version: int | None, span: Span, env: Environment
) -> Diagnostic | None:
    """Return the error of a reference to a feature all of whose versions were removed, if any
    were.
    """
    if name in env.symbols.features.get(entity, {}):
        return None
    numbers = [
        one.version for one in env.outside.removed if (one.entity, one.name) == (entity, name)
    ]
    if version is not None:
        return removed(FeatureId(entity, name, version), span, env)
    return removed(FeatureId(entity, name, max(numbers)), span, env) if numbers else None


def _shown(feature: FeatureId) -> str:
    return str(feature).rpartition(".")[2]
