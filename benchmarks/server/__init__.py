"""The server profile beside what else carries work over the same broker: `python -m benchmarks.server`."""
