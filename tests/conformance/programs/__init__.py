"""Unchanged programs that use concurrent.futures.ProcessPoolExecutor, each judged by what it produces."""
