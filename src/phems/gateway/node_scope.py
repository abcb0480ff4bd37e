"""How addresses name the scope of policy versions that is no project: the node as a whole."""

NODE = "-"
"""Its own scope is the empty text, which no address can have as a part."""
