"""Text rows of x, y, t in microseconds, p: MNIST-DVS and its kin.

A layout of `csv_events` for files without a header; never detected, state it: format="csv_xytp_us".
"""

from neurodata.formats._csv_layout import Layout
from neurodata.formats.csv_events import stated

FORMAT = stated("csv_xytp_us", "Text 'x y t[us] p' without a header: MNIST-DVS", Layout(("x", "y", "t", "p"), "us"))
