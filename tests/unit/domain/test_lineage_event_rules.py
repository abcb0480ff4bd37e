"""The OpenLineage events of runs and releases: valid, whole, and without a word that only data could hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openlineage.client.serde import Serde
from tests.openlineage_events import official
from tests.package_facts import FACTS, REQUEST

from phems.domain.canonical import canonical, parse
from phems.domain.lineage import lineage_of
from phems.domain.lineage_events import RunCase, declared_in, end_of, release_events, start_of
from phems.domain.openlineage import schema_of
from phems.domain.outputs import Output
from phems.domain.release_facts import NodeIdentity
from phems.domain.release_outbox import OutboxEvent, PackageEvent
from phems.domain.release_states import ReleaseState
from phems.domain.run_lineage import AssetLineage, EngineAsset, EngineRunFacts, EngineStep, RunLineage
from phems.domain.told_names import (
    LONGEST,
    MOST_COLUMNS,
    MOST_SOURCES,
    names_in,
    told,
    told_version,
    words_of,
)

RUN = "0b9a5b6e-4a53-4b5a-9d6c-0f6f5a3a2b1c"
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
CANARY = "CANARY-PATIENT-7f3a9"
RECORD = RunLineage(
    RUN,
    requested_by="ana",
    requested_at=NOON - timedelta(minutes=1),
    admitted_at=NOON,
    capsule="a" * 64,
    commit="b" * 40,
    code_digest="c" * 64,
    approved_by=("iris",),
    environment_digest="e" * 64,
    policy_version="heart v1",
    data={"whas500": "sha256:" + "d" * 64},
)
COHORT = EngineAsset(
    name="heart/cohort",
    step="heart__cohort",
    version="f" * 64,
    rows=500,
    columns=(("age", "int64"), ("died", None)),
    sources={"age": (("whas500", "age"),), "died": (("whas500", "fstat"), ("whas500", "lenfol"))},
)
TABLE = EngineAsset(
    name="heart/table",
    step="heart__table",
    sources={"group": (("heart/cohort", "age"),)},
    inputs={"heart/cohort": "f" * 64, "heart/older": None},
)
STEPS = (
    EngineStep(name="heart__cohort", started_at=NOON, ended_at=NOON, has_failed=False),
    EngineStep(name="heart__table", started_at=NOON, ended_at=NOON + timedelta(seconds=2), has_failed=False),
)
FACTS_OF_RUN = EngineRunFacts(
    run_id=RUN,
    project="heart",
    job=None,
    status="SUCCESS",
    created_at=NOON - timedelta(minutes=1),
    started_at=NOON,
    ended_at=NOON + timedelta(seconds=3),
    nominal_at=NOON,
    steps=STEPS,
    assets=(COHORT, TABLE),
)
FILE = Output("heart", RUN, "heart__table[x]", f"outputs/{RUN}/{CANARY}.csv", "9" * 64, 12, "text/csv", NOON)
CASE = RunCase(
    node=NodeIdentity("st-mary", "St Mary's", "0.1.0"),
    engine_version="1.13.27",
    record=RECORD,
    facts=FACTS_OF_RUN,
    outputs=(FILE, replace(FILE, path=f"outputs/{RUN}/again.csv")),
)
FAILED = replace(
    CASE,
    facts=replace(
        FACTS_OF_RUN,
        job="analysis",
        status="FAILURE",
        nominal_at=None,
        steps=(replace(STEPS[0], has_failed=True), replace(STEPS[1], ended_at=None)),
        assets=(),
    ),
)
NEVER_RAN = RunCase(
    node=CASE.node,
    engine_version="1.13.27",
    record=RunLineage(RUN, requested_at=NOON),
    facts=replace(FAILED.facts, started_at=None, ended_at=None, steps=(), status="CANCELED"),
)
TOLD = OutboxEvent(
    7, REQUEST.id, REQUEST.project, PackageEvent.RELEASED, NOON, ReleaseState.RELEASED, "5" * 64, NOON
)
REVOKED = replace(TOLD, event=PackageEvent.REVOKED, state=ReleaseState.REVOKED)


def documents(case: RunCase) -> list[dict[str, Any]]:
    """As they are kept and read again."""
    return [parse(canonical(event.document)) for event in [start_of(case), *end_of(case)]]


ALL = [
    *(document for case in (CASE, FAILED, NEVER_RAN) for document in documents(case)),
    *(event.document for told_ in (TOLD, REVOKED) for event in release_events(CASE.node, told_, REQUEST)),
    *(parse(line) for line in lineage_of(FACTS).splitlines()),
]


def test_every_event_is_what_the_official_client_would_send() -> None:
    """Otherwise a lineage store refuses the events, or reads them wrongly."""
    for document in ALL:
        made = Serde.to_dict(official(dict(document)))
        for key in ("eventType", "eventTime", "producer", "schemaURL"):
            assert made[key] == document[key]
        assert made["job"]["name"] == document["job"]["name"]
        assert [each["name"] for each in made["outputs"]] == [each["name"] for each in document["outputs"]]


def test_a_facet_that_is_in_no_table_is_a_slip() -> None:
    """An unknown schema must not be made up."""
    with pytest.raises(KeyError):
        schema_of("weather")


def test_a_run_leads_from_data_to_files_by_its_assets() -> None:
    """It is asked of lineage which numbers rest on which version of the data."""
    start, *steps, end = documents(CASE)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"] == RUN
    assert (end["job"]["namespace"], end["job"]["name"]) == ("phems://st-mary/heart", "assets")
    assert [(each["namespace"], each["name"]) for each in end["inputs"]] == [
        ("phems://st-mary", "whas500"),
        ("phems://st-mary/heart", "heart/older"),
    ]
    assert [each["name"] for each in end["outputs"]] == ["heart/cohort", "heart/table", "sha256:" + "9" * 64]
    run, job = end["run"]["facets"], end["job"]["facets"]
    assert run["processing_engine"]["version"] == "1.13.27"
    assert run["nominalTime"]["nominalStartTime"].startswith("2026-11-29T12:00:00")
    assert run["phems_capsule"]["digest"] == "a" * 64
    assert job["phems_approval"]["approvedBy"] == ["iris"]
    assert job["sourceCodeLocation"]["version"] == "b" * 40
    cohort = end["outputs"][0]
    assert cohort["outputFacets"]["outputStatistics"]["rowCount"] == 500
    sources = cohort["facets"]["columnLineage"]["fields"]["died"]["inputFields"]
    assert [(each["namespace"], each["field"]) for each in sources] == [
        ("phems://st-mary", "fstat"),
        ("phems://st-mary", "lenfol"),
    ]
    assert {step["run"]["facets"]["parent"]["run"]["runId"] for step in steps} == {RUN}
    assert [(step["job"]["name"], step["eventType"]) for step in steps] == [
        ("assets.heart__cohort", "START"),
        ("assets.heart__cohort", "COMPLETE"),
        ("assets.heart__table", "START"),
        ("assets.heart__table", "COMPLETE"),
    ]
    assert steps[3]["inputs"][0]["name"] == "heart/cohort"
    assert [each["name"] for each in steps[3]["outputs"]] == ["heart/table", "sha256:" + "9" * 64]


def test_what_failed_is_told_and_never_why() -> None:
    """An error quotes what it was about: a patient."""
    _, _, cohort, _, table, end = documents(FAILED)
    assert (cohort["eventType"], table["eventType"], end["eventType"]) == ("FAIL", "ABORT", "FAIL")
    message = "The run failed. Steps that failed: heart__cohort."
    assert end["run"]["facets"]["errorMessage"]["message"] == message
    assert "errorMessage" not in table["run"]["facets"]


def test_a_run_that_never_began_has_a_start_and_an_end() -> None:
    """The specification asks for both, and a run without an end looks as if it went on for ever."""
    start, end = documents(NEVER_RAN)
    assert (start["eventType"], end["eventType"]) == ("START", "ABORT")
    assert end["inputs"] == []
    [other] = end_of(replace(NEVER_RAN, facts=replace(NEVER_RAN.facts, status="NOT_STARTED")))
    assert other.kind == "OTHER"
    bare = replace(NEVER_RAN, record=RunLineage(RUN))
    assert start_of(bare).document["eventTime"].startswith("2026-11-29T11:59")


def test_no_file_is_told_by_its_name() -> None:
    """It is made by project code as it runs."""
    assert CANARY not in str(documents(CASE))


def test_a_release_leads_from_files_of_runs_to_files_of_the_package() -> None:
    """The datasets are those of the package's own lineage, so the two can be laid side by side."""
    start, end = (event.document for event in release_events(CASE.node, TOLD, REQUEST))
    [revoked] = release_events(CASE.node, REVOKED, REQUEST)
    assert (start["eventType"], end["eventType"], revoked.kind) == ("START", "COMPLETE", "OTHER")
    assert start["run"]["runId"] == revoked.subject
    assert {each["name"] for each in end["inputs"]} == {
        f"sha256:{file.sha256}" for file in REQUEST.approved_files()
    }
    packaged = {
        (each["namespace"].partition("//")[2].partition("/")[2], each["name"])
        for line in lineage_of(FACTS).splitlines()
        for each in parse(line)["outputs"]
    }
    assert packaged <= {
        (each["namespace"].partition("//")[2].partition("/")[2], each["name"]) for each in end["outputs"]
    }


