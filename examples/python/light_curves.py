"""Searches light curves for transiting planets with astropy's BoxLeastSquares, periods in parallel.

A light curve is cleaned in one task. Bands of trial periods are searched in others, which all get the same
array and return one that already lives in shared memory. With --kill one worker is killed in the middle of
its band: only that band is searched again.

    python light_curves.py                  # the curves that scripts/setup brought
    python light_curves.py FOLDER --kill    # FITS of Kepler, K2 or TESS; CSV and tables: time, flux

Grid of periods: Ofir 2014, A&A 561, A138. A period is shown beside the published one where that is known.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hotspare
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SOLAR_DURATION = 0.0756
"""Transit duration / period at a period of one day: circular orbit seen edge-on around a star like the Sun.
It goes with the frequency's power of 2/3."""
WINDOW = 1.5
"""Days, of the running median: several times the longest transit, else it eats it."""
GAP = 0.5
CLIP_SIGMAS = 4.0
FEWEST_POINTS = 50
ATTEMPTS = 2
"""For a band whose worker died."""

# The beginning of the file's name, planet, days, source.
PUBLISHED = (
    ("EPIC201367065", "K2-3 b", 10.0546, "Crossfield et al. 2015"),
    ("EPIC206154641", "WASP-75 b", 2.484193, "Gómez Maqueo Chew et al. 2013"),
    ("kplr011446443", "TrES-2 b", 2.47063, "O'Donovan et al. 2006"),
    ("pimensatesslightcurve", "pi Mensae c", 6.268, "Gandolfi et al. 2018"),
)


# ---- what runs in the workers ----


def read_raw(path: Path) -> tuple[Array, Array]:
    """Time in days and flux, as they are in the file."""
    if path.suffix == ".fits":
        from astropy.io import fits  # type: ignore[import-untyped,unused-ignore]

        with fits.open(path) as file:
            table = file[1].data
            return np.asarray(table["TIME"], float), np.asarray(table["PDCSAP_FLUX"], float)
    with open(path, encoding="utf-8", errors="replace") as lines:
        first = lines.readline()
    header = not first.lstrip("-+.0123456789 ,").startswith(("\n", "e", "E")) and first[:1].isalpha()
    flux = 2 if "corrflux" in first.lower() else 1
    rows = np.genfromtxt(
        path, delimiter="," if "," in first else None, skip_header=int(header), usecols=(0, flux), ndmin=2
    )
    return rows[:, 0], rows[:, 1]


def flattened(days: Array, flux: Array) -> Array:
    """Flux over its running median, in stretches between pauses: a spacecraft may have turned meanwhile."""
    flat = np.empty_like(flux)
    for stretch in np.split(np.arange(days.size), np.flatnonzero(np.diff(days) > GAP) + 1):
        t, f = days[stretch], flux[stretch]
        low, high = np.searchsorted(t, t - WINDOW / 2), np.searchsorted(t, t + WINDOW / 2, side="right")
        flat[stretch] = f / [np.median(f[a:b]) for a, b in zip(low, high, strict=True)]
    return flat


def read_clean(path: Path) -> Array:
    """Rows: days, relative flux. ValueError if there is nothing to search."""
    days, flux = read_raw(path)
    good = np.isfinite(days) & np.isfinite(flux)
    if good.sum() < FEWEST_POINTS:
        raise ValueError(f"{good.sum()} points are numbers, at least {FEWEST_POINTS} expected")
    days, order = np.unique(days[good], return_index=True)
    flat = flattened(days, flux[good][order])
    distance = np.abs(flat - 1)
    kept = flat < 1 + CLIP_SIGMAS * 1.4826 * np.median(distance)  # faint ones stay: they may be transits
    if kept.sum() < FEWEST_POINTS:
        raise ValueError(f"{kept.sum()} points are left after clipping, at least {FEWEST_POINTS} expected")
    curve: Array = hotspare.empty((2, int(kept.sum())))
    curve[0], curve[1] = days[kept], flat[kept]
    return curve


def search(curve: Array, periods: Array, killed: bool) -> Array:
    """Rows: signal to noise of the best box at each period, its depth, its duration."""
    from astropy.timeseries import BoxLeastSquares  # type: ignore[import-untyped,unused-ignore]

    scatter = 1.4826 * float(np.median(np.abs(curve[1] - 1)))
    model = BoxLeastSquares(curve[0], curve[1], dy=scatter)
    usual = SOLAR_DURATION * float(np.median(periods)) ** (1 / 3)
    found = model.power(periods, [usual / 2, usual], objective="snr", oversample=5)
    if killed:
        os.kill(os.getpid(), signal.SIGKILL)
    result: Array = hotspare.empty((3, periods.size))
    result[:] = found.depth_snr, found.depth, found.duration
    return result


# ---- what runs here ----


@dataclass
class Found:
    """The best period of one light curve."""

    name: str
    points: int
    period: float
    depth: float
    signal_to_noise: float


def period_grid(baseline: float, shortest: float) -> Array:
    """Dense enough that a step shifts no transit by more than half its duration over the baseline."""
    longest = min(baseline / 3, 50.0)
    if longest <= shortest:
        raise ValueError(f"it covers {baseline:.2f} days: no period of more than {shortest} days to try")
    step = SOLAR_DURATION / (3 * baseline * 2)
    roots = np.arange(np.cbrt(1 / longest), np.cbrt(1 / shortest), step)
    return np.ascontiguousarray(roots[::-1] ** -3.0)


