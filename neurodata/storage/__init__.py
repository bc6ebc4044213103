"""Roots, atomic files, checksums, downloads, archives and locks: everything that touches the disk or the net."""

from neurodata.storage._archive import unpack as unpack
from neurodata.storage._disk import is_file as is_file
from neurodata.storage._disk import is_folder as is_folder
from neurodata.storage._download import download as download
from neurodata.storage._download import figshare_url as figshare_url
from neurodata.storage._files import canonical_json as canonical_json
from neurodata.storage._files import read_json as read_json
from neurodata.storage._files import remove_leftovers as remove_leftovers
from neurodata.storage._files import write_bytes as write_bytes
from neurodata.storage._files import write_json as write_json
from neurodata.storage._files import writing as writing
from neurodata.storage._hashes import file_digest as file_digest
from neurodata.storage._hashes import parse_checksum as parse_checksum
from neurodata.storage._hashes import verify_checksum as verify_checksum
from neurodata.storage._lock import exclusive as exclusive
from neurodata.storage._roots import cache_root as cache_root
from neurodata.storage._roots import index_root as index_root
from neurodata.storage._roots import search_roots as search_roots
