"""What a node's work costs as the node grows: `python -m benchmarks.growth`."""
