"""Use cases of the control plane, and the ports they need."""
