"""How long-running work says how far it is; the command line draws bars from it, libraries stay silent."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is being done, how much is done, the total (None: unknown) and the unit ("B", "samples")."""

    def __call__(self, stage: str, done: int, total: int | None, unit: str) -> None:
        """Report; called often, so it returns at once."""
        ...


def silent(stage: str, done: int, total: int | None, unit: str) -> None:
    """Report nothing."""
