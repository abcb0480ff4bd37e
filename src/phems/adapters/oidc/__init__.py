"""OpenID Connect: the identity provider as the node's client sees it."""
