"""One file per container format: bytes on disk <-> Recording."""

from neurodata.formats._contract import Format as Format
from neurodata.formats._contract import Open as Open
from neurodata.formats._contract import Recording as Recording
from neurodata.formats._detect import open_recording as open_recording
from neurodata.formats._detect import read as read
from neurodata.formats._detect import write as write
