"""The programs of examples/python, run as their users run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "python"
WATCHDOG = 120  # seconds


def run(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / program), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
        check=False,
    )


def shared_data(folder: str) -> Path:
    """Real inputs that are no part of the project."""
    named = os.environ.get("HOTSPARE_SHARED_DATA")
    path = (Path(named) if named else ROOT.parent / "shared" / "data") / folder
    if not path.is_dir():
        pytest.skip(f"there is no {path}: set HOTSPARE_SHARED_DATA")
    return path


@pytest.fixture
def made_up_json(tmp_path: Path) -> Path:
    """Three harmless files and one whose nesting overflows the stack of the parser."""
    (tmp_path / "y_list.json").write_text("[1, 2, 3]")
    (tmp_path / "y_map.json").write_text('{"a": null}')
    (tmp_path / "n_open.json").write_text("[1, 2")
    (tmp_path / "n_deep.json").write_text("[" * 100_000)
    return tmp_path


@pytest.fixture
def made_up_curve(tmp_path: Path) -> Path:
    """A transit of 1 % each 3.5 days in 40 days of noise."""
    numpy = pytest.importorskip("numpy")
    days = numpy.arange(0, 40, 0.02)
    flux = 1 + 1e-4 * numpy.random.default_rng(1).standard_normal(days.size)
    flux[(days - 1.0) % 3.5 < 0.1] -= 0.01
    numpy.savetxt(tmp_path / "made_up.csv", numpy.column_stack([days, flux]), delimiter=",")
    return tmp_path


class TestJsonCorpus:
    @pytest.fixture(autouse=True)
    def needs_yaml(self) -> None:
        pytest.importorskip("yaml")

    def test_the_one_culprit_is_named(self, made_up_json: Path) -> None:
        done = run("json_corpus.py", made_up_json)
        assert done.returncode == 0, done.stderr
        assert "3 outcomes (2 parsed, 1 refused), 1 without" in done.stdout
        assert re.search(
            r"^n_deep\.json: worker \d+ overflowed its stack .*parses \(json_corpus\.py", done.stdout, re.M
        )

    def test_full_shows_the_stacks(self, made_up_json: Path) -> None:
        done = run("json_corpus.py", made_up_json, "--full")
        assert done.returncode == 0, done.stderr
        assert 'json_corpus.py", line' in done.stdout
        assert "\n  #0 " in done.stdout

    def test_a_file_that_takes_too_long_is_cut(self, made_up_json: Path) -> None:
        (made_up_json / "n_deep.json").unlink()
        (made_up_json / "y_long.json").write_text("[" + "1, " * 3_000_000 + "1]")
        done = run("json_corpus.py", made_up_json, "--timeout", 0.5)
        assert done.returncode == 0, done.stderr
        assert "3 outcomes" in done.stdout
        assert re.search(r"^y_long\.json: worker \d+ was ended: its deadline passed", done.stdout, re.M)

    def test_the_real_corpus(self) -> None:
        done = run("json_corpus.py", shared_data("json-test-suite"))
        assert done.returncode == 0, done.stderr
        assert "318 files" in done.stdout
        assert "316 outcomes (191 parsed, 125 refused), 2 without" in done.stdout
        named = re.findall(r"^(\S+\.json): worker", done.stdout, re.M)
        assert named == ["n_structure_100000_opening_arrays.json", "n_structure_open_array_object.json"]

    def test_the_stdlib_loses_the_innocent(self) -> None:
        done = run("json_corpus.py", shared_data("json-test-suite"), "--stdlib")
        assert done.returncode == 0, done.stderr
        found = re.search(r"(\d+) outcomes", done.stdout)
        assert found
        assert int(found[1]) < 316

    def test_errors_are_for_people(self, tmp_path: Path) -> None:
        for folder, words in (
            (tmp_path / "nowhere", "there is no folder"),
            (tmp_path, "no .json file in"),
            (Path(__file__), "is no folder"),
        ):
            done = run("json_corpus.py", folder)
            assert done.returncode == 2
            assert words in done.stderr
            assert "Traceback" not in done.stderr
            assert not done.stdout

    def test_wrong_options(self, made_up_json: Path) -> None:
        for words in (("--workers", 0), ("--timeout", 0), ("--timeout", "nan")):
            done = run("json_corpus.py", made_up_json, *words)
            assert done.returncode == 2
            assert "must be" in done.stderr


class TestLightCurves:
    @pytest.fixture(autouse=True)
    def needs_astropy(self) -> None:
        pytest.importorskip("astropy")

    def test_a_period_that_was_put_in_is_found(self, made_up_curve: Path) -> None:
        done = run("light_curves.py", made_up_curve)
        assert done.returncode == 0, done.stderr
        assert "1 of 1 light curves searched" in done.stdout
        assert "deaths: 0" in done.stdout
        assert period(done.stdout, "made_up") == pytest.approx(3.5, rel=1e-3)

    def test_a_kill_changes_nothing_but_the_count(self, made_up_curve: Path) -> None:
        calm = run("light_curves.py", made_up_curve)
        done = run("light_curves.py", made_up_curve, "--kill")
        assert done.returncode == 0, done.stderr
        assert "deaths: 1" in done.stdout
        assert re.search(r"worker \d+ died of SIGKILL; task search \(light_curves\.py:\d+\)", done.stdout)
        assert done.stdout.splitlines()[0] == calm.stdout.splitlines()[0]

    def test_a_curve_that_is_none_is_named(self, made_up_curve: Path) -> None:
        (made_up_curve / "zero.csv").write_text("")
        (made_up_curve / "words.csv").write_text("time,flux\nnone,at all\n")
        (made_up_curve / "broken.fits").write_bytes(b"SIMPLE  = nonsense")
        done = run("light_curves.py", made_up_curve)
        assert done.returncode == 1, done.stderr
        assert "1 of 4 light curves searched" in done.stdout
        for name in ("zero", "words", "broken"):
            assert re.search(rf"^{name}: \S", done.stdout, re.M)
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("name", "days", "within"),
        [
            ("kplr011446443-2009166043257_llc.fits", 2.47063, 0.01),
            ("EPIC201367065.csv", 10.0546, 0.01),
            ("pimensatesslightcurve.csv", 6.268, 0.02),
            ("ktwo210359769-c04_detrended.dat", None, None),
        ],
    )
    def test_real_stars(self, tmp_path: Path, name: str, days: float | None, within: float | None) -> None:
        (tmp_path / name).symlink_to(shared_data("lightcurves") / name)
        done = run("light_curves.py", tmp_path, "--kill")
        assert done.returncode == 0, done.stderr
        assert "1 of 1 light curves searched" in done.stdout
        if days is not None:
            assert period(done.stdout, Path(name).stem) == pytest.approx(days, abs=within)
            assert f"published {days}" in done.stdout

    def test_errors_are_for_people(self, tmp_path: Path) -> None:
        for folder, words in (
            (tmp_path / "nowhere", "there is no folder"),
            (tmp_path, "no light curve in"),
            (Path(__file__), "is no folder"),
        ):
            done = run("light_curves.py", folder)
            assert done.returncode == 2
            assert words in done.stderr
            assert "Traceback" not in done.stderr

    def test_wrong_options(self, made_up_curve: Path) -> None:
        for words in (("--workers", 0), ("--bands", 0), ("--shortest", 0.1), ("--timeout", "nan")):
            done = run("light_curves.py", made_up_curve, *words)
            assert done.returncode == 2
            assert "must be" in done.stderr


def period(output: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} .* points +([0-9.]+) d", output, re.M)
    assert found, output
    return float(found[1])


class TestEcho:
    @pytest.fixture(autouse=True)
    def needs_numpy(self) -> None:
        pytest.importorskip("numpy")

    @pytest.mark.parametrize("mode", ["lockstep", "replay"])
    def test_no_sample_is_wrong(self, mode: str) -> None:
        done = run("echo.py", "--seconds", 2, "--every", 100, "--unpaced", "--mode", mode)
        assert done.returncode == 0, done.stderr + done.stdout
        assert re.search(r"^750 blocks, [67] deaths, \d replaced, 0 states lost$", done.stdout, re.M), done.stdout
        assert "late: 0, wrong: 0" in done.stdout
