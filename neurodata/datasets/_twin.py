"""What twins share."""

from __future__ import annotations

from neurodata.errors import RecipeError


def require_size(dataset: str, seed: int, size: int, smallest: int, largest: int | None = None) -> None:
    """RecipeError when a twin cannot be made from this seed and of this size."""
    if seed < 0 or size < smallest or (largest is not None and size > largest):
        limits = f"from {smallest}" if largest is None else f"from {smallest} to {largest}"
        raise RecipeError(
            f"{dataset} twin: seed {seed}, size {size}; expected a seed from 0 and a size {limits}: every class and "
            "partition has its samples"
        )
