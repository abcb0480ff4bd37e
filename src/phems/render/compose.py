"""A compose file of a node: Postgres, RabbitMQ, an S3-compatible server, the control process, the workers.

The services are found under the names that node.yaml has for them, so one node.yaml serves in there and on
machines of one's own. No secret stands in the file: each is a variable that must be set (a file `.env`).
"""

from __future__ import annotations

import ipaddress
import json
import posixpath
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml.scalarstring import LiteralScalarString

from phems.errors import InputError
from phems.nodespec import NodePaths, NodeSpec, node_paths
from phems.nodespec.variables import variable_in
from phems.render.environment import certificates_of, variables_of
from phems.render.systemd import SOCKETS, pools_of
from phems.render.yaml_text import yaml_text

NODE_FOLDER = Path("/node")
POSTGRES_IMAGE = "docker.io/library/postgres:18"
RABBITMQ_IMAGE = "docker.io/library/rabbitmq:4-management"
S3_IMAGE = "docker.io/chrislusf/seaweedfs:3.97"
BASE_IMAGE = "docker.io/library/python:3.12-slim-bookworm"
S3_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")

Service = dict[str, Any]

_FOR_BUBBLEWRAP = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
"""The sandbox of project code makes namespaces and mounts a /proc: a container's own rules forbid both."""


@dataclass(frozen=True)
class Composition:
    """How the containers are made and sized."""

    version: str
    """Of phems-node, which the image is made with."""
    concurrency: int | None = None
    drain_seconds: int = 3600


def compose_text(spec: NodeSpec, wanted: Composition) -> str:
    """The compose file as YAML."""
    return yaml_text(compose_file(spec, wanted))


def compose_file(spec: NodeSpec, wanted: Composition) -> dict[str, Any]:
    """The compose file as plain data; InputError when node.yaml cannot be served in containers."""
    _check(spec)
    paths = node_paths(spec, NODE_FOLDER, uid=0)
    node = _node(spec, paths, wanted)
    services: dict[str, Service] = {"postgres": _postgres(spec), "rabbitmq": _rabbitmq(spec)}
    ready: dict[str, Any] = {"db-init": _done(), "broker-init": _done()}
    if _s3_host(spec) is not None:
        services |= {"s3": _s3(spec), "s3-init": _s3_init(spec)}
        ready["s3-init"] = _done()
    services["db-init"] = {
        **node,
        "command": ["db", "init"],
        "environment": {
            **node["environment"],
            "PHEMS_DB_ADMIN": f"postgresql://postgres:{_secret('PHEMS_POSTGRES_PASSWORD')}@postgres/postgres",
        },
        "restart": "on-failure",
        "depends_on": {"postgres": _healthy()},
    }
    services["broker-init"] = {
        **node,
        "command": ["broker", "init"],
        "environment": {
            **node["environment"],
            "PHEMS_BROKER_ADMIN": f"http://phems:{_secret('PHEMS_RABBITMQ_PASSWORD')}@rabbitmq:15672",
        },
        "restart": "on-failure",
        "depends_on": {"rabbitmq": _healthy()},
    }
    services["control"] = {
        **node,
        "command": ["serve"],
        "ports": [f"{spec.gateway.port}:{spec.gateway.port}"],
        "networks": {"services": {}, "outside": {}},
        "healthcheck": _health(["CMD", "phems", "--node", str(NODE_FOLDER), "status"]),
        "stop_grace_period": "90s",
        "depends_on": ready,
    }
    for pool in pools_of(spec):
        command = ["serve", "--role", "worker", "--pool", pool]
        if wanted.concurrency is not None:
            command += ["--concurrency", str(wanted.concurrency)]
        services[f"worker-{pool}"] = {
            **node,
            "command": command,
            "stop_grace_period": f"{wanted.drain_seconds}s",
            "depends_on": ready,
        }
    return {
        "name": spec.node.name,
        "services": services,
        # Nothing but the control process is reached from outside, or reaches it: it fetches code.
        "networks": {"services": {"internal": True}, "outside": {}},
        "volumes": {name: {} for name in _volumes(services)},
        **({"configs": {"s3-identities": {"content": _identities()}}} if "s3" in services else {}),
    }