class Batch:
    """Light curves on their way through a pool."""

    def __init__(self, pool: hotspare.Pool, bands: int, shortest: float, timeout: float, kill: bool) -> None:
        self._pool = pool.with_options(timeout=timeout)
        self._bands = bands
        self._shortest = shortest
        self._kill = kill  # still to be done
        self.deaths: list[hotspare.WorkerDied] = []

    def search_all(self, paths: Sequence[Path]) -> Iterator[Found | tuple[str, Exception]]:
        """In the order of the paths; a curve that cannot be searched comes with the reason."""
        cleaned = {path: self._pool.submit(read_clean, path) for path in paths}
        for path, future in cleaned.items():
            try:
                yield self._search_one(path.stem, future.result())
            except (ValueError, OSError, KeyError, IndexError, hotspare.WorkerDied) as error:
                yield path.stem, error

    def _search_one(self, name: str, curve: Array) -> Found:
        periods = period_grid(float(curve[0, -1] - curve[0, 0]), self._shortest)
        parts = np.array_split(periods, self._bands)
        middle = len(parts) // 2
        futures = []
        for i, part in enumerate(parts):
            futures.append(self._pool.submit(search, curve, part, self._kill and i == middle))
        self._kill = False
        spectrum = np.concatenate(
            [self._survived(future, curve, part) for future, part in zip(futures, parts, strict=True)], axis=1
        )
        best = int(np.nanargmax(spectrum[0]))
        snr, depth, _ = spectrum[:, best]
        return Found(name, curve.shape[1], float(periods[best]), float(depth), float(snr))

    def _survived(self, future: Any, curve: Array, periods: Array) -> Array:
        """The band's result; searched once more if its worker died."""
        for _ in range(ATTEMPTS - 1):
            try:
                return future.result()  # type: ignore[no-any-return]
            except hotspare.WorkerDied as death:
                self.deaths.append(death)
                future = self._pool.submit(search, curve, periods, False)
        return future.result()  # type: ignore[no-any-return]


def beside_published(found: Found) -> str:
    for beginning, planet, days, source in PUBLISHED:
        if found.name.startswith(beginning):
            off = (found.period / days - 1) * 100
            return f"{planet}: published {days} d ({source}), {off:+.3f} %"
    return ""


def show(found: Found) -> None:
    where = f"{found.name:<34} {found.points:>6} points  {found.period:9.5f} d"
    box = f"depth {found.depth * 100:7.4f} %  S/N {found.signal_to_noise:6.1f}"
    print(f"{where}  {box}  {beside_published(found)}".rstrip())


def default_folder() -> Path:
    return Path(__file__).resolve().parents[2] / ".venv" / "share" / "light_curves"


def light_curves(folder: Path) -> list[Path]:
    """Raises OSError or ValueError with words for people."""
    if not folder.is_dir():
        wrong = f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}"
        hint = ": scripts/setup makes it, or name another" if folder == default_folder() else ""
        raise ValueError(wrong + hint)
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".fits", ".csv", ".dat", ".txt"))
    if not paths:
        raise ValueError(f"no light curve in {folder}: .fits, .csv, .dat or .txt expected")
    return paths


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Searches light curves for transiting planets.")
    parser.add_argument(
        "folder", type=Path, nargs="?", default=default_folder(), help="default: what scripts/setup brought"
    )
    parser.add_argument("--kill", action="store_true", help="kill one worker in the middle of its band")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--bands", type=int, default=4, help="tasks for each light curve (4)")
    parser.add_argument("--shortest", type=float, default=1.0, help="shortest period, days (1)")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one task (300)")
    given = parser.parse_args(words)
    if given.workers < 1 or given.bands < 1:
        parser.error("--workers and --bands must be at least 1")
    if not given.shortest >= 0.5:
        parser.error("--shortest must be at least 0.5 days: a period must be longer than its transits")
    if not given.timeout > 0:
        parser.error("--timeout must be more than 0")
    return given


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    try:
        import astropy.timeseries  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
    except ImportError:
        print("light_curves: needs astropy: pip install astropy", file=sys.stderr)
        return 2
    try:
        paths = light_curves(given.folder)
    except (OSError, ValueError) as error:
        print(f"light_curves: {error}", file=sys.stderr)
        return 2
    start = time.monotonic()
    failed = 0
    with hotspare.Pool(given.workers, preload=["numpy", "astropy.timeseries", "astropy.io.fits"]) as pool:
        batch = Batch(pool, given.bands, given.shortest, given.timeout, given.kill)
        for outcome in batch.search_all(paths):
            if isinstance(outcome, Found):
                show(outcome)
            else:
                failed += 1
                print(f"{outcome[0]}: {outcome[1]}")
    print(
        f"{len(paths) - failed} of {len(paths)} light curves searched in {time.monotonic() - start:.1f} s, "
        f"deaths: {len(batch.deaths)}"
    )
    for death in batch.deaths:
        print(f"  {death}; its band was searched again")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
