"""The module that each peer lives in: what must be installed to measure it."""

MODULES = {
    "hotspare.Pool": "hotspare",
    "hotspare.ProcessPoolExecutor": "hotspare",
    "stdlib-fork": "concurrent.futures.process",
    "stdlib-forkserver": "concurrent.futures.process",
    "multiprocessing.Pool": "multiprocessing.pool",
    "loky": "loky",
    "pebble": "pebble",
    "joblib": "joblib",
}
