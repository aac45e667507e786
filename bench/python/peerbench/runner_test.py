"""How figures of several processes become one, and why a process has ended."""

from pathlib import Path

from peerbench import child
from peerbench.figures import Figure
from peerbench.runner import one_figure, why_it_ended


def test_the_median_of_several_processes() -> None:
    measured = [Figure("row", 3.0), Figure("row", 1.0), Figure("row", 2.0, "last")]
    assert one_figure("row", measured, "") == Figure("row", 2.0, "last")


def test_what_was_measured_before_a_hang_is_kept() -> None:
    assert one_figure("row", [Figure("row", 1.0)], "never").value == 1.0


def test_the_reason_stands_in_for_a_missing_value() -> None:
    assert one_figure("row", [], "never") == Figure("row", None, "never")


def test_a_note_of_the_group_is_kept() -> None:
    figure = Figure("row", None, "never")
    assert one_figure("row", [figure], "") == figure


def test_why_it_ended(tmp_path: Path) -> None:
    err = tmp_path / "stderr"
    err.write_text("Traceback (most recent call last):\n  File ...\nOSError: no\n\n")
    assert why_it_ended(0, err) == ""
    assert why_it_ended(child.NOT_INSTALLED, err) == "not installed"
    assert why_it_ended(1, err) == "OSError: no"
    err.write_text("")
    assert why_it_ended(-11, err) == "exit status -11"
