"""Checks on the Kubernetes cluster that steps run on: each project's namespace, asked as a worker asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from phems.adapters.kubernetes.api import ClusterApi
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok, skipped
from phems.errors import PhemsError

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
    for project in patient.spec.projects:
        namespace = cluster.namespace_of(project)
        try:
            jobs, _ = api.list("jobs", namespace, "app.kubernetes.io/managed-by=phems")
        except PhemsError as error:
            remedy = error.remedy or "phems render manifests --out DIR; kubectl apply -f DIR"
            yield failed(f"{error.what} {error.why}".strip(), remedy, about=project)
        else:
            yield ok(f"the namespace {namespace} has {len(jobs)} Jobs of this node", about=project)
