"""Which names that project code gives as it runs may be told in lineage: those that its approvers have read.

A running step has seen data, so a name that it makes may be a patient's: a column of a table that was turned
on its side, an asset called like a person. So the name of a column is told when it stands as a word in the
approved code, a type when it is a usual one, and an asset when a run was planned to make it: plans are made
where no data is. How much is told is bounded as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import islice

from phems.domain.run_lineage import EngineAsset

LONGEST = 128
"""Characters of a name."""
MOST_COLUMNS = 500
"""Of an asset."""
MOST_SOURCES = 5000
"""Of all columns of an asset together."""

_TYPE = re.compile(
    r"(?:u?int|integer|bigint|smallint|tinyint|float|double|real|decimal|numeric|number|str|string|text|utf8"
    r"|varchar|char|bool|boolean|date|time|timestamp|datetime|duration|timedelta|object|category|categorical"
    r"|bytes|binary|list|struct|array|map|uuid|json|null)(?:[0-9]{1,3})?(?:\([0-9 ,]{1,12}\))?",
    re.IGNORECASE,
)
_DIGEST = re.compile(r"[0-9a-f]{16,64}")

InCode = Callable[[Iterable[str]], frozenset[str]]
"""Those of the names that stand as words in the code of the run."""


def told(assets: Iterable[EngineAsset], in_code: InCode, known: Collection[str]) -> tuple[EngineAsset, ...]:
    """The assets with what may be told of them alone. `known` are assets and data sources by name."""
    bounded = [_bounded(asset, known) for asset in assets if asset.name in known]
    names = {name for asset in bounded for name in _columns_of(asset)}
    words = in_code(names) if names else frozenset()
    return tuple(_narrowed(asset, words) for asset in bounded)


def names_in(assets: Iterable[EngineAsset]) -> frozenset[str]:
    """The assets, and whatever else may be one, that are named by them."""
    return frozenset(
        name
        for asset in assets
        for name in (asset.name, *asset.inputs, *(each for of in asset.sources.values() for each, _ in of))
    )


def told_version(version: object) -> str | None:
    """A data version that is a digest, as Dagster makes them; None for one in project code's own words."""
    return version if isinstance(version, str) and _DIGEST.fullmatch(version) else None


def words_of(name: str) -> re.Pattern[str]:
    """Finds the name in code: as a word, not as a part of one."""
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")


def _bounded(asset: EngineAsset, known: Collection[str]) -> EngineAsset:
    columns = tuple(each for each in asset.columns if _is_name(each[0]))[:MOST_COLUMNS]
    sources, left = {}, MOST_SOURCES
    for column in list(asset.sources)[:MOST_COLUMNS]:
        if _is_name(column):
            named = (each for each in asset.sources[column] if each[0] in known and _is_name(each[1]))
            found = tuple(islice(named, left))
            left -= len(found)
            sources[column] = found
    inputs = {name: version for name, version in asset.inputs.items() if name in known}
    return replace(asset, columns=columns, sources=sources, inputs=inputs)


def _narrowed(asset: EngineAsset, words: frozenset[str]) -> EngineAsset:
    sources: Mapping[str, tuple[tuple[str, str], ...]] = {
        column: tuple(each for each in found if each[1] in words)
        for column, found in asset.sources.items()
        if column in words
    }
    return replace(
        asset,
        columns=tuple((name, _type(kind)) for name, kind in asset.columns if name in words),
        sources={column: found for column, found in sources.items() if found},
    )


def _columns_of(asset: EngineAsset) -> Iterable[str]:
    yield from (name for name, _ in asset.columns)
    for column, found in asset.sources.items():
        yield column
        yield from (source for _, source in found)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= LONGEST and name.isprintable() and name == name.strip()


def _type(kind: str | None) -> str | None:
    return kind if kind is not None and _TYPE.fullmatch(kind) else None
