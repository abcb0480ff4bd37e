"""Pure rules and state tables: no I/O, the time is an argument."""
