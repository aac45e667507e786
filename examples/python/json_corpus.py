"""Reads every file of a folder through libyaml's parser, which some files crash.

Made for the 318 files of nst/JSONTestSuite (its folder test_parsing), two of which overflow the C stack
of PyYAML's CSafeLoader. A file has an outcome if it was parsed or refused with an exception. With
hotspare.Pool all others have theirs, and the culprits are named, each with the report of its worker's death.
With --stdlib the same is done by concurrent.futures, whose whole pool breaks with the first dead worker.

    python json_corpus.py JSONTestSuite/test_parsing
    python json_corpus.py JSONTestSuite/test_parsing --stdlib
"""

from __future__ import annotations

import argparse
import concurrent.futures
import sys
import time
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import hotspare

DEATHS_SHOWN = 5


def parses(path: Path) -> bool:
    """Whether libyaml takes the file for YAML, which includes JSON. Runs in a worker, and may crash it."""
    import yaml

    content = path.read_bytes()
    try:
        yaml.load(content, yaml.CSafeLoader)
    except Exception:  # whatever it raises, it refuses
        return False
    return True


@dataclass
class Outcomes:
    """What became of the files."""

    parsed: int = 0
    refused: int = 0
    deaths: dict[str, BaseException] = field(default_factory=dict)
    """By file: why there is no outcome."""

    def note(self, path: Path, future: concurrent.futures.Future[bool]) -> None:
        try:
            accepted = future.result()
        except (hotspare.WorkerDied, BrokenProcessPool) as death:
            self.deaths[path.name] = death
        else:
            self.parsed += accepted
            self.refused += not accepted


def read_all(pool: concurrent.futures.Executor | hotspare.Submitter, paths: Sequence[Path]) -> Outcomes:
    outcomes = Outcomes()
    futures: dict[Path, concurrent.futures.Future[bool]] = {}
    for path in paths:
        try:
            futures[path] = pool.submit(parses, path)
        except BrokenProcessPool as refusal:  # concurrent.futures takes nothing after a death
            outcomes.deaths[path.name] = refusal
    for path, future in futures.items():
        outcomes.note(path, future)
    return outcomes


def with_hotspare(paths: Sequence[Path], workers: int, timeout: float) -> Outcomes:
    with hotspare.Pool(workers, preload=["yaml"]) as pool:
        return read_all(pool.with_options(timeout=timeout), paths)


def with_stdlib(paths: Sequence[Path], workers: int) -> Outcomes:
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        return read_all(pool, paths)


def show(outcomes: Outcomes, files: int, seconds: float, full: bool) -> None:
    found = outcomes.parsed + outcomes.refused
    print(
        f"{files} files in {seconds:.1f} s: {found} outcomes "
        f"({outcomes.parsed} parsed, {outcomes.refused} refused), {len(outcomes.deaths)} without"
    )
    for name, death in list(outcomes.deaths.items())[:DEATHS_SHOWN]:
        report = getattr(death, "report", None)
        print(f"{name}: {report.text() if full and report else death}")
    more = len(outcomes.deaths) - DEATHS_SHOWN
    if more > 0:
        print(f"… and {more} more")


def json_files(folder: Path) -> list[Path]:
    """Raises OSError or ValueError with words for people."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}")
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    if not paths:
        raise ValueError(f"no .json file in {folder}")
    return paths


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reads a folder's .json files through yaml.CSafeLoader.")
    parser.add_argument("folder", type=Path, help="for example test_parsing of nst/JSONTestSuite")
    parser.add_argument("--stdlib", action="store_true", help="with concurrent.futures instead of hotspare")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for a file (60); without --stdlib")
    parser.add_argument("--full", action="store_true", help="whole reports, with stacks")
    given = parser.parse_args(words)
    if given.workers < 1:
        parser.error("--workers must be at least 1")
    if not given.timeout > 0:
        parser.error("--timeout must be more than 0")
    return given


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    try:
        import yaml

        yaml.CSafeLoader  # noqa: B018  # PyYAML may have been built without libyaml
        paths = json_files(given.folder)
    except (ImportError, AttributeError):
        print("json_corpus: needs PyYAML with libyaml: pip install pyyaml", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"json_corpus: {error}", file=sys.stderr)
        return 2
    start = time.monotonic()
    workers = given.workers
    outcomes = with_stdlib(paths, workers) if given.stdlib else with_hotspare(paths, workers, given.timeout)
    show(outcomes, len(paths), time.monotonic() - start, given.full)
    return 0


if __name__ == "__main__":
    sys.exit(main())
