"""The project that both sides run."""
