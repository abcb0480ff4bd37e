"""Runs step attempts as Kubernetes Jobs: creates them, watches them, says how they ended.

It starts and kills as `engine.worker.Worker` does; in the place of a project host there is a namespace. What
the cluster says is read from two pictures that are kept up to date (`ListWatch`), of Jobs and of pods.
An attempt ends once: when its Job has, when its pod does not start in time, when its Job is gone, or when
the cluster has been silent for too long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from phems.adapters.kubernetes.api import ClusterApi, Object
from phems.adapters.kubernetes.job_creation import JobCreation, Manifest
from phems.adapters.kubernetes.list_watch import ListWatch
from phems.adapters.kubernetes.pod_ends import JOB_REASONS, JobEnd, end_of, hindrance_of
from phems.adapters.kubernetes.running_jobs import (
    JOB_OF_POD,
    STOPPED,
    RunningJob,
    StepManifests,
    job_of_pod,
    selector_of,
    step_end,
    told,
)
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.warm_pods import WaitingPod
from phems.errors import ConflictError, PhemsError
from phems.nodespec.kubernetes import Kubernetes
from phems.render.step_job import ATTEMPT_LABEL
from phems.render.warm_job import WORKER_LABEL

_LOG = logging.getLogger("phems.kubernetes")
UNSEEN_SECONDS = 15.0


@dataclass(frozen=True)
class Live:
    """What Jobs are answered for: by name those of held attempts, and by label warm ones of other workers."""

    names: Collection[str]
    other_workers: Collection[str]


class JobRunner:
    """The attempts of one project of this process; `selector` finds their Jobs. `close` once."""

    def __init__(
        self, api: ClusterApi, cluster: Kubernetes, project: str, manifests: StepManifests, selector: str
    ) -> None:
        self._api = api
        self._cluster = cluster
        self._namespace = cluster.namespace_of(project)
        self._manifests = manifests
        self._running: dict[str, RunningJob] = {}
        self._changed = threading.Condition(threading.RLock())
        self._closing = threading.Event()
        self._creation = JobCreation(api, self._namespace, cluster.misses, self._closing)
        self._acts = ThreadPoolExecutor(max_workers=4, thread_name_prefix="phems-jobs")
        self._jobs = self._picture("jobs", selector, lambda job: self._look(job["metadata"]["name"]))
        self._pods = self._picture("pods", selector, self._pod_changed)
        self._tending = threading.Thread(target=self._tend, name="phems-jobs-tend", daemon=True)
        for each in (self._jobs, self._pods, self._tending):
            each.start()

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """Start one attempt, or take up its Job that is there; always True. See `StartTask`."""
        job = self._manifests.job(task)
        running = RunningJob(
            lambda end: on_end(step_end(task, end)),
            time.monotonic(),
            selector_of(job, ATTEMPT_LABEL),
            run_id=task.run_id,
        )
        self._begin(job, lambda uid: self._manifests.secret(task, uid), running)
        return True

    def keep(self, pod: WaitingPod, on_end: Callable[[str], None]) -> None:
        """Have a Job made whose pod waits for an attempt; `on_end` hears why it ended without one."""
        job = self._manifests.warm_job(pod)
        running = RunningJob(lambda end: on_end(end.note), time.monotonic(), selector_of(job, WORKER_LABEL))
        self._begin(job, lambda uid: self._manifests.warm_secret(pod, uid), running)

    def adopt(self, name: str, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """Have a warm Job carry out an attempt, and from now on be as that's own; False when it has ended."""
        with self._changed:
            running = self._running.get(name)
            if running is None or running.is_judged or running.is_killed or self._closing.is_set():
                return False
            running.on_end = lambda end: on_end(step_end(task, end))
            running.run_id = task.run_id
            running.has_started = True  # it has spoken, whatever the picture shows
            running.overdue_at = time.monotonic() + self._cluster.active_deadline_seconds
            self._changed.notify_all()
            return True

    def dismiss(self, name: str) -> None:
        """Delete a warm Job; one that stays is swept."""
        with self._changed:
            running = self._running.get(name)
            if running is None:
                return
            running.is_killed = True
        self._delete(name)
        self._finish(name, STOPPED)

    def _begin(self, job: Manifest, secret: Callable[[str], Manifest], running: RunningJob) -> None:
        name = job["metadata"]["name"]
        with self._changed:
            self._running[name] = running
        try:
            uid = self._creation.job(job)
            self._creation.secret(secret(uid))
        except PhemsError as error:
            if not isinstance(error, ConflictError):  # what is another's stays
                self._delete(name)
            why = JobEnd(1, f"The step could not be started on the cluster. {told(error)}")
            self._finish(name, STOPPED if self._closing.is_set() else why)
            return
        with self._changed:
            was_ended = self._running.get(name) is not running or self._closing.is_set()
            running.uid = uid
            for pod in list(self._pods.objects.values()):  # of a Job that was there already
                if job_of_pod(pod) == name:
                    running.pods.setdefault(pod["metadata"]["name"], pod)
            self._changed.notify_all()
        if was_ended:  # the cluster was given up, or this worker is stopping
            self._delete(name)
            self._finish(name, STOPPED)
        elif running.is_killed:
            self._submit(self._delete, name, wait_for_pods=True)
        self._look(name)

    def kill_run(self, run_id: str) -> None:
        """Delete the Jobs of a run with their pods; asked again until they are gone."""
        with self._changed:
            found = [name for name, each in self._running.items() if each.run_id == run_id]
            for name in found:
                self._running[name].is_killed = True
        for name in found:
            self._submit(self._delete, name, wait_for_pods=True)

    def sweep(self, live: Callable[[], Live]) -> list[str]:
        """Delete the Jobs that nobody answers for; gives their names.

        `live` is asked after the Jobs were looked at: an attempt is held before its Job is made, and a
        worker is known before it makes warm ones.
        """
        found = {name: job for name, job in list(self._jobs.objects.items()) if end_of(job, ()) is None}
        now = live()
        workers = {
            name
            for name, job in found.items()
            if job["metadata"].get("labels", {}).get(WORKER_LABEL) in now.other_workers
        }
        with self._changed:
            orphans = sorted(found.keys() - set(now.names) - workers - self._running.keys())
        for name in orphans:
            _LOG.warning("deleting the Job %s, which no worker answers for", name)
            self._delete(name)
        return orphans

    def wait(self, seconds: float) -> bool:
        """Wait until the cluster has been looked at once."""
        return self._jobs.wait(seconds) and self._pods.wait(seconds)

    def close(self) -> None:
        """End what still runs, as lost, and look no more."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
            left = list(self._running)
        answers = True
        for name in left:
            # A cluster that is away is not waited for: what stays is swept by the next worker.
            answers = answers and self._delete(name)
            self._finish(name, STOPPED)
        self._jobs.close()
        self._pods.close()
        self._tending.join()
        self._acts.shutdown()

    def _picture(self, kind: str, selector: str, on_change: Callable[[Object], None]) -> ListWatch:
        return ListWatch(
            self._api,
            kind,
            self._namespace,
            selector,
            misses=self._cluster.misses,
            on_change=on_change,
            on_silence=self._give_up,
        )

    def _pod_changed(self, pod: Object) -> None:
        name = job_of_pod(pod)
        with self._changed:
            running = self._running.get(name)
            if running is not None:
                running.pods[pod["metadata"]["name"]] = pod
                self._look(name)

    def _look(self, name: str) -> None:
        """Take in what is known of an attempt's Job."""
        with self._changed:
            running = self._running.get(name)
            if running is None or running.uid is None:
                return
            job = self._jobs.objects.get(name)
            if job is None or job["metadata"]["uid"] != running.uid:
                if running.was_seen:
                    self._finish(name, running.gone())
                return
            running.was_seen = True
            if end_of(job, ()) is not None and not running.is_judged:
                running.is_judged = True
                self._submit(self._judge, name, job, running.pods)
                return
            self._look_at_pods(name, running)

    def _look_at_pods(self, name: str, running: RunningJob) -> None:
        pods = running.pods.values()
        running.has_started = running.has_started or any(
            pod.get("status", {}).get("phase") in {"Running", "Succeeded", "Failed"} for pod in pods
        )
        running.hindrance = next(filter(None, map(hindrance_of, pods)), None)
        if running.hindrance is not None and running.hindrance.is_final:
            self._do_not_wait(name, running)

    def _judge(self, name: str, job: Object, pods: dict[str, Object]) -> None:
        """Say how a Job ended; by its pods as they are now, which the picture may not show yet."""
        with suppress(PhemsError):
            fresh, _ = self._api.list("pods", self._namespace, f"{JOB_OF_POD}={name}")
            pods = {**pods, **{pod["metadata"]["name"]: pod for pod in fresh}}
        end = end_of(job, list(pods.values()))
        if end is not None:
            self._finish(name, end)

    def _do_not_wait(self, name: str, running: RunningJob) -> None:
        hindrance = running.hindrance
        note = hindrance.note if hindrance is not None else "The step's pod did not start."
        self._submit(self._delete, name)
        late = f" It was waited for {self._cluster.pending_seconds} s (kubernetes.pending_seconds)."
        self._finish(name, JobEnd(1, note + ("" if hindrance is not None and hindrance.is_final else late)))

    def _give_up(self, error: PhemsError) -> None:
        """The cluster has been silent for so long that nobody knows how its steps are."""
        note = f"The cluster did not answer {self._cluster.misses} times in a row. {told(error)}"
        for name in list(self._running):
            self._finish(name, JobEnd(1, note))

    def _finish(self, name: str, end: JobEnd) -> None:
        with self._changed:
            running = self._running.pop(name, None)
        if running is None:
            return
        running.on_end(end)

    def _submit(self, act: Callable[..., object], *arguments: object, **named: object) -> None:
        with suppress(RuntimeError):  # it is closing
            self._acts.submit(act, *arguments, **named)

    def _delete(self, name: str, *, wait_for_pods: bool = False) -> bool:
        """Once: a Job that stays is asked for again with its run, or swept. Whether it was done."""
        try:
            self._creation.delete_job(name, wait_for_pods=wait_for_pods)
        except PhemsError as error:
            _LOG.warning("the Job %s could not be deleted: %s", name, error.what)
            return False
        return True

    def _tend(self) -> None:
        """See to attempts of which the cluster says nothing."""
        while not self._closing.is_set():
            now = time.monotonic()
            with self._changed:
                waiting = [
                    (name, each) for name, each in self._running.items() if each.uid and not each.has_started
                ]
                late = [each for each in waiting if now - each[1].since >= self._cluster.pending_seconds]
                for name, running in late:
                    self._do_not_wait(name, running)
                self._end_overdue(now)
                unseen = [name for name, each in waiting if not each.was_seen]
                moments = [each.since + self._cluster.pending_seconds - now for _, each in waiting]
                moments += [each.overdue_at - now for each in self._running.values() if each.overdue_at]
                if unseen:
                    moments.append(UNSEEN_SECONDS)
                self._changed.wait(max(0.05, min(moments)) if moments else None)
            for name in unseen:
                self._look_for(name)

    def _end_overdue(self, now: float) -> None:
        """A warm pod's Job has more time than a step may take: it waited before."""
        for name, each in list(self._running.items()):
            if each.overdue_at is not None and now >= each.overdue_at:
                self._submit(self._delete, name)
                self._finish(name, JobEnd(1, JOB_REASONS["DeadlineExceeded"]))

    def _look_for(self, name: str) -> None:
        """An attempt whose Job no picture shows: it may have gone before one was made."""
        running = self._running.get(name)
        if running is None or running.was_seen or time.monotonic() - running.since < UNSEEN_SECONDS:
            return
        with suppress(PhemsError):
            found, _ = self._api.list("jobs", self._namespace, running.selector)
            if all(job["metadata"]["uid"] != running.uid for job in found):
                self._finish(name, running.gone())
