"""How to train: everything that changes the numbers, in one value that is checked once."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from neurodata.errors import RecipeError


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Options of `fit`; a run can only be resumed with the same ones.

    Parameters
    ----------
    epochs
        Passes over the training set.
    learning_rate
        The highest one: it rises linearly over the first tenth of all batches, then falls along a cosine to zero.
    weight_decay
        Of AdamW.
    label_smoothing
        Part of the target that is spread over all classes.
    every_step
        Weight, 0 to 1, of the loss of each time step's own scores beside the loss of their mean over time
        (temporal efficient training, Deng et al. 2022, arXiv:2202.11946).
    gradient_clip
        Largest norm of all gradients together.
    seed
        Of dropout and whatever else the network draws while it learns.
    device
        "cpu", "cuda", "cuda:1", "mps", or "auto": CUDA where there is one, else the processor.

    Raises
    ------
    RecipeError
        When a value is out of range.
    """

    epochs: int = 20
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.1
    every_step: float = 0.0
    gradient_clip: float = 1.0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        requirements = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "learning_rate": (self.learning_rate > 0, "a positive number"),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "0 <= label_smoothing < 1"),
            "every_step": (0 <= self.every_step <= 1, "0 to 1"),
            "gradient_clip": (self.gradient_clip > 0, "a positive number"),
            "seed": (0 <= self.seed < 2**63, "0 to 2^63 - 1"),
        }
        for name, (holds, expected) in requirements.items():
            if not holds:
                raise RecipeError(f"training: {name} is {getattr(self, name)!r}; expected {expected}")

    def torch_device(self) -> torch.device:
        """The device to train on.

        Raises
        ------
        RecipeError
            When there is no such device here.
        """
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
            reason = str(error).splitlines()[0]
            raise RecipeError(f"training: device {self.device!r} cannot be used here: {reason}; try 'auto'") from error
        return device
