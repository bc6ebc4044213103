"""Training of spiking classifiers: a readable loop, metrics row by row, checkpoints, three honest accuracies."""

from neurodata.train._contract import Batch as Batch
from neurodata.train._contract import Loader as Loader
from neurodata.train._evaluate import Evaluation as Evaluation
from neurodata.train._evaluate import evaluate as evaluate
from neurodata.train._loop import fit as fit
from neurodata.train._metrics import EpochMetrics as EpochMetrics
from neurodata.train._options import TrainOptions as TrainOptions
from neurodata.train._result import TrainResult as TrainResult
