"""What goes wrong between a finished store and a batch."""

from neurodata.errors import NeurodataError


class LoaderError(NeurodataError, ValueError):
    """A split or a loader cannot be made as asked: its partition, folds, types, batches, ranks or state."""
