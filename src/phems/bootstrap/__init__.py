"""The only place that wires ports to adapters.

`node` wires a node's use cases over its database: what the command line needs. `control_plane` wires
the engine on top of them: what `phems serve` runs. The second is imported by those who serve alone,
because it brings Dagster with it.
"""

from phems.bootstrap.node import Node
from phems.bootstrap.opening import open_node, started_node

__all__ = ["Node", "open_node", "started_node"]
