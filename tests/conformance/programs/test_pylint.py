"""pylint -j: the whole linter is sent to each worker as an initarg, messages come back as results."""

import json
from pathlib import Path

from conformance.programs.conftest import Program

FILES = 6


def test_pylint_finds_in_two_processes_what_it_finds_in_one(program: Program, tmp_path: Path) -> None:
    for number in range(FILES):
        (tmp_path / f"module_{number}.py").write_text(f'"""A module."""\n\nimport os\n\nVALUE = undefined_{number}\n')
    arguments = ["-m", "pylint", "--output-format=json", *(f"module_{number}.py" for number in range(FILES))]
    alone = program([*arguments, "-j", "1"])
    together = program([*arguments, "-j", "2"])
    assert together.status == alone.status == 2 | 4, together.stderr  # an error and a warning were issued

    def messages(text: str) -> list[tuple[str, int, str]]:
        return sorted((found["path"], found["line"], found["symbol"]) for found in json.loads(text))

    assert messages(together.stdout) == [
        (f"module_{number}.py", line, symbol)
        for number in range(FILES)
        for line, symbol in [(3, "unused-import"), (5, "undefined-variable")]
    ]
    assert messages(together.stdout) == messages(alone.stdout)
    assert alone.uses.constructions == 0
    assert (together.uses.constructions, together.uses.maps) == (1, 1)
