"""Text rows of t in seconds, x, y, p: the Event-Camera Dataset of ETH and most files of robotics.

A layout of `csv_events` for files without a header; never detected, state it: format="csv_txyp_s".
"""

from neurodata.formats._csv_layout import Layout
from neurodata.formats.csv_events import stated

FORMAT = stated("csv_txyp_s", "Text 't[s] x y p' without a header: ETH", Layout(("t", "x", "y", "p"), "s"))
