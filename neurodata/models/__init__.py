"""Reference spiking networks, one per file, built on SpikingJelly's neurons (`registry.models[name]`); and layers."""

from neurodata.models._est import EventBatch as EventBatch
from neurodata.models._est import LearnableEventSpikeTensor as LearnableEventSpikeTensor
from neurodata.models._spikingjelly import spikingjelly as spikingjelly
