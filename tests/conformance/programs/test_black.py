"""black formats more than one file in a pool, driven by asyncio's run_in_executor."""

from pathlib import Path

from conformance.programs.conftest import Program

UGLY = "x = {  'a':1,\n 'b':2 }\n"
FORMATTED = 'x = {"a": 1, "b": 2}\n'
FILES = 8


def write_ugly_files(folder: Path) -> list[Path]:
    files = [folder / f"module_{number}.py" for number in range(FILES)]
    for file in files:
        file.write_text(UGLY)
    return files


def test_black_formats_every_file(program: Program, tmp_path: Path) -> None:
    files = write_ugly_files(tmp_path)
    ended = program(["-m", "black", "--workers", "2", "."])
    assert ended.status == 0, ended.stderr
    assert f"{FILES} files reformatted" in ended.stderr
    assert {file.read_text() for file in files} == {FORMATTED}
    assert (ended.uses.constructions, ended.uses.submits) == (1, FILES)


def test_black_reports_the_file_that_it_cannot_format(program: Program, tmp_path: Path) -> None:
    files = write_ugly_files(tmp_path)
    (tmp_path / "broken.py").write_text("def f(:\n")
    ended = program(["-m", "black", "--workers", "2", "."])
    # The worker's exception has to arrive as itself, with its text.
    assert ended.status == 123
    assert "cannot parse: broken.py:1:6" in ended.stderr.replace(f"{tmp_path}/", "")
    assert "1 file failed to reformat" in ended.stderr
    assert {file.read_text() for file in files} == {FORMATTED}
    assert (ended.uses.constructions, ended.uses.submits) == (1, FILES + 1)


def test_black_diff_shares_a_managers_lock(program: Program, tmp_path: Path) -> None:
    """--diff passes the proxy of a multiprocessing.Manager's lock to each task."""
    files = write_ugly_files(tmp_path)
    ended = program(["-m", "black", "--workers", "2", "--diff", "--quiet", "."])
    assert ended.status == 0, ended.stderr
    assert ended.stdout.count('+x = {"a": 1, "b": 2}') == FILES
    assert {file.read_text() for file in files} == {UGLY}
    assert (ended.uses.constructions, ended.uses.submits) == (1, FILES)
