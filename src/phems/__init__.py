"""The PHEMS node: federated health research on Dagster, with a wall, a gate and an audit log."""

__version__ = "0.1.0"
