"""Steps as Kubernetes Jobs: pods that have no more than they need, and ends that say why."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from queue import Queue
from typing import Any

import pytest
from api_proxy import Fault
from cluster_site import CAPABILITY, CODE, DIGEST, ClusterSite, Ends, name_of, until

from phems.adapters.kubernetes.job_runner import JobRunner, Live
from phems.engine.warm_pods import WaitingPod
from phems.render.project_objects import WORKER_RIGHTS
from phems.render.warm_job import warm_name

pytestmark = [pytest.mark.integration, pytest.mark.cluster]

WORKS = "pass"
WAITS = "import signal; signal.pause()"
LOOKS_AROUND = f"""
import os, pathlib, socket
assert pathlib.Path("/run/phems/capability").read_text() == {CAPABILITY!r}
assert pathlib.Path("main.py").read_text() == {CODE!r}, "this is not the approved code"
assert {CAPABILITY!r} not in str(os.environ), "the capability is in the environment"
assert not pathlib.Path("/var/run/secrets/kubernetes.io").exists(), "a token of the cluster"
assert os.getuid() != 0 and os.getgid() != 0
for path in ("/code/new", "/new", "/usr/new", "/run/phems/new"):
    try:
        open(path, "w")
    except OSError:
        continue
    raise AssertionError(path + " can be written")
for path in ("/artifacts/new", "/tmp/new"):
    open(path, "w").close()
for address in (("1.1.1.1", 53), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, 2)
    except OSError:
        continue
    raise AssertionError("there is a network")
try:
    socket.getaddrinfo("example.org", 443)
except OSError:
    pass
else:
    raise AssertionError("there is a name service")
