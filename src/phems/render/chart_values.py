"""The values of the chart `phems-node`: what they are, and those that a node spec gives.

The chart's `values.schema.json` is this model's schema, so that Helm refuses what the templates do not read.
Nothing of a node is decided in the chart: what node.yaml says is in the values, worked out.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from ruamel.yaml.scalarstring import LiteralScalarString

from phems.contract.host_pod import PORT
from phems.errors import InputError
from phems.nodespec import NodeSpec, node_paths
from phems.nodespec.broker import vhost_of
from phems.nodespec.kubernetes_names import ImageByDigest, ObjectName
from phems.nodespec.names import refuse
from phems.nodespec.quantities import BytesQuantity, CpuQuantity, amount
from phems.nodespec.workers import metrics_ports
from phems.render.compose import NODE_FOLDER
from phems.render.environment import certificates_of, variables_of
from phems.render.project_objects import STORAGE_PORTS, project_objects
from phems.render.systemd import pools_of
from phems.render.yaml_text import yaml_text


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)


class Amounts(_Values):
    """CPU and memory."""

    cpu: CpuQuantity
    memory: BytesQuantity


class Resources(_Values):
    """What a container is promised, and may use."""

    requests: Amounts
    limits: Amounts

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in Amounts.model_fields:
            asked, most = getattr(self.requests, name), getattr(self.limits, name)
            if amount(asked) > amount(most):
                raise refuse(
                    f"requests.{name} is {asked}, and limits.{name} is {most}",
                    why="no pod may be given more than its limit",
                    remedy=f"lower the request, or raise limits.{name}",
                )
        return self


WORKER = Resources(requests=Amounts(cpu="250m", memory="256Mi"), limits=Amounts(cpu="2", memory="2Gi"))
DRAIN_SECONDS = 3600


class Image(_Values):
    """The image of the node's own processes."""

    control: ImageByDigest | Literal[""] = Field(
        default="",
        description="The image of the node's own processes, by digest; given at installation.",
    )
    pull_secret: ObjectName | None = Field(
        default=None, description="The Secret that it is fetched with, in the node's namespace."
    )


class Certificate(_Values):
    """A file of a certificate or key."""

    path: str = Field(description="Where node.yaml looks for it, in the containers.")
    key: str = Field(description="Its key in the Secret secrets.files.")


class Node(_Values):
    """What the processes read."""

    name: str = Field(description="node.name.")
    namespace: ObjectName = Field(description="kubernetes.control_namespace: where it is installed.")
    storage_port: int = Field(description="The first of the workers' ports that the pods of steps reach.")
    last_storage_port: int = Field(description="The last of them: each project of a pool has one.")
    host_port: int | None = Field(
        default=None,
        description="The port of the pods that load definitions; null: the control processes load them.",
    )
    metrics_port: int | None = Field(
        default=None, description="The first port where workers tell Prometheus their numbers; null: nowhere."
    )
    last_metrics_port: int | None = Field(default=None, description="The last of them.")
    folder: str = Field(description="Where node.yaml lies in the containers.")
    file: str = Field(description="node.yaml, as it is.")
    data_folder: str = Field(description="data_dir, in the containers.")
    release_folder: str = Field(description="release_zone, in the containers.")
    variables: tuple[str, ...] = Field(
        default=(), description="What node.yaml reads as env:NAME: keys of the Secret secrets.environment."
    )
    certificates: tuple[Certificate, ...] = Field(
        default=(), description="The certificates and keys that node.yaml names: of the Secret secrets.files."
    )


class Secrets(_Values):
    """Secrets of the node's namespace, made by the operator and by nobody else."""

    environment: ObjectName = Field(
        default="phems-environment", description="Has a key for each of node.variables."
    )
    files: ObjectName = Field(
        default="phems-files",
        description="Has a key for each of node.certificates: gateway.tls and the like.",
    )
    setup: ObjectName = Field(
        default="phems-setup",
        description="Has PHEMS_DB_ADMIN and PHEMS_BROKER_ADMIN, for the Job that prepares both alone.",
    )


class Volumes(_Values):
    """PersistentVolumeClaims of the node's namespace, made by the operator: several pods write them."""

    data: ObjectName = Field(default="phems-data", description="For data_dir; ReadWriteMany.")
    releases: ObjectName = Field(default="phems-releases", description="For release_zone; ReadWriteMany.")


class Control(_Values):
    """The control processes: one drives the runs, the others wait to take over; all answer people."""

    replicas: Annotated[int, Field(ge=1, le=9)] = 2
    namespaces: bool = Field(
        default=False,
        description="Let their pods make namespaces, in a user namespace of their own: for the sandboxes of "
        "output checks, of MLflow's servers, and of definitions where node.yaml has no kubernetes.hosts.",
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(description="gateway.port.")
    scheme: Literal["HTTP", "HTTPS"] = Field(description="HTTPS where node.yaml has gateway.tls.")
    resources: Resources = Resources(
        requests=Amounts(cpu="250m", memory="512Mi"), limits=Amounts(cpu="2", memory="2Gi")
    )


class Autoscaling(_Values):
    """More workers while steps wait in the projects' queues; needs KEDA in the cluster."""

    max_replicas: Annotated[int, Field(ge=1, le=100)]
    waiting: Annotated[int, Field(ge=1)] = Field(
        default=10, description="So many waiting steps for each further worker."
    )
    authentication: ObjectName = Field(
        description="A TriggerAuthentication of KEDA's: gives `host`, the broker by a login that may "
        "the queues."
    )


class Workers(_Values):
    """A pool: each worker carries out steps of the pool's projects, in Jobs."""

    pool: str
    replicas: Annotated[int, Field(ge=0, le=100)]
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Steps of one project at once in a worker; null: queue.concurrency."
    )
    drain_seconds: Annotated[int, Field(ge=1)] = Field(
        description="How long a worker that is stopped may finish its steps."
    )
    namespaces: bool = Field(
        default=False,
        description="As those of control: for the sandboxes of MLflow's servers, which steps of its "
        "projects ask.",
    )
    autoscaling: Autoscaling | None = None
    resources: Resources


