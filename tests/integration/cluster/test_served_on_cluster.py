"""A node whose steps are Kubernetes Jobs, served: what people run ends as it does elsewhere, or says why."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import psutil
import pytest
from cluster_site import kubeconfig_of, until
from dagster import DagsterRun, DagsterRunStatus
from served_cluster import (
    DEFINITIONS,
    ORPHAN,
    PROJECT,
    ServedCluster,
    leave_an_orphan,
    make_host_secret,
    served_cluster,
)
from tests.fresh_databases import fresh_database
from tests.nodes import ANALYST, succeeded
from tests.rabbitmq import RabbitMq
from tests.server_stories import kill_workers

from phems.adapters.postgres.database import Database
from phems.bootstrap.doctor.clusters import look_at_cluster
from phems.bootstrap.doctor.findings import Patient, State
from phems.bootstrap.mlflow import MlflowOfSteps
from phems.bootstrap.usage import usage_of
from phems.contract.host_pod import CERTIFICATE_FILE as CERTIFICATE_FILE_OF_HOST
from phems.contract.host_pod import CONTROL_FILE, KEY_FILE
from phems.contract.pod import ADDRESS_FILE, CAPABILITY_FILE, CERTIFICATE_FILE
from phems.engine.hosts import HostState
from phems.engine.tags import MLFLOW_TAG
from phems.errors import ConflictError, RefusedError
from phems.host.connections import tls_connection
from phems.host.storage_client import StorageClient
from phems.nodespec import inspect_text, read_node_text
from phems.nodespec.kubernetes import ProjectKubernetes
from phems.nodespec.projects import Queue
from phems.render.host_objects import HOST

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
    steps = {each["metadata"]["annotations"]["phems/step"] for each in served.of_run("jobs", run.run_id)}
    assert steps == {"makes", "writes"}
    assert served.node.artifact(f"outputs/{run.run_id}/number.txt", PROJECT).read_text() == "21"
    (output,) = served.node.serving.node.outputs.list(ANALYST, PROJECT, run.run_id)
    assert output.size == 2


def test_what_a_pod_used_and_how_long_it_took_is_told(served: ServedCluster, runs: dict[str, str]) -> None:
    """Nobody else would: its machine is the cluster's, and it has no way to a collector."""
    run_id = served.node.finished(runs["two_steps"], SECONDS).run_id
    until(lambda: len(served.collector.of_run(run_id)) == 7)
    told = served.collector.of_run(run_id)
    for step in ("makes 1", "writes 1"):
        pod, worker = told[f"step process {step}"], told[f"step in worker {step}"]
        assert (pod.parent, worker.parent) == (worker.id, told[f"step attempt {step}"].id)
        assert pod.attributes["phems.told.cpu_seconds"] > 0  # type: ignore[operator]
    today = served.node.serving.node.clock.now().date()
    report = usage_of(served.node.serving.node)
    until(lambda: run_id in {run.run for run in report.runs_of([PROJECT], today - timedelta(1), today)})


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


def test_a_step_in_a_pod_logs_to_its_project_s_mlflow(served: ServedCluster) -> None:
    """It has no network but the way to its worker, which asks the server of MLflow for it."""
    run = served.node.run("logged", project=PROJECT, seconds=SECONDS)
    assert succeeded(run), served.node.story(run.run_id) + served.site.worker_log()
    assert served.printed(run.run_id, "logs").startswith("in a pod\n")
    serving = served.node.serving.node
    ask = partial(MlflowOfSteps(serving.mlflow, lambda: serving.spec).ask, PROJECT)
    told = ask("GET", "runs/get", {"run_id": run.tags[MLFLOW_TAG].rpartition("/")[2]})
    assert told is not None
    (metric,) = told["run"]["data"]["metrics"]
    assert (metric["key"], metric["value"]) == ("accuracy", 0.75)


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
    few = {"queue": Queue(concurrency=1), "kubernetes": ProjectKubernetes()}
    project = spec.project(PROJECT).model_copy(update=few)
    small = replace(patient, spec=spec.model_copy(update={"projects": {PROJECT: project}}))
    for run_id in ("first", "second", "third"):
        leave_an_orphan(served.api, served.site, run_id)
    (seen,) = look_at_cluster(small)  # two pods are what one step may have
    assert (seen.state, "quota phems-steps" in seen.remedy) == (State.WARNING, True), seen
    nobody = served.site.folder / "nobody"
    nobody.write_text(json.dumps(kubeconfig_of("http://127.0.0.1:9")))
    monkeypatch.setenv("KUBECONFIG", str(nobody))
    (seen,) = look_at_cluster(patient)
    assert (seen.state, bool(seen.remedy)) == (State.FAILED, True)


