"""A node whose steps are Kubernetes Jobs, served: what people run ends as it does elsewhere, or says why."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from cluster_site import kubeconfig_of, until
from dagster import DagsterRunStatus
from served_cluster import ORPHAN, PROJECT, ServedCluster, served_cluster
from tests.fresh_databases import fresh_database
from tests.nodes import ANALYST, succeeded
from tests.rabbitmq import RabbitMq
from tests.server_stories import kill_workers

from phems.adapters.postgres.database import Database
from phems.bootstrap.doctor.clusters import look_at_cluster
from phems.bootstrap.doctor.findings import Patient, State
from phems.contract.pod import ADDRESS_FILE, CAPABILITY_FILE, CERTIFICATE_FILE
from phems.errors import RefusedError
from phems.host.connections import tls_connection
from phems.host.storage_client import StorageClient
from phems.nodespec import inspect_text, read_node_text

SECONDS = 120


@pytest.fixture(scope="module")
def served(postgres_server: Database, rabbitmq: RabbitMq) -> Iterator[ServedCluster]:
    """The node, with a run of each job on its way: pods take seconds to begin."""
    with fresh_database(postgres_server) as database, served_cluster(database, rabbitmq) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def runs(served: ServedCluster) -> dict[str, str]:
    """By job, a run that was launched with the others."""
    jobs = ("two_steps", "leaving", "eating", "waiting")
    return {job: served.node.launch(job, project=PROJECT) for job in jobs}


def test_a_run_s_steps_are_jobs_and_it_ends_well(served: ServedCluster, runs: dict[str, str]) -> None:
    """Values go from pod to pod, and an output is on record with its hash: over TLS, through the wall."""
    run = served.node.finished(runs["two_steps"], SECONDS)
    assert succeeded(run), served.node.story(run.run_id) + served.site.worker_log()
    steps = {each["metadata"]["annotations"]["phems/step"] for each in served.objects("jobs")}
    assert {"makes", "writes"} <= steps
    assert served.node.artifact(f"outputs/{run.run_id}/number.txt", PROJECT).read_text() == "21"
    (output,) = served.node.serving.node.outputs.list(ANALYST, PROJECT, run.run_id)
    assert output.size == 2


def test_project_code_in_a_pod_finds_nothing_but_its_own(served: ServedCluster, runs: dict[str, str]) -> None:
    """Attacks 20 and 22 on a cluster: no network, token or credential; foreign calls are refused."""
    run = served.node.finished(runs["two_steps"], SECONDS)
    found = json.loads(served.printed(run.run_id, "makes").splitlines()[0])
    for name in ("network", "node", "code", "run"):
        assert not found[name].startswith("done"), found
    assert found["run"].startswith("RefusedError")
    assert not found["token"]
    assert found["user"] != 0
    assert not {name for name in found["environment"] if re.search("PHEMS|KUBE|DATABASE|BROKER", name)}


def test_a_step_that_leaves_is_told_with_its_exit_code(served: ServedCluster, runs: dict[str, str]) -> None:
    run = served.node.finished(runs["leaving"], SECONDS)
    assert run.status is DagsterRunStatus.FAILURE
    assert "exit code 3" in served.node.story(run.run_id)
    assert "the last words" in served.printed(run.run_id, "leaves")


def test_a_step_that_takes_too_much_memory_says_how_much_it_may(
    served: ServedCluster, runs: dict[str, str]
) -> None:
    """Otherwise people read SIGKILL, and look for an error in their code."""
    run = served.node.finished(runs["eating"], SECONDS)
    assert run.status is DagsterRunStatus.FAILURE
    assert "(64Mi) and was killed (OOMKilled)" in served.node.story(run.run_id)


def test_a_secret_holds_what_a_pod_needs_and_is_worth_nothing_once_the_attempt_is_over(
    served: ServedCluster, runs: dict[str, str]
) -> None:
    """A worker that is killed costs a step one more start; who kept the Secret gets in nowhere with it."""
    run_id = runs["waiting"]
    waiting = served.node.artifact(f"waiting-{run_id}", PROJECT)
    until(waiting.exists)
    (secret,), (job,) = served.of_run("secrets", run_id), served.of_run("jobs", run_id)
    files = {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}
    assert set(files) == {ADDRESS_FILE, CERTIFICATE_FILE, CAPABILITY_FILE}
    assert reads_its_run(files, run_id)
    waiting.unlink()
    kill_workers(served.node)
    with pytest.raises(OSError, match=r"(?i)refused|verify|reset"):
        reads_its_run(files, run_id)
    until(waiting.exists)
    until(
        lambda: job["metadata"]["name"] not in {each["metadata"]["name"] for each in served.objects("jobs")}
    )
    (later,) = served.of_run("jobs", run_id)
    assert later["metadata"]["labels"]["phems/attempt"] != job["metadata"]["labels"]["phems/attempt"]


def test_a_cancelled_run_leaves_nothing_in_the_cluster(served: ServedCluster, runs: dict[str, str]) -> None:
    run_id = runs["waiting"]
    until(served.node.artifact(f"waiting-{run_id}", PROJECT).exists)
    (secret,) = served.of_run("secrets", run_id)
    files = {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}
    served.node.terminate(run_id)
    assert served.node.finished(run_id, SECONDS).status is DagsterRunStatus.CANCELED
    until(lambda: not any(served.of_run(kind, run_id) for kind in ("jobs", "pods", "secrets")))
    with pytest.raises(RefusedError, match="ended"):
        reads_its_run(files, run_id)


def test_the_doctor_sees_the_cluster(served: ServedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    file = served.site.node_folder / "node.yaml"
    spec, document = inspect_text(read_node_text(file), file=str(file))
    assert spec is not None
    patient = Patient(spec, served.node.serving.paths, document)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert [seen.state for seen in look_at_cluster(patient)] == [State.SKIPPED]
    monkeypatch.setenv("KUBECONFIG", served.site.environment["KUBECONFIG"])
    (seen,) = look_at_cluster(patient)
    assert (seen.state, seen.about) == (State.OK, PROJECT)
    nobody = served.site.folder / "nobody"
    nobody.write_text(json.dumps(kubeconfig_of("http://127.0.0.1:9")))
    monkeypatch.setenv("KUBECONFIG", str(nobody))
    (seen,) = look_at_cluster(patient)
    assert (seen.state, bool(seen.remedy)) == (State.FAILED, True)


def reads_its_run(files: dict[str, str], run_id: str) -> bool:
    """Whether who has these files of a Secret is answered."""
    connect = tls_connection(files[ADDRESS_FILE], files[CERTIFICATE_FILE])
    with closing(StorageClient(connect, lambda: files[CAPABILITY_FILE])) as client:
        return bool(client.call("runs", "has_run", (run_id,), {}))


def test_a_job_that_no_worker_answers_for_is_swept(served: ServedCluster) -> None:
    """A worker that was killed leaves its Jobs: they would hold what they were given for a day."""
    until(lambda: not served.of_run("jobs", ORPHAN))
