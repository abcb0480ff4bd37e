"""The operator's values, which Helm lays over the rendered ones: checked before Helm is asked.

They choose images, names, sizes. What node.yaml decides they may not say otherwise: a wall of a project that
is taken out here would be reviewed by nobody who reads node.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from phems.errors import InputError
from phems.render.chart_values import ChartValues

OF_NODE_YAML: tuple[tuple[str, ...], ...] = (
    ("node",),
    ("projects",),
    ("code",),
    ("control", "port"),
    ("control", "scheme"),
)
"""What is worked out of node.yaml, or given by Argo CD, and by nobody else."""


def check_operator_values(rendered: ChartValues, text: str, *, file: str) -> None:
    """InputError with every slip in the operator's values, each by its key."""
    given = _read(text, file)
    slips = [*_decided_elsewhere(given), *_misfits(rendered, given)]
    if slips:
        raise InputError(
            f"{file} does not fit: {'; '.join(slips)}.",
            why="Helm lays it over what node.yaml gives, and would refuse that, or install something else.",
            remedy=f"Edit {file}; charts/phems-node/values.yaml has every choice with its meaning",
        )


def _read(text: str, file: str) -> Mapping[str, Any]:
    try:
        given = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise InputError(f"{file} is not YAML.", why=str(error), remedy=f"Edit {file}") from error
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InputError(
            f"{file} is not a mapping.", why="Values have names, such as image:", remedy=f"Edit {file}"
        )
    return given


def _decided_elsewhere(given: Mapping[str, Any]) -> Iterator[str]:
    for path in OF_NODE_YAML:
        found: Any = given
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            yield f"{'.'.join(path)} is not said here, but follows from node.yaml"


def _misfits(rendered: ChartValues, given: Mapping[str, Any]) -> Iterator[str]:
    try:
        whole = ChartValues.model_validate(_laid_over(rendered.model_dump(mode="json", by_alias=True), given))
    except ValidationError as error:
        for slip in error.errors():
            place = ".".join(map(str, slip["loc"]))
            yield f"{place}: {slip['msg']}" if place else slip["msg"]
        return
    pools, known = ([each.pool for each in values.workers] for values in (whole, rendered))
    if sorted(pools) != sorted(known):
        yield f"workers has the pools {', '.join(pools) or 'none'}, and node.yaml has {', '.join(known)}"


def _laid_over(below: Any, above: Any) -> Any:
    """As Helm does it: mappings are merged, everything else is replaced."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}
