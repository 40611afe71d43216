"""Locked feature versions by name or identity, put beside the program of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from astrafs.cli import lockfile
from astrafs.cli.project import Compiled
from astrafs.config import Config
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir
from astrafs.plan.identity import definition_digests, feature_identities, kept_name
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.registry.lock import ACTIVE, REMOVED, Lock, read_lock
from astrafs.registry.pins import (
    Pinned,
    columns_of,
    pin_labels,
    pin_view,
    view_of,
    with_definitions,
)
from astrafs.runtime.answer import Place
from astrafs.temporal.datasets import with_horizons

FEATURES_ONLY = "@"
"""Begins the name of a view that was made of features named one by one."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A program that holds the view ``view`` of pinned versions, and where its files are."""

    program: Program
    view: ir.View
    place: Place


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that a lock file and the program know, with their identities."""

    root: Path
    program: Program
    lock: Lock
    roots: tuple[Path, ...]
    """Projects whose kept definitions may be used."""
    here: Mapping[ir.FeatureId, str]
    """The versions that the program has, with the names under which they would be kept."""

    @classmethod
    def of(cls, compiled: Compiled, program: Program, lock_file: Path | None = None) -> Versions:
        """Read the lock file, of the project or the one that is named."""
        root, here = compiled.workspace.root, _kept_names(program.plan)
        if lock_file is None:
            return cls(root, program, lockfile.load_lock(root), (root,), here)
        try:
            lock = read_lock(lock_file.read_text("utf-8"), str(lock_file))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            found = codes.BAD_LOCK_FILE.nowhere(f"`{lock_file}` cannot be read")
            raise AstrafsError(found.note(str(reason).lower())) from None
        return cls(root, program, lock, (root, lock_file.absolute().parent), here)

    def kept_as(self, feature: ir.FeatureId) -> str:
        """Return the name under which the definition of a version is kept: as locked, else as
        written.
        """
        locked = self.lock.features.get(feature)
        return locked.kept_as if locked is not None else self.here[feature]

    def find(self, given: str) -> ir.FeatureId:
        """Return the version that ``User.spend_7d@1`` names; without one, the latest active."""
        name, _, version = given.partition("@")
        known = {*self.lock.features, *(feature.id for feature in self.program.plan.features)}
        names = sorted({_bare(feature) for feature in known})
        wanted = [one for one in names if one == name or one.endswith(f".{name}")]
        if not wanted:  # entities are written with a capital, and spoken of without
            wanted = [one for one in names if f".{one}".lower().endswith(f".{name.lower()}")]
        if len(wanted) != 1:
            raise AstrafsError(_unclear(given, name, wanted, names))
        versions = sorted(feature for feature in known if _bare(feature) == wanted[0])
        if not version:
            return self.latest(versions)
        chosen = [feature for feature in versions if str(feature.version) == version]
        if not chosen:
            listed = ", ".join(f"@{feature.version}" for feature in versions)
            title = f"--feature: `{wanted[0]}` never had a version {version}"
            raise AstrafsError(usage.UNKNOWN_FEATURE.nowhere(title).help(f"it has {listed}"))
        return chosen[0]

    def latest(self, versions: Sequence[ir.FeatureId]) -> ir.FeatureId:
        """Return the latest of ``versions`` that is active in the lock, else the latest."""
        states = {name: locked.status for name, locked in self.lock.features.items()}
        active = [one for one in versions if states.get(one, ACTIVE) == ACTIVE]
        return max(active or versions)

    def as_locked(self, feature: ir.FeatureId) -> ir.FeatureId:
        """Return the version that the lock file has for a feature of the program."""
        locked = self.lock.features.get(feature)
        if locked is not None and locked.status != REMOVED:
            return feature
        versions = [one for one in self.lock.features if _bare(one) == _bare(feature)]
        if not versions:
            title = f"the lock file has no version of `{feature}`"
            raise AstrafsError(usage.UNKNOWN_FEATURE.nowhere(title))
        return self.latest(versions)

    def pinned(self, wanted: Mapping[str, ir.FeatureId | None]) -> Pinned:
        """Return the program with the versions that ``wanted`` holds by the names under which they
        are kept.

        What the program still means is taken from there, the rest from the kept definitions; a
        feature that is given only makes messages clear. Raises :class:`AstrafsError` where neither
        has it.
        """
        known = {found.partition("-")[0]: name for name, found in self.here.items()}
        known |= {found: name for name, found in self.here.items()}
        definitions = {}
        for name, feature in wanted.items():
            if name in known:
                continue
            kept = (lockfile.recall(root, name) for root in self.roots)
            definition = next((one for one in kept if one is not None), None)
            if definition is None:
                shown = f"`{feature}`" if feature is not None else f"identity {name[:12]}..."
                title = f"the definition of {shown} is not kept"
                raise AstrafsError(
                    codes.LOST_DEFINITION.nowhere(title).help(
                        "restore `.astrafs/definitions` from version control"
                    )
                )
            definitions[name] = definition
        found = with_definitions(self.program, definitions)
        there = {name: known[name] for name in wanted if name in known}
        return replace(found, features={**there, **found.features})


def choose(
    compiled: Compiled,
    program: Program,
    view: ir.View | None,
    features: Sequence[str],
    lock_file: Path | None,
    dataset: ir.Dataset | None = None,
) -> Chosen:
    """Return ``view`` with the versions that ``features`` and ``lock_file`` say, or a view of just
    ``features`` where there is none. Of a ``dataset`` over the view, the labels too.
    """
    versions = Versions.of(compiled, program, lock_file)
    named = list(dict.fromkeys(versions.find(one) for one in features))
    if view is None:
        outputs = {column: name for name, column in columns_of(named).items()}
    else:
        labels = () if dataset is None else dataset.labels
        outputs = _replaced(
            versions, (*view.outputs, *labels), named, everything=lock_file is not None
        )
        unused = [feature for feature in named if feature not in outputs.values()]
        if unused:
            what = f"view `{view.name}`" if dataset is None else f"dataset `{dataset.name}`"
            title = f"--feature: the {what} has no output of `{_bare(unused[0])}`"
            raise AstrafsError(
                usage.UNKNOWN_FEATURE.nowhere(title).help("leave out the view to compute it alone")
            )
    names = {column: versions.kept_as(feature) for column, feature in outputs.items()}
    found = versions.pinned({names[column]: feature for column, feature in outputs.items()})
    columns = {column: found.features[name] for column, name in names.items()}
    plan = found.program.plan
    if view is None:
        made = view_of(plan, f"{FEATURES_ONLY}{named[0].entity}", columns)
    else:
        made = pin_view(plan, view, columns)
    if dataset is not None:
        pinned = pin_labels(plan, dataset, columns)
        datasets = tuple(pinned if one is dataset else one for one in plan.datasets)
        plan = with_horizons(replace(plan, datasets=datasets))  # theirs may be decided later
        found = replace(found, program=replace(found.program, plan=plan))
    return placed(compiled, found, made)


def placed(compiled: Compiled, found: Pinned, view: ir.View) -> Chosen:
    """Put ``view`` into the plan in place of the one of its name."""
    program = found.program
    views = [one for one in program.plan.views if one.name != view.name]
    plan = replace(program.plan, views=tuple(sorted((*views, view), key=lambda one: one.name)))
    return Chosen(replace(program, plan=plan), view, place_of(compiled.config, found))


def place_of(config: Config, found: Pinned) -> Place:
    """Return where the files of a program with pinned versions are: what the configuration says of
    a source also holds for those that stand for it.
    """
    overrides = dict(config.sources)
    for new, old in found.sources.items():
        if old in overrides:
            overrides[new] = overrides[old]
    return Place(config.root, config.roots, overrides)


def _replaced(
    versions: Versions,
    shown: Sequence[ir.Output | ir.Label],
    named: Sequence[ir.FeatureId],
    *,
    everything: bool,
) -> dict[str, ir.FeatureId]:
    """Return the version of the feature behind each of ``shown`` that was asked for."""
    pins = {_bare(feature): feature for feature in named}
    found: dict[str, ir.FeatureId] = {}
    for one in shown:
        match one.expression:
            case ir.FeatureRef(feature=feature) | ir.EntityLookup(feature=feature):
                if _bare(feature) in pins:
                    found[one.name] = pins[_bare(feature)]
                elif everything:
                    found[one.name] = versions.as_locked(feature)
            case _:
                pass
    return found


def _kept_names(plan: ir.Plan) -> dict[ir.FeatureId, str]:
    digests = definition_digests(plan)
    return {
        name: kept_name(found, digests[name]) for name, found in feature_identities(plan).items()
    }


def _bare(name: ir.FeatureId) -> str:
    return f"{name.entity}.{name.name}"


def _unclear(given: str, name: str, found: Sequence[str], names: Sequence[str]) -> Diagnostic:
    if found:
        title = f"--feature: `{given}` may be any of {', '.join(found)}"
        return usage.UNKNOWN_FEATURE.nowhere(title).help("write more of the name")
    problem = usage.UNKNOWN_FEATURE.nowhere(f"--feature: there is no feature `{name}`")
    ends = [".".join(one.rsplit(".", 2)[-2:]) for one in names]
    near = closest(name, [*names, *ends])
    return problem.help(f"did you mean `{near}`?") if near else problem
