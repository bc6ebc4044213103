from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neurodata.formats._index import reference, survey

rows = st.tuples(st.integers(0, 20), st.integers(0, 65535), st.integers(0, 65535))


@given(st.lists(rows, min_size=1, max_size=30), st.integers(-1, 25), st.booleans())
def test_the_survey_of_a_block_equals_its_reference(
    drawn: list[tuple[int, int, int]], latest_us: int, is_sorted: bool
) -> None:
    t, x, y = (np.array(column) for column in zip(*(sorted(drawn) if is_sorted else drawn), strict=True))
    columns = t.astype(np.int64), x.astype(np.uint16), y.astype(np.uint16)
    assert survey(*columns, latest_us) == reference(*columns, latest_us)