def test_declared_columns_are_read_back_from_what_is_kept() -> None:
    """`phems lineage show` goes by the kept events, which no purge takes."""
    assert declared_in(documents(CASE)[-1]) == (
        AssetLineage(
            "heart/cohort", {"age": ("whas500: age",), "died": ("whas500: fstat", "whas500: lenfol")}
        ),
        AssetLineage("heart/table", {"group": ("heart/cohort: age",)}),
    )


KNOWN = frozenset({"whas500", "heart/cohort", "heart/table", "heart/older"})
CODE = "table['age'], table['died'], 'fstat', 'lenfol', 'group'"


def in_code(names: Any) -> frozenset[str]:
    return frozenset(name for name in names if words_of(name).search(CODE))


def test_a_column_is_told_when_its_name_stands_in_the_approved_code() -> None:
    """One that was made of data may be a patient."""
    hostile = EngineAsset(
        name="heart/cohort",
        step="heart__cohort",
        columns=(("age", CANARY), (CANARY, "int64"), ("ag", "int64"), ("died", "decimal(10, 2)")),
        sources={
            "age": (("whas500", CANARY), ("whas500", "age"), (CANARY, "age")),
            CANARY: (("whas500", "age"),),
            "died": (),
        },
        inputs={CANARY: None, "heart/older": None},
    )
    unplanned = replace(COHORT, name=f"heart/{CANARY}")
    [found] = told([hostile, unplanned], in_code, KNOWN)
    assert found.inputs == {"heart/older": None}
    assert found.columns == (("age", None), ("died", "decimal(10, 2)"))
    assert found.sources == {"age": (("whas500", "age"),)}
    bare = EngineAsset(name="heart/cohort", step="a")
    assert told([bare], in_code, KNOWN) == (bare,)
    assert names_in([TABLE]) == {"heart/table", "heart/cohort", "heart/older"}


