"""Serving a node: the control processes, and the pools of worker processes."""

from phems.serve.node import ServingNode

__all__ = ["ServingNode"]
