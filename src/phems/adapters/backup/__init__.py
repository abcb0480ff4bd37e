"""Backups of a node on the disk: copied with their checksums, verified, and put in their places."""
