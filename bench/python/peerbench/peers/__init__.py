"""The pools that are measured, by name."""

import functools
from collections.abc import Callable, Mapping

from peerbench.peers.base import Pool
from peerbench.peers.joblib_parallel import JoblibParallel
from peerbench.peers.loky_executor import LokyExecutor
from peerbench.peers.modules import MODULES
from peerbench.peers.multiprocessing_pool import MultiprocessingPool
from peerbench.peers.ours import HotspareExecutor, HotsparePool
from peerbench.peers.pebble_pool import PebblePool
from peerbench.peers.stdlib import StdlibExecutor

__all__ = ["MODULES", "OURS", "PEERS", "STDLIB", "OpenPool"]

OURS = ("hotspare.Pool", "hotspare.ProcessPoolExecutor")
STDLIB = ("stdlib-fork", "stdlib-forkserver")

OpenPool = Callable[..., Pool]
"""open(workers, with_numpy=False): a new pool of that peer."""

PEERS: Mapping[str, OpenPool] = {
    "hotspare.Pool": HotsparePool,
    "hotspare.ProcessPoolExecutor": HotspareExecutor,
    "stdlib-fork": functools.partial(StdlibExecutor, start_method="fork"),
    "stdlib-forkserver": functools.partial(StdlibExecutor, start_method="forkserver"),
    "multiprocessing.Pool": MultiprocessingPool,
    "loky": LokyExecutor,
    "pebble": PebblePool,
    "joblib": JoblibParallel,
}
