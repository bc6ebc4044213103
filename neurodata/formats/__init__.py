"""One file per format on disk: bytes <-> recordings of events, collections of samples, and other signals."""

from neurodata.formats._contract import AnyFormat as AnyFormat
from neurodata.formats._contract import Collection as Collection
from neurodata.formats._contract import CollectionFormat as CollectionFormat
from neurodata.formats._contract import Entry as Entry
from neurodata.formats._contract import Format as Format
from neurodata.formats._contract import Open as Open
from neurodata.formats._contract import Reading as Reading
from neurodata.formats._contract import Recording as Recording
from neurodata.formats._contract import SignalFormat as SignalFormat
from neurodata.formats._contract import Stream as Stream
from neurodata.formats._detect import detect as detect
from neurodata.formats._detect import recognises as recognises
from neurodata.formats._memory import MemoryRecording as MemoryRecording
from neurodata.formats._npy import NpyArray as NpyArray
from neurodata.formats._npy import Parts as Parts
from neurodata.formats._npy import read_npy as read_npy
from neurodata.formats._npy import read_npy_at as read_npy_at
from neurodata.formats._npy import read_npy_header as read_npy_header
from neurodata.formats._npy import read_npz as read_npz
from neurodata.formats._npy import write_members as write_members
from neurodata.formats._png import read_png as read_png
from neurodata.formats._png import write_png as write_png
from neurodata.formats._verbs import open_collection as open_collection
from neurodata.formats._verbs import open_recording as open_recording
from neurodata.formats._verbs import read as read
from neurodata.formats._verbs import write as write
