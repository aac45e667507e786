"""The command line: which groups, which peers, where to."""

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from peerbench import orphans
from peerbench.figures import Group, Settings
from peerbench.groups import GROUPS
from peerbench.peers import OURS, PEERS
from peerbench.report import Result, json_rows, table
from peerbench.runner import run_group


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="bench/python", description=__doc__)
    found.add_argument("--only", metavar="REGEX", default="", help="in groups' names")
    found.add_argument("--peers", metavar="A,B", default="", help="beginnings of names")
    found.add_argument("--quick", action="store_true", help="few rounds")
    found.add_argument("--huge", action="store_true", help="8 arrays of 1 GB, too")
    found.add_argument("--json-dir", metavar="DIR", help="JSON files to parse")
    found.add_argument("--out", metavar="FILE", type=Path, help="rows as JSON")
    return found


def chosen_peers(names: str) -> list[str]:
    """Peers whose names begin with one of those given; all if none is given."""
    wanted = tuple(name.strip() for name in names.split(","))
    found = [peer for peer in PEERS if peer.lower().startswith(wanted_lower(wanted))]
    if not found:
        raise SystemExit(f"no such peer: {names}; there are {', '.join(PEERS)}")
    return found


def wanted_lower(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def chosen_groups(regex: str) -> list[Group]:
    found = [group for group in GROUPS if re.search(regex, group.name)]
    if not found:
        names = ", ".join(group.name for group in GROUPS)
        raise SystemExit(f"no group matches {regex}; there are {names}")
    return found


def measure(groups: Sequence[Group], peers: Sequence[str], settings: Settings) -> list[Result]:
    results = []
    for group in groups:
        rows = {row.name: row for row in group.rows}
        for peer in peers:
            if group.ours_only and peer not in OURS:
                continue
            print(f"{group.name}: {peer}", file=sys.stderr, flush=True)
            for figure in run_group(group, peer, settings):
                row = rows[figure.row]
                results.append(Result(row, peer, figure.value, figure.note))
    return results


def main() -> int:
    options = parser().parse_args()
    settings = Settings(options.quick, options.huge, options.json_dir)
    groups, peers = chosen_groups(options.only), chosen_peers(options.peers)
    orphans.adopt()
    results = measure(groups, peers, settings)
    print(table(results))
    if options.out:
        whole = {
            "python": platform.python_version(),
            "cpus": len(os.sched_getaffinity(0)),
            "load_average_at_the_end": os.getloadavg()[0],
            "quick": options.quick,
            "rows": json_rows(results),
        }
        options.out.write_text(json.dumps(whole, indent=1) + "\n")
    return 0
