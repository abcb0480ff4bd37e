"""One project's MLflow server: a process of its own in a sandbox. Nothing of the node imports it."""
