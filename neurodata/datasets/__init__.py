"""One file per public dataset: where it comes from, its samples, labels and splits, and its generated twin."""

from neurodata.datasets._contract import PARTITIONS as PARTITIONS
from neurodata.datasets._contract import Dataset as Dataset
from neurodata.datasets._contract import Partition as Partition
from neurodata.datasets._contract import SampleRef as SampleRef
from neurodata.datasets._contract import Scheme as Scheme
from neurodata.datasets._contract import Source as Source
from neurodata.datasets._fetch import availability as availability
from neurodata.datasets._fetch import fetch as fetch
from neurodata.datasets._fetch import sources_id as sources_id
from neurodata.datasets._find import find_dataset as find_dataset
from neurodata.datasets._find import is_dataset as is_dataset
from neurodata.datasets._find import path_on_disk as path_on_disk
from neurodata.datasets._folder import RECIPES as RECIPES
from neurodata.datasets._folder_windows import Windows as Windows
from neurodata.datasets._folder_windows import make_windows as make_windows
from neurodata.datasets._locate import FileHash as FileHash
from neurodata.datasets._locate import Hashing as Hashing
from neurodata.datasets._locate import Located as Located
from neurodata.datasets._locate import SourceKind as SourceKind
from neurodata.datasets._locate import Twin as Twin
from neurodata.datasets._locate import folder_id as folder_id
from neurodata.datasets._locate import hash_files as hash_files
from neurodata.datasets._locate import locate as locate