"""


def start(cluster: ClusterSite, code: str, step_key: str = "works", **section: Any) -> tuple[Any, Any, Ends]:
    """A runner, and one attempt that was started with it."""
    runner, task, ends = cluster.runner(code, **section), cluster.task(step_key), Ends()
    assert runner.start(task, ends)
    return runner, task, ends


def test_a_step_has_its_code_its_capability_and_nothing_else(cluster: ClusterSite) -> None:
    _, task, ends = start(cluster, LOOKS_AROUND)
    end = ends.next()
    assert (end.status, end.note, end.is_lost) == (0, "", False)
    assert (end.project, end.run_id, end.step_key, end.attempt) == (cluster.namespace, *task.key)


def test_a_step_that_fails_is_told_with_its_exit_code(cluster: ClusterSite) -> None:
    _, task, ends = start(cluster, "raise SystemExit(3)")
    end = ends.next()
    assert (end.status, end.note, end.is_lost) == (3, "", False)
    assert len(cluster.pods_of(task)) == 1, "the attempt was run twice"


def test_a_step_that_takes_too_much_memory_is_told_how_much_it_may(cluster: ClusterSite) -> None:
    """Otherwise people read SIGKILL, and look for an error in their code."""
    code = "kept = [bytearray(b'x' * 2**20) for _ in range(400)]; import signal; signal.pause()"
    _, _, ends = start(cluster, code, "eats")
    end = ends.next()
    assert "64Mi" in end.note
    assert (end.status, end.is_lost) == (-9, False)


def test_a_step_that_takes_too_long_is_ended(cluster: ClusterSite) -> None:
    _, task, ends = start(cluster, WAITS, active_deadline_seconds=1)
    assert "active_deadline_seconds" in ends.next().note
    until(lambda: not cluster.pods_of(task))


def test_a_pod_that_cannot_start_is_waited_for_and_then_says_why(cluster: ClusterSite) -> None:
    """Otherwise a run waits for ever for an image that is not there, or a machine that nobody has."""
    missing = "registry.invalid/none@sha256:" + "f" * 64
    started = [
        (
            start(cluster, WORKS, image=missing, pending_seconds=cluster.patience),
            "its image cannot be fetched",
        ),
        (start(cluster, WORKS, "grows", pending_seconds=cluster.patience), "No machine of the cluster"),
    ]
    for (_, task, ends), words in started:
        note = ends.next().note
        assert words in note
        assert "pending_seconds" in note
        until(lambda task=task: not cluster.pods_of(task))


def test_a_cancelled_run_leaves_no_job_no_pod_and_no_secret(cluster: ClusterSite) -> None:
    runner, task, ends = start(cluster, WAITS)
    until(lambda: [pod["status"]["phase"] for pod in cluster.pods_of(task)] == ["Running"])
    runner.kill_run(task.run_id)
    assert ends.next().status == -15
    until(lambda: not any(cluster.objects(kind) for kind in ("jobs", "pods", "secrets")))


def test_a_pod_that_its_machine_gives_up_is_lost_and_not_failed(cluster: ClusterSite) -> None:
    """The node tries such a step again; Kubernetes itself does not, or there could be two of it."""
    _, task, ends = start(cluster, WAITS)
    until(lambda: [pod["status"]["phase"] for pod in cluster.pods_of(task)] == ["Running"])
    (pod,) = cluster.pods_of(task)
    cluster.evict(pod["metadata"]["name"])
    end = ends.next()
    assert end.is_lost
    assert "being emptied" in end.note
    assert not [each for each in cluster.pods_of(task) if each["metadata"]["uid"] != pod["metadata"]["uid"]]


def test_an_answer_that_is_lost_costs_no_second_job(cluster: ClusterSite) -> None:
    lost = [Fault("POST", "/jobs$", "lost"), Fault("POST", "/secrets$", "lost")]
    cluster.proxy.add(*lost)
    _, task, ends = start(cluster, WORKS)
    assert ends.next().status == 0
    assert cluster.proxy.all_met()
    assert [job["metadata"]["name"] for job in cluster.objects("jobs")] == [name_of(task)]


def test_a_job_of_somebody_else_is_not_taken_for_the_steps_own(cluster: ClusterSite) -> None:
    """It would be handed a capability."""
    runner, task, ends = cluster.runner(WORKS), cluster.task(), Ends()
    job = runner._manifests.job(task)
    foreign = {**job, "metadata": {**job["metadata"], "annotations": {}}}
    cluster.direct.create("jobs", cluster.namespace, foreign)
    runner.start(task, ends)
    assert "There is another Job" in ends.next().note
    assert [each["metadata"]["name"] for each in cluster.objects("jobs")] == [name_of(task)]
    assert not cluster.objects("secrets")


def test_an_api_server_that_has_a_bad_day_fails_no_run(cluster: ClusterSite) -> None:
    """Watches cut, too old, refused for now: the end of the step is heard of all the same."""
    runner, task, ends = start(cluster, WAITS)
    until(lambda: [pod["status"]["phase"] for pod in cluster.pods_of(task)] == ["Running"])
    cluster.proxy.add(
        Fault("GET", "watch=true", "gone", times=2),
        Fault("GET", r"/jobs\?labelSelector=[^&]*$", "status", times=2, status=500),
        Fault("GET", r"/pods\?labelSelector=[^&]*$", "status", status=429, headers={"Retry-After": "0"}),
        Fault("GET", "watch=true", "lost"),
        Fault("GET", "watch=true", "status", times=2, status=200, body=b'{"type": "MODIFIED"}\n'),
        Fault("GET", "watch=true", "status", status=200, body=b'{"type": "MODIFIED", "object": {}}\n'),
        Fault("GET", r"/jobs\?labelSelector=[^&]*$", "status", status=404),
        Fault("GET", r"/jobs\?labelSelector=[^&]*$", "status", status=200, body=b"[]"),
        Fault("GET", r"/jobs\?labelSelector=[^&]*$", "status", status=200, body=b"{}"),
        Fault("POST", "/jobs$", "status", times=2, status=503),
        Fault("POST", "/jobs$", "status", status=429, headers={"Retry-After": "0"}),
        Fault("POST", "/secrets$", "status", status=504),
    )
    cluster.proxy.cut_watches()
    other, others_end = cluster.task(), Ends()
    runner.start(other, others_end)
    until(cluster.proxy.all_met)
    for each, end in ((task, ends), (other, others_end)):
        runner.kill_run(each.run_id)
        assert end.next().status == -15


def test_an_api_server_that_stays_silent_gives_the_steps_up_and_says_so(cluster: ClusterSite) -> None:
    _, task, ends = start(cluster, WAITS, misses=3)
    until(lambda: [pod["status"]["phase"] for pod in cluster.pods_of(task)] == ["Running"])
    cluster.proxy.add(Fault("GET", "", "status", times=1000, status=503))
    cluster.proxy.cut_watches()
    end = ends.next()
    assert "did not answer 3 times in a row" in end.note
    assert "503" in end.note


@pytest.mark.parametrize(
    ("status", "words"), [(403, "service account"), (422, "phems check"), (503, "no: 503")]
)
def test_what_the_cluster_refuses_is_told_with_what_to_do(
    cluster: ClusterSite, status: int, words: str
) -> None:
    cluster.proxy.add(Fault("POST", "/jobs$", "status", times=2, status=status))
    _, _, ends = start(cluster, WORKS, misses=2)
    end = ends.next()
    assert end.note.startswith("The step could not be started on the cluster.")
    assert words in end.note
    assert not cluster.objects("jobs")


def test_a_manifest_that_the_api_server_does_not_take_is_refused_by_it(cluster: ClusterSite) -> None:
    runner, task, ends = cluster.runner(WORKS), cluster.task(), Ends()
    broken = copy.deepcopy(runner._manifests.job(task))
    broken["spec"]["template"]["spec"]["restartPolicy"] = "Sometimes"
    runner._manifests = replace(runner._manifests, job=lambda _task: broken)
    runner.start(task, ends)
    assert "422" in ends.next().note


def test_jobs_that_nobody_answers_for_are_swept_and_no_others(cluster: ClusterSite) -> None:
    """A worker that died leaves its Jobs; those of living workers must not go with them."""
    _, task, ends = start(cluster, WAITS)
    sweeper = cluster.runner(WORKS)
    assert sweeper.wait(60)
    until(lambda: [pod["status"]["phase"] for pod in cluster.pods_of(task)] == ["Running"])
    assert sweeper.sweep(lambda: Live([name_of(task)], ())) == []
    assert sweeper.sweep(lambda: Live((), ())) == [name_of(task)]
    end = ends.next()
    assert end.is_lost
    assert "deleted from the cluster" in end.note


def keep(cluster: ClusterSite, number: int, **section: Any) -> tuple[JobRunner, str, Queue[str]]:
    """A runner, and a warm Job of it that runs."""
    runner, whys = cluster.runner(WAITS, **section), Queue[str]()
    name = warm_name("worker-1", cluster.namespace, number)
    runner.keep(WaitingPod(name, cluster.namespace, DIGEST), whys.put)
    until(lambda: [pod["status"]["phase"] for pod in cluster.objects("pods")] == ["Running"])
    return runner, name, whys


def test_a_warm_job_that_carries_an_attempt_has_the_time_of_that_and_not_of_its_wait(
    cluster: ClusterSite,
) -> None:
    """Its own deadline is longer by the wait: a step that hangs would be let hang for that."""
    runner, name, whys = keep(cluster, 1, active_deadline_seconds=1)
    task, ends = cluster.task(), Ends()
    assert runner.adopt(name, task, ends)
    end = ends.next()
    assert (end.run_id, end.status) == (task.run_id, 1)
    assert "took longer than it may" in end.note
    assert whys.empty()
    until(lambda: not cluster.objects("jobs"))


def test_a_cancelled_run_ends_the_warm_job_that_carries_it(cluster: ClusterSite) -> None:
    runner, name, _ = keep(cluster, 2)
    task, ends = cluster.task(), Ends()
    assert runner.adopt(name, task, ends)
    runner.kill_run(task.run_id)
    assert ends.next().status == -15
    until(lambda: not cluster.objects("jobs"))


def test_warm_jobs_of_workers_that_are_gone_are_swept_and_no_others(cluster: ClusterSite) -> None:
    runner, name, whys = keep(cluster, 3)
    sweeper = cluster.runner(WORKS)
    assert sweeper.wait(60)
    assert sweeper.sweep(lambda: Live((), ["worker-1"])) == []
    assert sweeper.sweep(lambda: Live((), ["worker-2"])) == [name]
    assert "deleted from the cluster" in whys.get(timeout=120)
    assert not runner.adopt(name, cluster.task(), Ends())


def test_a_worker_takes_up_the_job_of_an_attempt_that_is_its_own_now(cluster: ClusterSite) -> None:
    _, task, _ = start(cluster, WAITS)
    second, ends = cluster.runner(WAITS), Ends()
    second.start(task, ends)
    assert len(cluster.objects("jobs")) == 1
    second.kill_run(task.run_id)
    assert ends.next().status == -15


def test_a_worker_that_stops_leaves_no_job(cluster: ClusterSite) -> None:
    runner, _, ends = start(cluster, WAITS)
    runner.close()
    assert ends.next().is_lost
    assert not cluster.objects("jobs")


def test_a_worker_that_stops_while_the_cluster_is_away_loses_its_step_and_fails_it_not(
    cluster: ClusterSite,
) -> None:
    """Another worker takes the step; and this one ends, however long the cluster stays away."""
    cluster.proxy.add(Fault("", "", "status", times=10_000, status=503))
    runner, task, ends = cluster.runner(WORKS, misses=1000), cluster.task(), Ends()
    starting = threading.Thread(target=runner.start, args=(task, ends))
    starting.start()
    until(lambda: cluster.proxy.times_left() < 9_990)
    runner.close()
    starting.join(60)
    assert not starting.is_alive()
    assert ends.next().is_lost


def test_a_worker_needs_no_right_that_its_role_does_not_give(cluster: ClusterSite) -> None:
    """With one too few no step starts on a cluster that asks for rights; and none is given too many."""
    cluster.proxy.asked.clear()
    _, task, _ = start(cluster, WAITS)
    secret = cluster.direct.get("secrets", cluster.namespace, name_of(task))
    cluster.direct.delete("secrets", cluster.namespace, name_of(task), propagation="Background")
    meta = {key: secret["metadata"][key] for key in ("name", "labels", "ownerReferences")}
    of_a_worker_before = {**secret, "metadata": meta, "data": {"capability": "b2xk"}}
    cluster.direct.create("secrets", cluster.namespace, of_a_worker_before)
    second, ends = cluster.runner(WAITS), Ends()
    second.start(task, ends)
    second.kill_run(task.run_id)
    assert ends.next().status == -15
    given = {(verb, each) for rule in WORKER_RIGHTS for each in rule["resources"] for verb in rule["verbs"]}
    until(lambda: given <= cluster.proxy.asked)
    assert cluster.proxy.asked == given
