"""Pure renderers from the node spec to other systems' files."""
