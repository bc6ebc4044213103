"""From a finished store to batches: splits, the order of samples, decoding, state."""

from neurodata.errors import LoaderError as LoaderError
from neurodata.loader._batch import Batch as Batch
from neurodata.loader._loader import Loader as Loader
from neurodata.loader._measure import Measurement as Measurement
from neurodata.loader._measure import measure as measure
from neurodata.loader._sampler import BatchSampler as BatchSampler
from neurodata.loader._split import Sample as Sample
from neurodata.loader._split import Split as Split
from neurodata.loader._store import Store as Store