def test_a_step_is_carried_by_a_warm_pod_and_another_takes_its_place(served: ServedCluster) -> None:
    """People see that it was, and by which Job: its labels name no run."""
    run = carried_warm(served)
    story = served.node.story(run.run_id)
    (name,) = set(re.findall(r"the Job (warm-[0-9a-f]+) had loaded", story))
    assert not served.of_run("jobs", run.run_id)
    assert served.printed(run.run_id, "carries") == "carried\n"
    assert served.node.artifact(f"outputs/{run.run_id}/carried.txt", PROJECT).read_text() == "1"
    until(lambda: len(running(served)) == 1 and name not in running(served))


def test_a_pod_that_waits_can_ask_for_its_step_and_do_nothing_else(
    served: ServedCluster, runs: dict[str, str]
) -> None:
    """Attack: who has its Secret reads no artifact, run or order, and cannot claim one a second time."""
    until(lambda: served.warm("secrets"))
    (name,) = {each["metadata"]["name"] for each in served.warm("jobs") if not ended(each)}
    secret = served.api.get("secrets", PROJECT, name)
    files = {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}
    until(lambda: name in running(served))
    tries = {
        ("values", "find"): ("outputs/x",),
        ("outputs", "register"): ("outputs/x",),
        ("runs", "has_run"): (runs["two_steps"],),
        ("events", "get_records_for_run"): (runs["two_steps"],),
        ("step", "say"): ("stdout", ""),
        ("capability", "renew"): (),
    }
    for (storage, method), arguments in tries.items():
        with pytest.raises(RefusedError, match="nothing else"):
            called(files, storage, method, arguments)
    until(lambda: has_asked(files))
    with pytest.raises(ConflictError):
        called(files, "step", "next", ("another",))


def test_new_code_replaces_the_pods_that_wait(served: ServedCluster) -> None:
    """Otherwise a step runs code that nobody approved for it, or every step goes cold after a change."""
    (before,) = {each["metadata"]["name"] for each in served.warm() if not ended(each)}
    later = DEFINITIONS.replace("REVISION = 1", "REVISION = 2")
    served.site.commit(PROJECT, {"src/ward/definitions.py": later})
    digest = served.node.approve(PROJECT)
    served.node.ready(PROJECT, digest)
    until(lambda: served.warm() and before not in {each["metadata"]["name"] for each in served.warm()})
    run = carried_warm(served)
    assert served.node.artifact(f"outputs/{run.run_id}/carried.txt", PROJECT).read_text() == "2"


def carried_warm(served: ServedCluster) -> DagsterRun:
    """A run whose step a warm pod has carried out: one that waits is not seen from here, so it is tried."""
    while True:
        until(lambda: bool(running(served)))
        run = served.node.run("carried", project=PROJECT, seconds=SECONDS)
        assert succeeded(run), served.node.story(run.run_id) + served.site.worker_log()
        if "A warm pod carries this step out" in served.node.story(run.run_id):
            return run


def running(served: ServedCluster) -> set[str]:
    """The warm Jobs whose pods run."""
    return {
        pod["metadata"]["labels"]["job-name"]
        for pod in served.warm("pods")
        if pod["status"].get("phase") == "Running"
    }


def ended(job: dict[str, Any]) -> bool:
    return bool(job.get("status", {}).get("conditions"))


def has_asked(files: dict[str, str]) -> bool:
    """Whether the pod itself has: before, there is nothing for anybody to claim."""
    with pytest.raises((ConflictError, RefusedError)) as refusal:
        called(files, "step", "next", ("another",))
    return refusal.type is ConflictError


def called(files: dict[str, str], storage: str, method: str, arguments: tuple[Any, ...]) -> Any:
    """What who has these files of a Secret is answered."""
    connect = tls_connection(files[ADDRESS_FILE], files[CERTIFICATE_FILE])
    with closing(StorageClient(connect, lambda: files[CAPABILITY_FILE])) as client:
        return client.call(storage, method, arguments, {})


