"""Survival after a heart attack."""
