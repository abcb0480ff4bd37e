"""The channels on which a node's processes tell each other by Postgres NOTIFY that something has changed."""

from __future__ import annotations

CODE_CHANNEL = "phems_code"
"""A project's code revisions; the payload is the project."""
RELEASE_CHANNEL = "phems_release"
POLICY_CHANNEL = "phems_policy"
KILL_CHANNEL = "phems_kill"
"""A run's steps are to end, in every worker; the payload is the run."""
CANCEL_CHANNEL = "phems_cancel"
"""A run is being cancelled: for the process that leads. The payload is run and reason, in JSON."""
QUEUED_CHANNEL = "phems_run_queued"
"""A run was queued: for the process that leads."""
