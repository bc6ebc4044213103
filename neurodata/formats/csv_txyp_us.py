"""Text rows of t in microseconds, x, y, p.

A layout of `csv_events` for files without a header; never detected, state it: format="csv_txyp_us".
"""

from neurodata.formats._csv_layout import Layout
from neurodata.formats.csv_events import stated

FORMAT = stated("csv_txyp_us", "Text 't[us] x y p' without a header", Layout(("t", "x", "y", "p"), "us"))