names = st.one_of(st.text(max_size=LONGEST + 5), st.sampled_from(["age", "died", "group"]))


@given(
    st.lists(st.tuples(names, st.none() | names), max_size=8),
    st.dictionaries(names, st.lists(st.tuples(st.just("whas500"), names), max_size=4).map(tuple), max_size=8),
)
def test_nothing_but_words_of_the_code_is_ever_told(columns: Any, sources: Any) -> None:
    """Whatever project code says."""
    [found] = told([replace(COHORT, columns=tuple(columns), sources=sources)], in_code, KNOWN)
    told_names = {name for name, _ in found.columns} | found.sources.keys()
    told_names |= {field for each in found.sources.values() for _, field in each}
    assert in_code(told_names) == told_names
    assert all(name.isprintable() and len(name) <= LONGEST for name in told_names)


def test_how_much_is_told_is_bounded() -> None:
    """The events lie in the database, and go to a collector."""
    many = tuple(("whas500", "age") for _ in range(MOST_SOURCES))
    wide = replace(
        COHORT,
        columns=(("age", "int64"),) * (MOST_COLUMNS + 1),
        sources={f"c{number}": many for number in range(MOST_COLUMNS + 1)},
    )
    [found] = told([wide], frozenset, KNOWN)
    assert len(found.columns) == MOST_COLUMNS
    assert sum(map(len, found.sources.values())) == MOST_SOURCES


def test_of_several_partitions_there_is_no_count_of_rows() -> None:
    """The last one's would look like that of the whole."""
    assert COHORT.without_rows() == replace(COHORT, rows=None)


def test_a_version_in_project_codes_own_words_is_not_told() -> None:
    """Dagster lets code name one as it likes."""
    assert told_version("f" * 64) == "f" * 64
    assert told_version(CANARY) is None
    assert told_version(7) is None
