"""Reference spiking networks, one per file, built on SpikingJelly's neurons (`registry.models[name]`)."""

from neurodata.models._event_batch import EventBatch as EventBatch
from neurodata.models._spikingjelly import spikingjelly as spikingjelly
