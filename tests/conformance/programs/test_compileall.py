"""The stdlib's compileall with -j: the results of `map` are awaited by `min` after the pool's context."""

import importlib.util
import marshal
from pathlib import Path
from types import CodeType

from conformance.programs.conftest import Program

FILES = 10
HEADER = 16  # bytes before the code in a .pyc: magic number, flags, time stamp, size


def compiled(source: Path) -> CodeType:
    code = marshal.loads(Path(importlib.util.cache_from_source(source)).read_bytes()[HEADER:])
    assert isinstance(code, CodeType)
    return code


def write_modules(folder: Path) -> list[Path]:
    modules = [folder / f"module_{number}.py" for number in range(FILES)]
    for number, module in enumerate(modules):
        module.write_text(f"VALUE = {number}\n")
    return modules


def test_compileall_compiles_every_module(program: Program, tmp_path: Path) -> None:
    modules = write_modules(tmp_path)
    ended = program(["-m", "compileall", "-j", "2", "."])
    assert ended.status == 0, ended.stderr
    for number, module in enumerate(modules):
        names: dict[str, int] = {}
        exec(compiled(module), names)
        assert names["VALUE"] == number
    assert (ended.uses.constructions, ended.uses.maps) == (1, 1)


def test_compileall_tells_which_module_is_broken(program: Program, tmp_path: Path) -> None:
    modules = write_modules(tmp_path)
    (tmp_path / "broken.py").write_text("def f(:\n")
    ended = program(["-m", "compileall", "-q", "-j", "2", "."])
    assert ended.status == 1
    # Printed by the worker: its standard output has to be the program's.
    assert "broken.py" in ended.stdout
    assert "SyntaxError" in ended.stdout
    assert all(compiled(module) for module in modules)
    assert (ended.uses.constructions, ended.uses.maps) == (1, 1)
