"""Project hosts in the pods of their projects' namespaces: port `SandboxLauncher`. It starts no pod.

Who starts pods is the cluster, by the Deployment of each project; this side connects to them, and asks for
a host of the code revision that is approved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from phems.adapters.host_pods.keys import HostKeys
from phems.adapters.host_pods.pod_host import PodHost
from phems.adapters.host_pods.streams import Streams
from phems.adapters.kubernetes.pod_orders import PLACES
from phems.adapters.sandbox.orders import order_for
from phems.contract.step_order import HostOrder
from phems.engine.sandbox import HostPlan, HostProcess
from phems.errors import UnavailableError
from phems.render.project_pods import CODE, TMP

PODS = "Pod Security restricted, no network, read-only code and data"


class PodHosts:
    """Asks the pods of a cluster for hosts."""

    is_isolating = True

    def __init__(self, address_of: Callable[[str], tuple[str, int]], keys: HostKeys) -> None:
        self._address_of = address_of
        self._keys = keys

    def describe(self) -> str:
        """One line for people."""
        return f"pods of each project: {PODS}"

    def prepare(self, plan: HostPlan) -> None:
        """Nothing: what definitions need is in the image."""

    def start(self, plan: HostPlan) -> HostProcess:
        """Ask for a host; it says by its end when there is no pod to ask."""
        address = self._address_of(plan.project)
        try:
            host = PodHost(plan, pod_order(plan), lambda: Streams(plan.project, address, self._keys))
        except OSError as error:
            raise UnavailableError(
                f"The host of project {plan.project} has no place for its socket.",
                why=str(error),
                remedy=f"See that {plan.host_dir} can be written.",
            ) from error
        host.begin()
        return host


def pod_order(plan: HostPlan) -> HostOrder:
    """The order of a host in a pod; where its sockets and its capability are is the pod's to say."""
    places = replace(PLACES, code=f"{CODE}/{plan.code_digest}", capability_dir=TMP)
    return order_for(replace(plan, fetched_dir=None), places)
