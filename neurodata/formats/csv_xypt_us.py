"""Text rows of x, y, p, t in microseconds: what Metavision's file_to_csv writes.

A layout of `csv_events` for files without a header; never detected, state it: format="csv_xypt_us".
"""

from neurodata.formats._csv_layout import Layout
from neurodata.formats.csv_events import stated

FORMAT = stated("csv_xypt_us", "Text 'x y p t[us]' without a header: Metavision", Layout(("x", "y", "p", "t"), "us"))
