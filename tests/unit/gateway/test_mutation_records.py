"""What the audit log is told of a mutation: who and which things, and nothing that somebody wrote freely."""

from __future__ import annotations

from typing import Any, cast

import pytest
from dagster_graphql.schema import create_schema
from graphql import GraphQLInputObjectType, get_named_type

from phems.engine.person import Person
from phems.gateway.mutation_records import MAX_SUBJECTS, SUBJECTS, act_of
from phems.gateway.root_fields import MUTATIONS, NOBODY

WITHOUT_SUBJECT = {"reloadWorkspace", "setAutoMaterializePaused", "logTelemetry", "setNuxSeen"}


class Somebody:
    projects = frozenset({"heart-attack"})

    def projects_of_runs(self, run_ids: list[str]) -> set[str]:
        return {"heart-attack"} if run_ids else set()


def act(mutation: str, **arguments: Any) -> Any:
    return act_of(cast("Person", Somebody()), mutation, arguments)


def test_a_launch_names_the_job_and_not_its_configuration() -> None:
    """Run configuration may hold what the log must not: it is read by auditors, and never forgotten."""
    told = act(
        "launchRun",
        executionParams={
            "selector": {"repositoryLocationName": "heart-attack", "jobName": "cohort"},
            "runConfigData": {"ops": {"a": {"config": {"id": "secret-patient"}}}, "jobName": "secret"},
            "executionMetadata": {"tags": [{"key": "note", "value": "secret"}]},
        },
    )
    assert told.subject == "heart-attack cohort"
    assert told.project == "heart-attack"
    assert "secret" not in str(told)


def test_what_is_no_id_is_withheld_and_many_are_counted() -> None:
    told = act("terminateRuns", runIds=["a b; DROP", *(f"run-{n}" for n in range(40))])
    assert told.subject.startswith("(withheld) run-0 run-1")
    assert told.subject.endswith(f"(and {41 - MAX_SUBJECTS} more)")
    assert told.project == "heart-attack"


def test_switches_of_the_node_say_how_they_were_set() -> None:
    assert act("setAutoMaterializePaused", paused=True).details == {"paused": True}
    told = act("setConcurrencyLimit", concurrencyKey="scanner", limit=3)
    assert (told.subject, told.details, told.project) == ("scanner", {"limit": 3}, None)


def test_another_projects_name_is_not_taken_from_who_asks() -> None:
    """Otherwise anybody writes into the log that is shown to another project's people."""
    told = act("startSensor", sensorSelector={"repositoryLocationName": "breast-cancer", "sensorName": "s"})
    assert told.project is None


@pytest.mark.parametrize("name", sorted(n for n, verbs in MUTATIONS.items() if verbs != NOBODY))
def test_every_open_mutation_names_what_it_is_about(name: str) -> None:
    """Attack 6: otherwise a mutation that Dagster changes leaves an entry about nothing."""
    kind = create_schema().graphql_schema.mutation_type
    assert kind
    found: set[str] = set()

    def names(fields: Any, depth: int) -> None:
        for key, field in fields.items():
            found.add(key)
            inner = get_named_type(field.type)
            if isinstance(inner, GraphQLInputObjectType) and depth < 3:
                names(inner.fields, depth + 1)

    names(kind.fields[name].args, 0)
    assert found & SUBJECTS or name in WITHOUT_SUBJECT
