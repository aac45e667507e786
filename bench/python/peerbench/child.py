"""One group of one peer, in a process of its own: child GROUP PEER SETTINGS FILE.
Writes figures as JSON lines to FILE, so that what was measured before a hang is kept."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # As typing's, whose import costs milliseconds.
if TYPE_CHECKING:
    from typing import TextIO

    from peerbench.peers.base import Pool

# Some peers' workers import this module once more, which is measured as their start:
# all else is imported in functions.

CLOSING_SECONDS = 5
NOT_INSTALLED = 3


def import_peer(peer: str) -> None:
    import importlib

    from peerbench.peers import MODULES

    try:
        importlib.import_module(MODULES[peer])
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_INSTALLED)


def measure(group_name: str, peer: str, settings: str, out: TextIO) -> list[Pool]:
    """Returns the pools that the group has opened."""
    import dataclasses
    import json

    from peerbench.figures import Settings
    from peerbench.groups import GROUPS
    from peerbench.peers import PEERS

    opened: list[Pool] = []

    def open_pool(workers: int, with_numpy: bool = False) -> Pool:
        opened.append(PEERS[peer](workers, with_numpy=with_numpy))
        return opened[-1]

    group = next(group for group in GROUPS if group.name == group_name)
    for figure in group.measure(peer, open_pool, Settings(**json.loads(settings))):
        out.write(json.dumps(dataclasses.asdict(figure)) + "\n")
        out.flush()
    return opened


def close(pools: list[Pool]) -> None:
    """Some broken pools never close; the parent ends what is left of them."""
    import threading

    def close_all() -> None:
        for pool in pools:
            pool.close()

    closing = threading.Thread(target=close_all, daemon=True)
    closing.start()
    closing.join(CLOSING_SECONDS)


def main() -> None:
    import resource
    import traceback

    group, peer, settings, path = sys.argv[1:]
    # No core dumps: writing them would be a part of what is measured.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import_peer(peer)
    status = 0
    try:
        with open(path, "w") as out:
            close(measure(group, peer, settings, out))
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    os._exit(status)  # At exit some pools wait for what never comes.


if __name__ == "__main__":
    main()
