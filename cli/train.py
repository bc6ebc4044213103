"""neurodata train: a reference network on a prepared store."""


def train() -> None:
    """Train (placeholder until the loop lands)."""
