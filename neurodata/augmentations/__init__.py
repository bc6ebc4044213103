"""Augmentations of dense batches: applied by the loader, in torch, drawn from (seed, epoch, key, place in the list).

One file each; the file's name is the augmentation's name in a recipe and in `loader(augment=[...])`.
"""

from neurodata.augmentations._contract import Augmentation as Augmentation
from neurodata.augmentations._contract import SampleAugmentation as SampleAugmentation
from neurodata.augmentations._draws import Draws as Draws
from neurodata.augmentations._mixing import MixAugmentation as MixAugmentation
