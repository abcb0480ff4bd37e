"""The node spec: `node.yaml` as models, read with line numbers, checked all at once."""

from __future__ import annotations

from phems.nodespec.broker import Broker
from phems.nodespec.check import check_text, inspect_text, parse_node
from phems.nodespec.code import Code, RemoteRepo
from phems.nodespec.database import Database
from phems.nodespec.document import Document
from phems.nodespec.gateway import Gateway
from phems.nodespec.load import FILE_NAME, load_node, read_node_text, spec_file
from phems.nodespec.models import Controller, DataSource, Node, NodeRoles, NodeSpec
from phems.nodespec.output_checks import OutputChecks, Thresholds
from phems.nodespec.paths import NodePaths, node_paths
from phems.nodespec.policies import Policy
from phems.nodespec.problems import Problem, SpecError
from phems.nodespec.projects import DataGrant, Environment, Members, Project, Queue, Resources
from phems.nodespec.schema import node_schema
from phems.nodespec.sizes import format_size, parse_size

__all__ = [
    "FILE_NAME",
    "Broker",
    "Code",
    "Controller",
    "DataGrant",
    "DataSource",
    "Database",
    "Document",
    "Environment",
    "Gateway",
    "Members",
    "Node",
    "NodePaths",
    "NodeRoles",
    "NodeSpec",
    "OutputChecks",
    "Policy",
    "Problem",
    "Project",
    "Queue",
    "RemoteRepo",
    "Resources",
    "SpecError",
    "Thresholds",
    "check_text",
    "format_size",
    "inspect_text",
    "load_node",
    "node_paths",
    "node_schema",
    "parse_node",
    "parse_size",
    "read_node_text",
    "spec_file",
]
