"""Causes are described once: Python's table has the words of src/death/causes.hpp."""

from __future__ import annotations

import re
from pathlib import Path

from hotspare._causes import ENDED, SENTENCES

_TABLE = Path(__file__).parents[2] / "src" / "death" / "causes.hpp"
_ROW = re.compile(r'\{Cause::(\w+),\s+"(\w+)",\s+"([^"]*)",\s+task::Reason::\w+(, true)?\}')


def test_python_has_the_words_of_the_table() -> None:
    rows = _ROW.findall(_TABLE.read_text())
    assert len(rows) == len(SENTENCES)
    assert {name: sentence for _, name, sentence, _ in rows} == SENTENCES
    assert {name for _, name, _, ended in rows if ended} == ENDED
    assert all(enumerator == name for enumerator, name, _, _ in rows)
