"""Reference spiking networks, one per file, built on SpikingJelly's neurons (`registry.models[name]`).

Layers that are no models of their own: `LearnableEventSpikeTensor`, from an `EventBatch` to frames.
"""

from neurodata.models._est import LearnableEventSpikeTensor as LearnableEventSpikeTensor
from neurodata.models._event_batch import EventBatch as EventBatch
from neurodata.models._spikingjelly import spikingjelly as spikingjelly