def _check(spec: NodeSpec) -> None:
    if spec.profile != "server":
        raise InputError(
            f"A node of the profile {spec.profile} is one process, and needs no compose file.",
            why="Postgres, RabbitMQ and workers are the profile server's.",
            remedy="Set profile: server in node.yaml; see docs/how-to/run-in-containers.md",
        )
    if _is_here(spec.gateway.host):
        raise InputError(
            f"The gateway listens on {spec.gateway.host}, where nobody outside of its container reaches it.",
            why="each container is a machine of its own.",
            remedy="Write gateway: {host: 0.0.0.0, allow_remote: true}, with tls or trusted_proxies.",
        )


def _node(spec: NodeSpec, paths: NodePaths, wanted: Composition) -> Service:
    """What every container of the node has."""
    return {
        "image": f"${{PHEMS_IMAGE:-phems-node:{wanted.version}}}",
        "build": {
            "context": ".",
            "dockerfile_inline": LiteralScalarString(_dockerfile(paths, wanted.version)),
        },
        "environment": _environment(spec),
        "volumes": [
            *(_bind(path, paths) for path in _read(spec, paths)),
            f"data:{paths.data_dir}",
            f"releases:{paths.release_zone}",
        ],
        "tmpfs": [f"{SOCKETS}:mode=1777,exec"],
        "networks": {"services": {}},
        "restart": "unless-stopped",
        "init": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true", *_FOR_BUBBLEWRAP],
        "ulimits": {"nofile": {"soft": 65_536, "hard": 65_536}},
    }


def _read(spec: NodeSpec, paths: NodePaths) -> list[str]:
    """The files and folders that node.yaml names. Not its folder as a whole: `.env` lies there, too."""
    named = [
        "node.yaml",
        *certificates_of(spec),
        *(source.path for source in spec.data_sources.values()),
        *(
            project.code.repo
            for project in spec.projects.values()
            if isinstance(paths.code_repo(project.code), Path) and "://" not in project.code.repo
        ),
    ]
    return list(dict.fromkeys(named))


def _bind(path: str, paths: NodePaths) -> Service:
    source = posixpath.normpath(path)
    here = source if source.startswith(("/", "../")) else f"./{source}"
    return {"type": "bind", "source": here, "target": str(paths.resolve(path)), "read_only": True}


def _environment(spec: NodeSpec) -> dict[str, str]:
    environment = {name: _secret(name) for name in variables_of(spec)}
    if (name := variable_in(spec.database.url)) is not None:
        environment[name] = f"${{{name}:-postgresql://postgres/phems}}"
    s3 = spec.storage.s3
    if s3 is not None and s3.credentials == "env":
        environment["AWS_ACCESS_KEY_ID"] = _secret("PHEMS_S3_ACCESS_KEY")
        environment["AWS_SECRET_ACCESS_KEY"] = _secret("PHEMS_S3_SECRET_KEY")
    return environment


def _dockerfile(paths: NodePaths, version: str) -> str:
    folders = f"{paths.data_dir} {paths.release_zone}"
    packages = "bubblewrap ca-certificates git"
    lines = (
        f"FROM {BASE_IMAGE}",
        f"RUN apt-get update && apt-get install -y --no-install-recommends {packages}",
        f"RUN pip install --no-cache-dir 'phems-node[node]=={version}'",
        f"RUN useradd --create-home --uid 1000 phems && install -d -o phems -g phems {folders}",
        "USER phems",
        f"WORKDIR {NODE_FOLDER}",
        f'ENTRYPOINT ["phems", "--node", "{NODE_FOLDER}"]',
    )
    return "\n".join(lines) + "\n"


def _postgres(spec: NodeSpec) -> Service:
    url = spec.database.url or ""
    alias = (
        None if variable_in(url) is not None else _host(url, "database.url", "postgresql://postgres/phems")
    )
    return {
        "image": POSTGRES_IMAGE,
        "environment": {"POSTGRES_PASSWORD": _secret("PHEMS_POSTGRES_PASSWORD")},
        "volumes": ["postgres:/var/lib/postgresql"],
        "networks": {"services": _aliases(alias)},
        "restart": "unless-stopped",
        "shm_size": "256m",
        "healthcheck": _health(["CMD", "pg_isready", "--username=postgres"]),
        "stop_grace_period": "60s",
    }


