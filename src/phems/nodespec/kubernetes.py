"""The cluster in the node spec: what the pod of a step is, in profile `kubernetes`.

Nothing of a pod is said by code, tags, run configuration or messages: what is not written here, a step
does not get. A step that needs more than the others is given one of `sizes`, by its name, in its project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from phems.contract.host_pod import PORT
from phems.nodespec.base import Section
from phems.nodespec.kubernetes_names import (
    NAMESPACE_OF,
    PROJECT,
    HostAddress,
    ImageByDigest,
    LabelKey,
    LabelValue,
    NamespacePattern,
    ObjectName,
)
from phems.nodespec.names import FromEnvironment, Name, StrictInt, matching, refuse
from phems.nodespec.quantities import BytesQuantity, CpuQuantity, amount

DEFAULT_SIZE = "default"
MOST_WARM = 50
_STEP = r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*"
_DAY = 86_400


class Requests(Section):
    """What a pod is promised, and placed by."""

    cpu: CpuQuantity = Field(default="250m", description="CPUs: 2, 0.5 or 500m.")
    memory: BytesQuantity = Field(default="512Mi", description="Memory: 512Mi, 2Gi.")
    ephemeral_storage: BytesQuantity = Field(
        default="1Gi", description="Disk of the machine, for /tmp and what is printed."
    )


class Limits(Section):
    """What a pod may use at most; one that takes more memory or disk is ended."""

    cpu: CpuQuantity = Field(default="1", description="CPUs.")
    memory: BytesQuantity = Field(default="2Gi", description="Memory.")
    ephemeral_storage: BytesQuantity = Field(default="2Gi", description="Disk of the machine.")


class JobSize(Section):
    """How large the pod of a step is."""

    requests: Requests = Field(default=Requests(), description="What it is promised.")
    limits: Limits = Field(default=Limits(), description="What it may use.")
    tmp: BytesQuantity = Field(
        default="1Gi", description="The size of /tmp, part of limits.ephemeral_storage."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        pairs: Mapping[str, tuple[str, str]] = {
            **{
                f"requests.{name}": (getattr(self.requests, name), getattr(self.limits, name))
                for name in Requests.model_fields
            },
            "tmp": (self.tmp, self.limits.ephemeral_storage),
        }
        for name, (asked, most) in pairs.items():
            limit = "ephemeral_storage" if name == "tmp" else name.partition(".")[2]
            if amount(asked) > amount(most):
                raise refuse(
                    f"{name} is {asked}, and limits.{limit} is {most}",
                    why="no pod may be given more than its limit",
                    remedy=f"lower {name}, or raise limits.{limit}",
                )
        return self


class Toleration(Section):
    """A taint of machines that the pods of steps put up with."""

    key: LabelKey = Field(description="The taint's key.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How its value is compared.")
    value: LabelValue = Field(default="", description="Its value, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(
        default="NoSchedule", description="Its effect."
    )

    @model_validator(mode="after")
    def _a_value_is_compared(self) -> Self:
        if self.operator == "Exists" and self.value:
            raise refuse(
                f"operator Exists compares no value, and value is {self.value}",
                why="the cluster would refuse every pod",
                remedy="take value out, or write operator: Equal",
            )
        return self


class Claims(Section):
    """The PersistentVolumeClaims of each project's namespace, by name."""

    code: ObjectName = Field(
        default="phems-code",
        description="The project's Code Mount: a folder for each approved revision; pods read it.",
    )
    artifacts: ObjectName = Field(
        default="phems-artifacts", description="The project's artifact area; pods write it."
    )
    data: ObjectName | None = Field(
        default=None, description="The project's granted data sources; pods read it. Unset: none."
    )


class Hosts(Section):
    """The pods that load projects' definitions: a Deployment of one in each project's namespace."""

    key: FromEnvironment = Field(
        description="env:NAME of the secret that the keys come of by which control processes and these pods "
        "know each other; 32 characters at least."
    )
    size: Name = Field(
        default=DEFAULT_SIZE,
        description="One of sizes: how large a pod is. Each control process has definitions loaded there.",
    )
    address: HostAddress = Field(
        default=f"phems-host.{NAMESPACE_OF}.svc:{PORT}",
        description="Where control processes reach a project's pod; {namespace} is the project's.",
    )

    def address_in(self, namespace: str) -> tuple[str, int]:
        """Where the pod in this namespace is reached: a name or an IP address, and a port."""
        host, _, port = self.address.replace(NAMESPACE_OF, namespace).rpartition(":")
        return host, int(port)


