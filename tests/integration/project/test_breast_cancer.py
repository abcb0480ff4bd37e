"""The breast-cancer project under plain Dagster, on the real data; and what it may not read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from phems.contract.runtime import RegisteredOutput, Runtime, SourceInfo, set_runtime
from phems.errors import RefusedError

pytestmark = pytest.mark.integration


@pytest.fixture
def breast_cancer(definitions: dict[str, dg.Definitions]) -> dg.Definitions:
    return definitions["breast-cancer"]


def test_the_bootstrap_fans_out_retries_once_and_brings_it_together(
    breast_cancer: dg.Definitions, instance: dg.DagsterInstance, laptop: Path
) -> None:
    """The demo's second shape of job would not run, or release a wrong effect."""
    job = breast_cancer.resolve_job_def("bootstrap_hormone_effect")
    result = job.execute_in_process(instance=instance)
    steps = [event.step_key for event in result.all_events if event.event_type_value == "STEP_SUCCESS"]
    assert sorted(steps) == [
        "check_completeness",
        "effect_in_all",
        *(f"effect_in_resample[r{number:03d}]" for number in range(8)),
        "load_patients",
        "plan_resamples",
        "summarise",
    ]
    restarted = [event.step_key for event in result.all_events if event.event_type_value == "STEP_RESTARTED"]
    assert restarted == ["check_completeness"]

    outputs = laptop / "outputs" / result.run_id
    assert sorted(path.name for path in outputs.iterdir()) == ["bootstrap.csv", "hazard_ratio.json"]
    summary = json.loads((outputs / "hazard_ratio.json").read_text())
    # Sauerbrei and Royston 1999 report a protective effect of about 0.7 after adjustment.
    assert summary["hazard_ratio"] == pytest.approx(0.71, abs=0.03)
    assert 0.4 < summary["ci_lower"] < summary["hazard_ratio"] < summary["ci_upper"] < 1
    assert len((outputs / "bootstrap.csv").read_text().splitlines()) == 9


def test_the_same_seed_gives_the_same_bytes(
    breast_cancer: dg.Definitions, instance: dg.DagsterInstance, laptop: Path
) -> None:
    """A random result could not be reproduced."""
    job = breast_cancer.resolve_job_def("bootstrap_hormone_effect")
    quick = {
        "ops": {
            "check_completeness": {"config": {"fail_first_attempt": False}},
            "plan_resamples": {"config": {"resamples": 2}},
        }
    }
    first, second = (
        laptop / "outputs" / job.execute_in_process(instance=instance, run_config=quick).run_id
        for _ in range(2)
    )
    for path in first.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes()


class _NoOutputs:
    def register(self, relative_path: str, declaration: Mapping[str, Any] | None = None) -> RegisteredOutput:
        raise AssertionError(relative_path)


@pytest.fixture
def in_a_node(sources: Path, tmp_path: Path) -> Iterator[None]:
    """The surroundings that the node gives this project: its own source, and an artifact area."""
    mounted = tmp_path / "mounted" / "gbsg2.csv"
    mounted.parent.mkdir()
    mounted.symlink_to(sources / "gbsg2.csv")
    granted = {"gbsg2": SourceInfo(mounted, "csv")}
    set_runtime(Runtime("breast-cancer", mounted.parent, tmp_path / "area", granted, _NoOutputs()))
    yield
    set_runtime(None)


@pytest.mark.usefixtures("in_a_node", "laptop")
@pytest.mark.parametrize("name", ["read_other_data", "read_declared_other_data"])
def test_another_projects_data_are_refused_in_a_node(
    breast_cancer: dg.Definitions, instance: dg.DagsterInstance, name: str
) -> None:
    """A project could read patients that it has no grant for, by asking nicely."""
    job = breast_cancer.resolve_job_def(name)
    with pytest.raises(RefusedError, match="This project has no grant for the data source whas500"):
        job.execute_in_process(instance=instance)


@pytest.mark.usefixtures("laptop")
def test_the_attempts_would_read_the_data_if_nothing_stopped_them(
    breast_cancer: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    """The demo's refusal would prove nothing: the attempt could have failed for another reason."""
    for name, op in (("read_other_data", "read_quietly"), ("read_declared_other_data", "read_openly")):
        result = breast_cancer.resolve_job_def(name).execute_in_process(instance=instance)
        assert result.output_for_node(op) == 500


def test_only_the_declared_attempt_shows_its_need_to_admission(breast_cancer: dg.Definitions) -> None:
    """The launch of a good job would be refused, or that of the bad one be allowed."""
    needs = {
        name: breast_cancer.resolve_job_def(name).get_required_resource_defs()
        for name in ("bootstrap_hormone_effect", "read_other_data", "read_declared_other_data")
    }
    assert {name for name, resources in needs.items() if "whas500" in resources} == {
        "read_declared_other_data"
    }