class ProjectNamespace(_Values):
    """A project's namespace: `objects` are what `phems render manifests` writes."""

    name: str
    pool: str
    vhost: str = Field(description="Of the broker: where the project's queue is.")
    objects: tuple[dict[str, Any], ...]


class Monitoring(_Values):
    """What watches the node."""

    pod_monitor: bool = Field(default=False, description="A PodMonitor for the Prometheus Operator.")
    interval: str = "30s"
    prometheus_rule: bool = Field(
        default=False, description="A PrometheusRule with the alerts of `phems render monitoring`."
    )
    token_secret: ObjectName = Field(
        default="phems-metrics",
        description="Has a key `token` for /metrics: that of gateway.metrics, which workers take alone.",
    )


class NetworkPolicies(_Values):
    """Who reaches the control processes, and whom they reach; rules as Kubernetes writes them."""

    enabled: bool = True
    gateway_from: tuple[dict[str, Any], ...] = Field(
        default=(), description="Peers that may reach the gateway, such as an ingress controller; none: all."
    )
    egress: tuple[dict[str, Any], ...] = Field(
        default=(),
        description="Egress rules of the node's pods: Postgres, RabbitMQ, S3, code, API server; none: all.",
    )


class CodePipeline(_Values):
    """A project whose approved code is brought in step: the chart phems-code is given it by Argo CD."""

    project: str
    repo: str = Field(description="Its Code Repo, as node.yaml names it: the node fetches from there.")
    branch: str


class ChartValues(_Values):
    """The values of the charts phems-node and phems-code: both are given the same."""

    node: Node
    image: Image = Image()
    secrets: Secrets = Secrets()
    volumes: Volumes = Volumes()
    control: Control
    workers: tuple[Workers, ...]
    projects: tuple[ProjectNamespace, ...]
    monitoring: Monitoring = Monitoring()
    network_policies: NetworkPolicies = NetworkPolicies()
    code: CodePipeline | None = Field(
        default=None, description="Of the chart phems-code; phems-node does not read it."
    )
    setup: bool = Field(
        default=True, description="Prepare database and broker before each installation and upgrade."
    )


def chart_values(spec: NodeSpec, file: str) -> ChartValues:
    """The values of a node: `file` is its node.yaml. What is not node.yaml's has the chart's default."""
    cluster = spec.kubernetes
    if spec.profile != "kubernetes" or cluster is None:
        raise InputError(
            f"A node of the profile {spec.profile} runs on no cluster.",
            why="The chart installs nodes of the profile kubernetes.",
            remedy="Set profile: kubernetes in node.yaml, with a section kubernetes.",
        )
    paths = node_paths(spec, NODE_FOLDER, uid=0)
    metrics = metrics_ports(spec)
    return ChartValues(
        node=Node(
            name=spec.node.name,
            namespace=cluster.control_namespace,
            storage_port=STORAGE_PORTS[0],
            last_storage_port=STORAGE_PORTS[-1],
            host_port=PORT if cluster.hosts is not None else None,
            metrics_port=next(iter(metrics), None),
            last_metrics_port=next(reversed(metrics), None),
            folder=str(NODE_FOLDER),
            file=file,
            data_folder=str(paths.data_dir),
            release_folder=str(paths.release_zone),
            variables=tuple(variables_of(spec)),
            certificates=tuple(
                Certificate(path=str(paths.resolve(name)), key=_key_of(name))
                for name in certificates_of(spec)
            ),
        ),
        control=Control(port=spec.gateway.port, scheme="HTTPS" if spec.gateway.tls is not None else "HTTP"),
        workers=tuple(
            Workers(pool=pool, replicas=1, drain_seconds=DRAIN_SECONDS, resources=WORKER)
            for pool in pools_of(spec)
        ),
        projects=tuple(
            ProjectNamespace(
                name=name,
                pool=project.queue.pool,
                vhost=vhost_of(spec.node.name, name),
                objects=tuple(project_objects(spec, name)),
            )
            for name, project in sorted(spec.projects.items())
        ),
    )


def values_text(values: ChartValues) -> str:
    """The values as YAML, without those that are the chart's own defaults."""
    document = values.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document["node"]["file"] = LiteralScalarString(values.node.file)
    return yaml_text(document)


def values_schema() -> dict[str, Any]:
    """The JSON Schema of the values, as Helm reads it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ChartValues.model_json_schema(by_alias=True, mode="validation"),
    }


def _key_of(path: str) -> str:
    """A path as a key of a Secret, which has no slashes: tls/gateway.crt is tls_gateway.crt."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", path).strip("_")
