"""One file per transform: a signal becomes another signal of the same kind."""
