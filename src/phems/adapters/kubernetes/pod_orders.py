"""What a step's pod is told of its surroundings: a host's order, with every path as the pod has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from phems.adapters.sandbox.orders import Places, order_for
from phems.contract.pod import CAPABILITY_FILE
from phems.contract.step_order import HostOrder
from phems.engine.sandbox import HostPlan
from phems.render.project_pods import ARTIFACTS, CODE, DATA, SECRET, TMP


def _source(name: str, path: Path) -> str:
    return f"{DATA}/{name}{path.suffix}"


PLACES = Places(
    code=CODE,
    host_dir=TMP,
    artifact_dir=ARTIFACTS,
    data_dir=DATA,
    storage_socket="",  # it is reached by TLS
    capability_dir=SECRET,
    source=_source,
)


def pod_order(plan: HostPlan) -> HostOrder:
    """The order of a host whose place a pod takes. Its artifact area is one folder for all: a claim."""
    order = order_for(replace(plan, fetched_dir=None), PLACES)
    return replace(order, capability_file=f"{SECRET}/{CAPABILITY_FILE}")