class Kubernetes(Section):
    """The cluster that steps run on in profile kubernetes: one Job for each attempt of a step."""

    namespace: NamespacePattern = Field(
        default=f"phems-{PROJECT}", description="The namespace of a project; {project} is its name."
    )
    control_namespace: ObjectName = Field(
        default="phems", description="The namespace of the node's own processes, which no project has."
    )
    image: ImageByDigest = Field(
        description="The image that steps run in, by digest; a project may name its own."
    )
    image_pull_secret: ObjectName | None = Field(
        default=None, description="The Secret of each project's namespace that images are fetched with."
    )
    claims: Claims = Field(default=Claims(), description="The volumes of each project's namespace.")
    sizes: dict[Name, JobSize] = Field(
        default={DEFAULT_SIZE: JobSize()},
        description="How large pods may be, by name; the one called default is for steps that name none.",
    )
    node_selector: dict[LabelKey, LabelValue] = Field(
        default={}, description="The labels of the machines that steps may run on."
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(), description="The taints of machines that steps may run on all the same."
    )
    priority_class: ObjectName | None = Field(
        default=None, description="The PriorityClass of the pods; unset: the cluster's default."
    )
    runtime_class: ObjectName | None = Field(
        default=None,
        description="The RuntimeClass of the pods, such as gvisor; unset: the cluster's default.",
    )
    user: StrictInt = Field(
        default=65_532, ge=1, le=2_147_483_647, description="The user and group number that steps run as."
    )
    active_deadline_seconds: StrictInt = Field(
        default=_DAY, ge=1, le=30 * _DAY, description="How long an attempt may take, from its creation."
    )
    pending_seconds: StrictInt = Field(
        default=600,
        ge=1,
        le=_DAY,
        description="How long an attempt may wait for a machine or for its image before the step fails.",
    )
    ttl_seconds: StrictInt = Field(
        default=3600,
        ge=60,
        le=30 * _DAY,
        description="How long a Job is kept after its end, to be looked at.",
    )
    hosts: Hosts | None = Field(
        default=None,
        description="The pods that load projects' definitions; unset: they are loaded in sandboxes beside "
        "the control processes.",
    )
    misses: StrictInt = Field(
        default=10,
        ge=1,
        le=1000,
        description="How many times in a row the API server may fail to answer before steps are given up.",
    )

    def namespace_of(self, project: str) -> str:
        """The namespace of a project."""
        return self.namespace.replace(PROJECT, project)


_step = matching(
    _STEP,
    what="{value} is not the name of an asset or op",
    why="a name has letters, digits and underscores; an asset's key has slashes between its parts",
    remedy="write it as in heart_attack/model",
)


StepName = Annotated[str, AfterValidator(_step), Field(json_schema_extra={"pattern": f"^{_STEP}$"})]
"""An asset by its key, or an op by its name."""


class ProjectKubernetes(Section):
    """A project's own on the cluster."""

    image: ImageByDigest | None = Field(
        default=None, description="The image that its steps run in; unset: kubernetes.image."
    )
    sizes: dict[StepName, Name] = Field(
        default={},
        description="The size of steps that are not of the default one: an asset's key (heart/model) or an "
        "op's name, and one of kubernetes.sizes.",
    )
    warm: StrictInt = Field(
        default=0,
        ge=0,
        le=MOST_WARM,
        description="How many pods of the default size each worker keeps waiting, with the definitions "
        "loaded, for one step each; in profile kubernetes.",
    )

    def size_of(self, step_key: str) -> str:
        """The name of the size that a step runs in."""
        # A branch of a fan-out has its key in brackets; Dagster joins an asset's with two underscores.
        op = step_key.partition("[")[0]
        named = {name.replace("/", "__"): size for name, size in self.sizes.items()}
        return named.get(op, DEFAULT_SIZE)
