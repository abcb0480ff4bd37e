"""The chart's values: the model's own, worked out of node.yaml, and refused when they mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from helm_python import HelmError
from helm_python.chart import Chart

from phems.nodespec import parse_node
from phems.render.chart_values import ChartValues, chart_values

from .charts import CHART, CI_VALUES, ci_values, render

Change = Callable[[dict[str, Any]], object]

every_set = pytest.mark.parametrize("name", CI_VALUES)


def test_the_chart_s_defaults_are_the_model_s() -> None:
    """Otherwise values that `phems render helm` leaves out mean something else in the cluster."""
    values = ci_values("small-values.yaml")
    given = {key: values[key] for key in ("node", "workers", "projects")}
    control = {key: values["control"][key] for key in ("port", "scheme")}
    written = yaml.safe_load((CHART / "values.yaml").read_text())
    whole = {**written, **given, "control": {**written["control"], **control}}
    assert ChartValues.model_validate(whole) == ChartValues.model_validate({**given, "control": control})


@every_set
def test_what_node_yaml_says_is_worked_out_as_it_says(name: str) -> None:
    values = ci_values(name)
    file = values["node"]["file"]
    made = chart_values(parse_node(file), file)
    read = ChartValues.model_validate(values)
    assert (made.node, made.projects) == (read.node, read.projects)
    assert [each.pool for each in made.workers] == [each.pool for each in read.workers]
    assert (made.control.port, made.control.scheme) == (read.control.port, read.control.scheme)


REFUSED: dict[str, Change] = {
    "a word that nobody knows": lambda values: values.update(replicas=3),
    "an image by its tag": lambda values: values["image"].update(control="registry.example/phems:latest"),
    "no control process": lambda values: values["control"].update(replicas=0),
    "a scheme of nobody's": lambda values: values["control"].update(scheme="gopher"),
    "no workers at all": lambda values: values.pop("workers"),
    "a worker of no size": lambda values: values["workers"][0].pop("resources"),
    "a Secret with no name for one": lambda values: values["secrets"].update(environment="Not A Name"),
    "memory that is half a byte": lambda values: values["control"].update(
        resources={
            "requests": {"cpu": "1", "memory": "500m"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        }
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_values_that_mean_nothing_are_refused(what: str) -> None:
    """Otherwise a slip of the pen is found out when no pod starts."""
    values = ci_values("full-values.yaml")
    Chart.load(CHART).validate_schema(values)
    REFUSED[what](values)
    with pytest.raises(HelmError):
        Chart.load(CHART).validate_schema(values)


def test_an_installation_without_an_image_says_what_to_give() -> None:
    values = ci_values("small-values.yaml")
    values["image"]["control"] = ""
    with pytest.raises(HelmError, match=r"image\.control: give the image"):
        render(values)
