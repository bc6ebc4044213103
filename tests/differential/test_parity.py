"""The table of docs/parity.md: neurodata gives what the definition says, and the page what the libraries give."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from benchmarks import parity

pytest.importorskip("tonic.transforms", reason="needs the extra `tonic`")
pytest.importorskip("spikingjelly", reason="needs the extra `test`")
ROWS = parity.probes()


@pytest.mark.parametrize("probe", ROWS, ids=[probe.question for probe in ROWS])
def test_neurodata_gives_what_the_definition_says(probe: parity.Probe) -> None:
    found = parity.outcome(probe.neurodata)
    if probe.expected.endswith("an integer"):
        shape, dtype = found.rsplit(", ", 1)
        assert (shape, dtype) == (probe.expected.removesuffix(", an integer"), "uint16")
    elif probe.expected == "finite":
        assert found == "finite"
    else:
        assert float(found) == float(probe.expected.split(",")[0])


def test_the_page_is_what_the_command_makes() -> None:
    page = parity.PAGE.read_text("utf-8")
    if any(
        f"{name} {version(package)}" not in page
        for name, package in (("tonic", "tonic"), ("SpikingJelly", "spikingjelly"))
    ):
        pytest.skip("made with other versions of tonic or SpikingJelly")
    assert page == parity.page()
