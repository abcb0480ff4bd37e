"""What a cluster asks of a Job beyond its schema: the Pod Security Standard "restricted", amounts, names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL_VALUE = re.compile(rf"({_NAME})?")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS = {None: 1, "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
# Kinds of volume that "restricted" allows.
_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"),
    "secret",
}


def broken(job: Mapping[str, Any]) -> list[str]:
    """Each rule that a Job breaks, in words."""
    return [*_names(job), *_amounts(job), *_of_a_job(job), *_restricted(job["spec"]["template"]["spec"])]


def broken_by_pod(pod: Mapping[str, Any]) -> list[str]:
    """Each rule of "restricted" that a pod breaks, whoever makes it."""
    return list(_restricted(pod))


def quantity(text: str) -> Decimal:
    """What a quantity amounts to."""
    found = _QUANTITY.fullmatch(text)
    assert found is not None, f"{text} is no quantity"
    return Decimal(found[1]) * _UNITS[found[2]]


def _names(job: Mapping[str, Any]) -> Iterator[str]:
    template = job["spec"]["template"]
    for name in (
        job["metadata"]["name"],
        job["metadata"]["namespace"],
        *(container["name"] for container in template["spec"]["containers"]),
        *(volume["name"] for volume in template["spec"]["volumes"]),
    ):
        if _LABEL.fullmatch(name) is None:
            yield f"{name} is not a name of RFC 1123"
    for labels in (job["metadata"]["labels"], template["metadata"]["labels"]):
        for key, value in labels.items():
            if _LABEL_KEY.fullmatch(key) is None or _LABEL_VALUE.fullmatch(value) is None:
                yield f"{key}={value} is not a label"
    mounted = {mount["name"] for each in template["spec"]["containers"] for mount in each["volumeMounts"]}
    if mounted != {volume["name"] for volume in template["spec"]["volumes"]}:
        yield "what is mounted is not what there is"


def _amounts(job: Mapping[str, Any]) -> Iterator[str]:
    pod = job["spec"]["template"]["spec"]
    for container in pod["containers"]:
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        if set(requests) != set(limits) or set(requests) != {"cpu", "memory", "ephemeral-storage"}:
            yield "not every resource has a request and a limit"
        for name, asked in requests.items():
            if quantity(asked) > quantity(limits[name]):
                yield f"the request of {name} is above its limit"
    for volume in pod["volumes"]:
        if "emptyDir" in volume and not quantity(volume["emptyDir"]["sizeLimit"]):
            yield f"{volume['name']} has no size"


def _of_a_job(job: Mapping[str, Any]) -> Iterator[str]:
    spec = job["spec"]
    if spec["template"]["spec"]["restartPolicy"] != "Never":
        yield "a policy for failures of pods wants restartPolicy Never"
    if spec["backoffLimit"] != 0 or any(
        rule["action"] != "FailJob" for rule in spec["podFailurePolicy"]["rules"]
    ):
        yield "a pod that fails could be followed by another of the same attempt"
    if spec.get("podReplacementPolicy") != "Failed":
        yield "a pod could be replaced while it is still ending"
    if not spec["activeDeadlineSeconds"] or spec["ttlSecondsAfterFinished"] < 0:
        yield "it has no end"


def _restricted(pod: Mapping[str, Any]) -> Iterator[str]:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, and what the node adds to it."""
    for flag in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostAliases"):
        if pod.get(flag):
            yield f"{flag} is set"
    for flag in ("automountServiceAccountToken", "enableServiceLinks"):
        if pod.get(flag) is not False:
            yield f"{flag} is not off"
    for volume in pod["volumes"]:
        yield from _restricted_volume(volume)
    for context in (pod["securityContext"], *(each["securityContext"] for each in pod["containers"])):
        if context.get("runAsNonRoot") is not True or context.get("runAsUser", 1) == 0:
            yield "it may run as root"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield "no system calls are withheld"
    for container in pod["containers"]:
        yield from _restricted_container(container)


def _restricted_volume(volume: Mapping[str, Any]) -> Iterator[str]:
    (kind,) = set(volume) - {"name"}
    if kind not in _VOLUMES:
        yield f"volume {volume['name']} is a {kind}"
    if any(set(source) != {"secret"} for source in volume.get("projected", {}).get("sources", ())):
        yield "something other than the capability is projected"


def _restricted_container(container: Mapping[str, Any]) -> Iterator[str]:
    context = container["securityContext"]
    if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
        yield "it may gain privileges"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "it keeps capabilities"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "it may write its image"
    if any("valueFrom" in variable for variable in container["env"]) or container.get("envFrom"):
        yield "a secret could be in its environment"
