"""Other libraries' datasets as sources, stores in their sample types, and stores to and from their layouts on disk.

`neurodata.adapters.tonic` and `neurodata.adapters.torch` take datasets in; `tonic` and `spikingjelly` hand stores back;
`exchange` writes stores as WebDataset, HDF5 ... and reads these (`neurodata export`, `neurodata import`).
"""
