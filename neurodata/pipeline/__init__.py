"""Preparation: plan (samples -> shards), execute (one shard = one task = one commit), finalise (manifest last)."""

from neurodata.pipeline._build import build_store as build_store
from neurodata.pipeline._executors import borrowed as borrowed
from neurodata.pipeline._executors import process_pool as process_pool
from neurodata.pipeline._executors import thread_pool as thread_pool
from neurodata.pipeline._find import FoundStores as FoundStores
from neurodata.pipeline._find import choose_store as choose_store
from neurodata.pipeline._find import find_stores as find_stores
from neurodata.pipeline._inventory import CacheEntry as CacheEntry
from neurodata.pipeline._inventory import list_cache as list_cache
from neurodata.pipeline._plan import Plan as Plan
from neurodata.pipeline._plan import ShardTask as ShardTask
from neurodata.pipeline._plan import make_plan as make_plan
from neurodata.pipeline._recommend import LayoutSizes as LayoutSizes
from neurodata.pipeline._recommend import measure_layouts as measure_layouts
from neurodata.pipeline._remote_inventory import list_remote_stores as list_remote_stores
from neurodata.pipeline._request import Prepared as Prepared
from neurodata.pipeline._request import Preview as Preview
from neurodata.pipeline._request import SourceRequest as SourceRequest
from neurodata.pipeline._request import n_cores as n_cores
from neurodata.pipeline._request import prepare_recipe as prepare_recipe
from neurodata.pipeline._request import preview as preview
from neurodata.pipeline._request import source_request as source_request
