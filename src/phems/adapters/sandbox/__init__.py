"""Where project hosts run: a bubblewrap sandbox, or a bare process where policy allows that."""
