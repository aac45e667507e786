"""Files that nobody here wrote through a C library that some of them crash: which files
have an outcome, and which ones are named as the culprits?"""

import os
import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OpenPool

MOST_CULPRITS_NAMED = 3


def json_files(folder: str) -> list[str]:
    names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    return [os.path.join(folder, name) for name in names]


def culprits(paths: list[str]) -> str:
    names = [os.path.basename(path) for path in paths]
    return ", ".join(names) if len(names) <= MOST_CULPRITS_NAMED else "many innocent"


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    paths = json_files(settings.json_dir or "")
    pool = open_pool(WORKERS)
    started = time.perf_counter()
    found = pool.outcomes(tasks.parses, paths, patience=settings.rounds(60, 15))
    seconds = time.perf_counter() - started
    failed = [p for p, o in zip(paths, found, strict=True) if o.state == "failed"]
    unanswered = sum(outcome.state == "unanswered" for outcome in found)
    good = [outcome.value for outcome in found if outcome.state == "good"]
    parsed = sum(value is True for value in good)
    yield Figure("json_outcomes", len(good), f"{parsed} parse, of {len(paths)} files")
    yield Figure("json_failed", len(failed), culprits(failed))
    yield Figure("json_unanswered", unanswered)
    if unanswered:
        yield Figure("json_seconds", None, "never")
    else:
        yield Figure("json_seconds", seconds)


def skip(settings: Settings) -> str:
    folder = settings.json_dir
    if folder is None:
        return "needs --json-dir"
    if not os.path.isdir(folder) or not json_files(folder):
        return f"no JSON files in {folder}"
    return ""


JSON_FILES = Group(
    "json_files",
    rows=(
        Row("json_outcomes", "files", "higher"),
        Row("json_failed", "files", "neither"),
        Row("json_unanswered", "files"),
        Row("json_seconds", "s", "neither"),
    ),
    measure=measure,
    needs=("yaml",),
    skip=skip,
)
