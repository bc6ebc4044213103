"""The prepared store: samples in sharded Zarr v3 arrays that prove what they hold (format version 4)."""

from neurodata.store._append import Packets as Packets
from neurodata.store._commit import EncodedSample as EncodedSample
from neurodata.store._commit import committed as committed
from neurodata.store._commit import committed_counts as committed_counts
from neurodata.store._commit import write_shard as write_shard
from neurodata.store._finalise import finalise as finalise
from neurodata.store._layout import MANIFEST as MANIFEST
from neurodata.store._layout import DenseLayout as DenseLayout
from neurodata.store._layout import EventsLayout as EventsLayout
from neurodata.store._layout import Layout as Layout
from neurodata.store._layout import SparseLayout as SparseLayout
from neurodata.store._reader import StoreReader as StoreReader
from neurodata.store._records import Counts as Counts
from neurodata.store._records import SampleRow as SampleRow
from neurodata.store._records import SchemeIndex as SchemeIndex
from neurodata.store._records import StoreHead as StoreHead
from neurodata.store._shard import Verify as Verify
from neurodata.store._shard import packed_size as packed_size
from neurodata.store._table import SampleTable as SampleTable
from neurodata.store._table import Texts as Texts
from neurodata.store._verify import Verification as Verification
from neurodata.store._verify import verify as verify
