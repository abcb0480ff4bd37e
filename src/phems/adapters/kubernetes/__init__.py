"""A Kubernetes cluster: one Job for each step attempt, watched to its end."""
