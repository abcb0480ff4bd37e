"""The audit log of a whole node: anchors, proofs, upgrades."""
