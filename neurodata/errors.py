"""The errors that callers may want to catch; each is also the builtin that a reader would expect.

A message names the file, the place in it, what was found, what was expected, and the way out.
"""


class NeurodataError(Exception):
    """Base of every error raised on purpose; the command line prints it without a traceback."""


class FormatError(NeurodataError, ValueError):
    """A file does not hold what its format says: truncated, damaged, or of another kind."""


class UntoldSensorError(FormatError):
    """A file does not tell the pixel grid of its events, and none was stated (sensor=, --sensor)."""


class SignalError(NeurodataError, ValueError):
    """Arrays do not form a valid signal (lengths, types, order in time, coordinates off the sensor)."""


class RecipeError(NeurodataError, ValueError):
    """A recipe names a step, parameter or value that does not exist or does not fit."""


class EncodingError(NeurodataError, ValueError):
    """An encoding cannot represent a sample without loss (a count would overflow)."""


class UnknownNameError(NeurodataError, LookupError):
    """No dataset, format, encoding, transform, model, scheme or class of that name."""


class MissingExtraError(NeurodataError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


class SourceNotFoundError(NeurodataError, FileNotFoundError):
    """The files of a dataset are not there; the message says how to get them and where to put them."""


class DownloadError(NeurodataError, OSError):
    """A file could not be fetched: dead link, cut connection, wrong size."""


class ChecksumError(NeurodataError, OSError):
    """A file is complete but its bytes are not the expected ones."""


class ArchiveError(NeurodataError, ValueError):
    """An archive is damaged, or holds a member that must not be unpacked."""


class StorageError(NeurodataError, OSError):
    """A file or folder cannot be read or written: permissions, full disk, a lock held by another run."""


class StorageWarning(UserWarning):
    """Something goes on another, slower way than asked for: a copy cannot be kept, the original is read."""


class StoreNotFoundError(NeurodataError, FileNotFoundError):
    """No finished store fits; the message is the `prepare` command to type."""


class StoreError(NeurodataError, ValueError):
    """A store is incomplete, damaged, or of a version that this release does not read."""


class LoaderError(NeurodataError, ValueError):
    """A split or a loader cannot be made as asked: its partition, folds, types, batches, ranks or state."""


class TrainingError(NeurodataError, RuntimeError):
    """Training cannot go on: a loss that is no number, no samples, or a folder that holds another run."""
