"""The coordinator: it holds no data, trusts no network, and averages what the nodes have released to it."""
