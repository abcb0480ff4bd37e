"""Speed and memory of the node, measured beside stock Dagster of the same version in one invocation.

Run by `python -m benchmarks`, which is what `make bench` calls; `results.md` tells how it measures.
"""
