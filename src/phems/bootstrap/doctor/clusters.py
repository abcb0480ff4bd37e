"""Checks on the Kubernetes cluster that steps run on: each project's namespace, asked as a worker asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from phems.adapters.kubernetes.api import ClusterApi
from phems.adapters.kubernetes.pod_ends import end_of
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok, skipped, warning
from phems.errors import PhemsError
from phems.render.project_objects import pods_at_once

KUBECONFIG_VARIABLE = "KUBECONFIG"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def look_at_cluster(patient: Patient) -> Iterator[Seen]:
    """The API server lists the Jobs of each project's namespace to who runs this."""
    cluster = patient.spec.kubernetes
    if cluster is None:
        return
    named = os.environ.get(KUBECONFIG_VARIABLE)
    if not named and not SERVICE_ACCOUNT.exists():
        yield skipped(
            "only workers see the cluster: look in a worker's pod, or name a kubeconfig in KUBECONFIG"
        )
        return
    api = ClusterApi(Path(named) if named else None)
    for project, settings in patient.spec.projects.items():
        namespace = cluster.namespace_of(project)
        try:
            jobs, _ = api.list("jobs", namespace, "app.kubernetes.io/managed-by=phems")
        except PhemsError as error:
            remedy = error.remedy or "phems render manifests --out DIR; kubectl apply -f DIR"
            yield failed(f"{error.what} {error.why}".strip(), remedy, about=project)
            continue
        open_jobs = sum(end_of(job, ()) is None for job in jobs)
        seen = f"the namespace {namespace} has {len(jobs)} Jobs of this node, {open_jobs} of them not ended"
        room = pods_at_once(settings)
        if open_jobs > room:
            yield warning(
                f"{seen}, and its quota has room for {room} pods",
                "raise the quota phems-steps of the namespace: workers keep kubernetes.warm pods each, "
                "beside those of steps; or have fewer workers serve the project",
                about=project,
            )
        else:
            yield ok(seen, about=project)
