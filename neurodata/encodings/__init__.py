"""One file per encoding: a signal becomes spikes or a dense array."""
