"""The one machine of the small cluster, and the controller of its Jobs: pods are real sandboxed processes.

A pod's process runs under bubblewrap as the pod says: its user, its volumes, a root that cannot be written,
no network but what policies open (`stub_network`). Its image is the Python that the tests run with. One that
takes more memory than its limit is killed; one that is deleted gets SIGTERM, and SIGKILL after its grace.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from stub_network import PodNetwork, open_ports, shown_port
from stub_store import AnswerError, Object, Store

from phems.adapters.sandbox import walls
from phems.adapters.sandbox.environment import python_folders
from phems.nodespec.quantities import amount

LOOK_SECONDS = 0.02
NO_IMAGE = "ErrImagePull"
IMAGE_PYTHON = Path(sys.executable)


class Machine:
    """Runs the pods of a store; `folder` has claims and Secrets, `image` is the one that can be fetched."""

    def __init__(self, store: Store, folder: Path, image: str) -> None:
        self._store = store
        self._folder = folder
        self._image = image
        bwrap = walls.find()
        assert bwrap is not None, "bubblewrap does not work here"
        self._bwrap = bwrap
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._is_closed = False
        self.exposed: dict[int, int] = {}
        """The ports of pods that Services show, and where they are reached on this machine."""
        store.on_event.append(self._hear)

    def close(self) -> None:
        """End what runs."""
        self._is_closed = True
        for process in list(self._processes.values()):
            process.kill()

    def _hear(self, what: str, kind: str, found: Object) -> None:
        if (what, kind) == ("ADDED", "jobs"):
            self._create_pod(found)
            seconds = found["spec"]["activeDeadlineSeconds"]
            timer = threading.Timer(seconds, self._overdue, [found])
            timer.daemon = True
            timer.start()
        elif (what, kind) == ("ADDED", "deployments"):
            self._create_pod_of(found)
        elif (what, kind) == ("ADDED", "pods"):
            threading.Thread(target=self._run, args=(found,), daemon=True).start()
        elif kind == "pods" and _owner(found)["kind"] == "Deployment":
            if what == "DELETED":
                self._replace(found)
        elif kind == "pods" and (what == "DELETED" or _phase(found) in {"Succeeded", "Failed"}):
            self._end_job(found)
            if "deletionTimestamp" in found["metadata"]:
                self._store.remove("pods", found["metadata"]["namespace"], found["metadata"]["name"])

    def _create_pod(self, job: Object) -> None:
        meta, template = job["metadata"], job["spec"]["template"]
        labels = {"batch.kubernetes.io/job-name": meta["name"], "job-name": meta["name"]}
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{meta['name']}-",
                "labels": {**template["metadata"]["labels"], **labels},
                "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending", "conditions": []},
        }
        self._store.create("pods", meta["namespace"], pod)

    def _create_pod_of(self, deployment: Object) -> None:
        meta, template = deployment["metadata"], deployment["spec"]["template"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{meta['name']}-",
                "labels": dict(template["metadata"]["labels"]),
                "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending", "conditions": []},
        }
        self._store.create("pods", meta["namespace"], pod)

    def _replace(self, pod: Object) -> None:
        at = ("deployments", pod["metadata"]["namespace"], _owner(pod)["name"])
        deployment = self._store.objects.get(at)
        if deployment is not None and not self._is_closed:
            self._create_pod_of(deployment)

    def _end_job(self, pod: Object) -> None:
        namespace, owner = pod["metadata"]["namespace"], pod["metadata"]["ownerReferences"][0]
        if _phase(pod) == "Succeeded":
            self._conclude(namespace, owner["name"], "Complete", "CompletionsReached")
        else:
            self._conclude(namespace, owner["name"], "Failed", "PodFailurePolicy")

    def _overdue(self, job: Object) -> None:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        self._conclude(namespace, name, "Failed", "DeadlineExceeded")
        for pod in self._store.list("pods", namespace, f"job-name={name}")[0]:
            if _phase(pod) in {"Pending", "Running"}:
                self._store.delete("pods", namespace, pod["metadata"]["name"])

    def _conclude(self, namespace: str, name: str, kind: str, reason: str) -> None:
        def conclude(job: Object) -> None:
            conditions = job.setdefault("status", {}).setdefault("conditions", [])
            if not conditions:
                conditions.append({"type": kind, "status": "True", "reason": reason})

        self._store.change("jobs", namespace, name, conclude)

    def _run(self, pod: Object) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        (container,) = pod["spec"]["containers"]
        hindrance = self._hindrance(container)
        if hindrance:
            self._store.change("pods", namespace, name, lambda each: each["status"].update(hindrance))
            self._wait_until_deleted(namespace, name)
        elif (arguments := self._set_up(namespace, name, pod, container)) is not None:
            self._execute(namespace, name, pod, container, arguments)
            while pod["spec"]["restartPolicy"] == "Always" and not self._is_gone(namespace, name):
                self._execute(namespace, name, pod, container, arguments)
        if self._is_deleted(namespace, name):
            self._store.remove("pods", namespace, name)

    def _hindrance(self, container: Object) -> Object:
        asked = amount(container["resources"]["requests"]["memory"])
        if asked > psutil.virtual_memory().total:
            message = "0/1 nodes are available: 1 Insufficient memory."
            why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            return {"conditions": [why]}
        if container["image"] != self._image:
            waiting = {"reason": NO_IMAGE, "message": f"failed to pull {container['image']}"}
            return {"containerStatuses": [{"name": container["name"], "state": {"waiting": waiting}}]}
        return {}

    def _set_up(self, namespace: str, name: str, pod: Object, container: Object) -> list[str] | None:
        """The sandbox, once its volumes are there; None when the pod is deleted before."""
        while self._volumes_are_there(namespace, name, pod["spec"]["volumes"]):
            with suppress(AnswerError):  # its Secret went in between: it is waited for again
                return self._arguments(namespace, pod, container)
        return None

    def _volumes_are_there(self, namespace: str, name: str, volumes: list[Object]) -> bool:
        """Wait for the pod's Secret and claims, as a kubelet does; False when it is deleted before."""
        claims = [each["persistentVolumeClaim"] for each in volumes if "persistentVolumeClaim" in each]
        needed = [("persistentvolumeclaims", claim["claimName"]) for claim in claims]
        needed += [
            ("secrets", source["secret"]["name"])
            for each in volumes
            for source in each.get("projected", {}).get("sources", ())
        ]
        with self._store.changed:
            while not self._is_deleted(namespace, name):
                if all((kind, namespace, of) in self._store.objects for kind, of in needed):
                    return True
                self._store.changed.wait()
        return False

    def _execute(
        self, namespace: str, name: str, pod: Object, container: Object, arguments: list[str]
    ) -> None:
        labels = pod["metadata"]["labels"]
        door = shown_port(self._store, namespace, labels)
        network = PodNetwork(
            open_ports(self._store, namespace, labels),
            (door, self.exposed[door]) if door is not None else None,
        )
        command = [self._bwrap, *arguments, *network.command]
        command += [word.replace("$$", "$") for word in container["command"]]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=network.inherited
        )
        network.serve()
        self._processes[name] = process
        self._store.change("pods", namespace, name, lambda each: each["status"].update(phase="Running"))
        killed_for = self._watch(namespace, name, pod, container, process)
        code = process.wait()
        network.close()
        del self._processes[name]
        code = 128 - code if code < 0 else code
        reason = killed_for or ("Completed" if code == 0 else "Error")
        ended = {"name": container["name"], "state": {"terminated": {"exitCode": code, "reason": reason}}}
        phase = "Succeeded" if code == 0 else "Failed"
        told = {"phase": phase, "containerStatuses": [ended]}
        self._store.change("pods", namespace, name, lambda each: each["status"].update(told))

    def _watch(
        self, namespace: str, name: str, pod: Object, container: Object, process: subprocess.Popen[bytes]
    ) -> str:
        """Until the process has ended; why it was killed, if for its memory."""
        most = amount(container["resources"]["limits"]["memory"])
        deadline = None
        while process.poll() is None:
            if sum(_rss(each) for each in _tree(process.pid)) > most:
                _end(process.pid, signal.SIGKILL)
                return "OOMKilled"
            if self._is_deleted(namespace, name) and deadline is None:
                _tell(process.pid)
                deadline = time.monotonic() + pod["spec"]["terminationGracePeriodSeconds"]
            if deadline is not None and time.monotonic() > deadline:
                process.kill()
            with self._store.changed:
                self._store.changed.wait(LOOK_SECONDS)
        return ""

    def _arguments(self, namespace: str, pod: Object, container: Object) -> list[str]:
        volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
        mounts = walls.system_mounts(python_folders(IMAGE_PYTHON))
        mounts += ["--setenv", "PATH", f"{IMAGE_PYTHON.parent}:/usr/bin:/bin"]
        for mount in container["volumeMounts"]:
            outside = self._outside(namespace, volumes[mount["name"]])
            if outside is None:
                continue  # /tmp, which every sandbox has
            outside = outside / mount.get("subPath", ".")
            mounts += ["--ro-bind" if mount.get("readOnly") else "--bind", str(outside), mount["mountPath"]]
        for each in container["env"]:
            mounts += ["--setenv", each["name"], each["value"].replace("$$", "$")]
        user = str(pod["spec"]["securityContext"]["runAsUser"])
        namespaces = [*walls.CLOSED_NAMESPACES, "--uid", user, "--gid", user]
        return walls.enclosed(mounts, folder=container["workingDir"], namespaces=namespaces)

    def _outside(self, namespace: str, volume: Object) -> Path | None:
        if "persistentVolumeClaim" in volume:
            return self.claim(namespace, volume["persistentVolumeClaim"]["claimName"])
        if "projected" not in volume:
            return None
        name = volume["projected"]["sources"][0]["secret"]["name"]
        folder = self._folder / namespace / "secrets" / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in self._store.get("secrets", namespace, name)["data"].items():
            (folder / key).write_bytes(base64.b64decode(value))
        return folder

    def bind(self, namespace: str, name: str, folder: Path) -> None:
        """Let a claim be a folder that is there."""
        place = self._folder / namespace / "claims" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(folder)

    def claim(self, namespace: str, name: str) -> Path:
        """The folder of a claim."""
        folder = self._folder / namespace / "claims" / name
        if not folder.is_symlink():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)
        return folder

    def _is_gone(self, namespace: str, name: str) -> bool:
        return self._is_closed or self._is_deleted(namespace, name)

    def _is_deleted(self, namespace: str, name: str) -> bool:
        found = self._store.objects.get(("pods", namespace, name))
        return found is None or "deletionTimestamp" in found["metadata"]

    def _wait_until_deleted(self, namespace: str, name: str) -> None:
        with self._store.changed:
            while not self._is_deleted(namespace, name):
                self._store.changed.wait()


def _owner(found: Object) -> Object:
    owner: Object = found["metadata"]["ownerReferences"][0]
    return owner


def _phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase"))


def _tree(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.Error):
        yield from psutil.Process(pid).children(recursive=True)


def _rss(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        found: Any = process.memory_info().rss
        return int(found)
    return 0


def _tell(pid: int) -> None:
    """Send SIGTERM to the first process of the pod, as a kubelet does: the others are its own to tell."""
    for process in _tree(pid):
        with suppress(psutil.Error):
            if process.name() != "bwrap":
                process.terminate()
                return


def _end(pid: int, number: int) -> None:
    """Signal what runs in the sandbox, and not the sandbox itself: it says how that ended."""
    for process in reversed(list(_tree(pid))):
        with suppress(ProcessLookupError, psutil.Error):
            if process.name() != "bwrap":
                os.kill(process.pid, number)
