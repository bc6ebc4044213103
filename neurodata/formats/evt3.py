"""EVT 3.0 (.raw of Prophesee's cameras): 16-bit words that change time, row and column, single events and vectors.

Source: https://docs.prophesee.ai/stable/data/encoding_formats/evt3.html. The specification leaves open what
holds before the first TIME_HIGH and the first ADDR_Y after it, and how a wrap is told: here as in Prophesee's
decoder (OpenEB), which reads no event before them, sets TIME_LOW to 0 when TIME_HIGH changes, and takes a
TIME_HIGH that falls by 2^11 or more for a wrap (every 2^24 us, 16.8 s). The bit that tells a master camera's
rows from a slave's is not looked at.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from neurodata.formats._contract import Format, Stream
from neurodata.formats._evt3_words import DECODING, words_of
from neurodata.formats._prophesee import open_words, sniff_encoding, write_words

LAST_TIME_US = (1 << 40) - 1  # 12 days: a TIME_HIGH every 8 s makes 260 kB of them


def write_file(events: Stream, path: Path) -> None:
    """Single events, none in vectors; a TIME_HIGH at least every 8.4 s, so that readers see every wrap from time 0.

    Raises
    ------
    FormatError
        When a time is negative or from 2^40 us on, or a coordinate needs more than 11 bits.
    """
    write_words(events, path, "EVT3", LAST_TIME_US, words_of)


FORMAT = Format(
    name="evt3",
    version=1,
    title="EVT 3.0 .raw: Prophesee cameras, vectorised",
    extensions=(".raw",),
    sniff=partial(sniff_encoding, "EVT3"),
    open=partial(open_words, "EVT3", lambda *_: DECODING),
    write=write_file,
)