def _rabbitmq(spec: NodeSpec) -> Service:
    url = spec.broker.url if spec.broker is not None else ""
    return {
        "image": RABBITMQ_IMAGE,
        # RabbitMQ's node is named after its host: with another name it would not find its data.
        "hostname": "rabbitmq",
        "environment": {
            "RABBITMQ_DEFAULT_USER": "phems",
            "RABBITMQ_DEFAULT_PASS": _secret("PHEMS_RABBITMQ_PASSWORD"),
        },
        "volumes": ["rabbitmq:/var/lib/rabbitmq"],
        "networks": {"services": _aliases(_host(url, "broker.url", "amqp://rabbitmq:5672"))},
        "restart": "unless-stopped",
        "healthcheck": _health(["CMD", "rabbitmq-diagnostics", "--quiet", "check_port_connectivity"]),
        "stop_grace_period": "60s",
    }


def _s3(spec: NodeSpec) -> Service:
    endpoint = str(spec.storage.s3 and spec.storage.s3.endpoint)
    certificate, key = "/tls/s3.crt", "/tls/s3.key"
    return {
        "image": S3_IMAGE,
        "command": [
            "server",
            "-dir=/data",
            "-ip=s3",
            "-ip.bind=0.0.0.0",
            "-s3",
            f"-s3.port={urlsplit(endpoint).port or 443}",
            "-s3.config=/etc/seaweedfs/identities.json",
            f"-s3.cert.file={certificate}",
            f"-s3.key.file={key}",
        ],
        "configs": [{"source": "s3-identities", "target": "/etc/seaweedfs/identities.json"}],
        "volumes": ["s3:/data", f"./tls/s3.crt:{certificate}:ro", f"./tls/s3.key:{key}:ro"],
        "networks": {"services": _aliases(_s3_host(spec))},
        "restart": "unless-stopped",
        "healthcheck": _health(["CMD-SHELL", "wget --quiet --spider http://127.0.0.1:9333/cluster/healthz"]),
        "stop_grace_period": "60s",
    }


def _s3_init(spec: NodeSpec) -> Service:
    s3 = spec.storage.s3
    buckets = [name for name in (s3 and s3.bucket, s3 and s3.release_bucket) if name]
    create = "; ".join(f"echo 's3.bucket.create -name {name}'" for name in buckets)
    return {
        "image": S3_IMAGE,
        "entrypoint": ["/bin/sh", "-c"],
        "command": [f"({create}) | weed shell -master=s3:9333"],
        "networks": {"services": {}},
        "restart": "on-failure",
        "depends_on": {"s3": _healthy()},
    }


def _identities() -> str:
    identity = {
        "name": "phems",
        "credentials": [
            {"accessKey": _secret("PHEMS_S3_ACCESS_KEY"), "secretKey": _secret("PHEMS_S3_SECRET_KEY")}
        ],
        "actions": S3_ACTIONS,
    }
    return json.dumps({"identities": [identity]})


def _s3_host(spec: NodeSpec) -> str | None:
    """The name of the S3 server in node.yaml; None when it has none, or that of a cloud."""
    s3 = spec.storage.s3
    if s3 is None or s3.endpoint is None:
        return None
    return _host(s3.endpoint, "storage.s3.endpoint", "https://s3:8333")


def _host(url: str, key: str, example: str) -> str:
    host = urlsplit(url).hostname or ""
    if _is_here(host) or not host:
        raise InputError(
            f"{key} names no machine but its own.",
            why="each container is a machine of its own, and the service is in another.",
            remedy=f"Write the service's name, as in {example}",
        )
    return host


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return False


def _aliases(host: str | None) -> dict[str, Any]:
    return {"aliases": [host]} if host is not None else {}


def _secret(name: str) -> str:
    return f"${{{name}:?set {name} in .env}}"


def _health(test: Sequence[str]) -> dict[str, Any]:
    return {"test": [*test], "interval": "5s", "timeout": "10s", "retries": 12, "start_period": "30s"}


def _healthy() -> dict[str, str]:
    return {"condition": "service_healthy"}


def _done() -> dict[str, str]:
    return {"condition": "service_completed_successfully"}


def _volumes(services: Mapping[str, Service]) -> list[str]:
    mounted = (volume for service in services.values() for volume in service.get("volumes", ()))
    named = (volume.split(":")[0] for volume in mounted if isinstance(volume, str))
    return sorted({name for name in named if not name.startswith((".", "/"))})
