"""The project host: loads a project's definitions once, serves them, forks its steps."""