def reads_its_run(files: dict[str, str], run_id: str) -> bool:
    """Whether who has these files of a Secret is answered."""
    return bool(called(files, "runs", "has_run", (run_id,)))


def test_a_job_that_no_worker_answers_for_is_swept(served: ServedCluster) -> None:
    """A worker that was killed leaves its Jobs: they would hold what they were given for a day."""
    until(lambda: not served.of_run("jobs", ORPHAN))


def test_project_code_in_its_host_s_pod_finds_nothing_but_its_own(served: ServedCluster) -> None:
    """Attacks 20 and 22 on definitions: no network, token or credential; what is theirs, they read."""
    found = looked_around(served)
    for name in ("network", "node", "code", "artifacts", "deletion"):
        assert not found[name].startswith("done"), found
    assert found["deletion"].startswith("RefusedError")
    assert found["runs"].startswith("done")
    assert found["numbers"] == "done: ['number', '20']"
    assert not found["token"]
    assert found["user"] != 0
    assert found["keys"] == f"done: {sorted([KEY_FILE, CERTIFICATE_FILE_OF_HOST, CONTROL_FILE])}"
    assert not {name for name in found["environment"] if re.search("PHEMS|KUBE|DATABASE|BROKER", name)}


def test_a_host_s_pod_that_is_killed_is_asked_again_and_people_read_why(served: ServedCluster) -> None:
    """The Deployment starts another; until then the node's health says what is away, and runs go on.

    Here the other one waits for its Secret: all that time a run that was queued before is taken up and ends.
    """
    (pod,) = served.host_pods()
    before = served.node.ready(PROJECT)
    control = served.node.serving.control
    control.step_down()
    queued = served.node.launch("carried", project=PROJECT)
    served.api.delete("secrets", PROJECT, HOST, propagation="Background")
    served.api.delete("pods", PROJECT, pod["metadata"]["name"], propagation="Background")
    away = served.node.wait_for(
        lambda: host if (host := served.node.host(PROJECT)) and host.state is HostState.RESTARTING else None,
        "the loss of the host",
    )
    assert "pod of the project's host" in away.error
    assert served.node.run_of(queued).status is DagsterRunStatus.QUEUED
    control.lead()
    assert succeeded(served.node.finished(queued, SECONDS)), served.node.story(queued)
    still_away = served.node.host(PROJECT)
    assert still_away is not None
    assert still_away.state is not HostState.READY
    make_host_secret(served.api, served.site)
    after = served.node.ready(PROJECT, seconds=SECONDS)
    assert after.restarts > before.restarts
    assert not after.error
    (other,) = served.host_pods()
    assert other["metadata"]["name"] != pod["metadata"]["name"]


def test_approved_code_is_loaded_by_a_fresh_process_and_the_old_one_is_gone(served: ServedCluster) -> None:
    served.node.ready(PROJECT, seconds=SECONDS)
    (old,) = host_processes()
    changed = DEFINITIONS.replace("REVISION = 1", "REVISION = 3")
    served.site.commit(PROJECT, {"src/ward/definitions.py": changed})
    digest = served.node.approve(PROJECT)
    served.node.ready(PROJECT, digest, seconds=SECONDS)
    until(lambda: len(host_processes()) == 1)
    assert host_processes() != [old]
    until(lambda: looked_around(served)["version"] == 3)


def looked_around(served: ServedCluster) -> dict[str, Any]:
    """What the project's sensor has found in its last evaluation."""

    def last() -> dict[str, Any] | None:
        instance = served.node.instance
        for state in instance.all_instigator_state():
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1):
                if tick.skip_reason:
                    return dict(json.loads(tick.skip_reason))
        return None

    return served.node.wait_for(last, "an evaluation of the sensor", SECONDS)


def host_processes() -> list[int]:
    """The hosts in pods of this cluster, and no other's: each is started by its pod's first process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            command = process.cmdline()
            if command[1:4] == ["-P", "-m", "phems.host"] and len(command) == 5:
                parent = process.parent()
                if parent is not None and "--hosts" in parent.cmdline():
                    found.append(process.pid)
    return found
