"""Output checks: plug-ins that look at files on their way out, in a sandboxed process of their own."""
