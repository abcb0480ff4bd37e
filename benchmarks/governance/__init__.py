"""Figures of governance: the audit log, freezing and hashing, output checks."""
