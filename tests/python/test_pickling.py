"""What travels by name, and what multiprocessing's own reducers are asked for."""

from __future__ import annotations

import copyreg
import functools
import multiprocessing as mp
import os
import pickle

import pytest
from hotspare._pickling import dumps, is_a_name


@pytest.mark.parametrize("function", [os.getpid, len, pytest.raises, int, copyreg.pickle])
def test_a_function_of_a_module_is_a_name(function: object) -> None:
    assert is_a_name(function, pickle.dumps(function, 5))


@pytest.mark.parametrize("function", [functools.partial(int, "3"), lambda: 3])
def test_what_holds_state_is_none(function: object) -> None:
    assert not is_a_name(function, dumps(function, None))


def test_a_closure_goes_by_cloudpickle() -> None:
    offset = 4
    assert pickle.loads(dumps(lambda x: x + offset, None))(3) == 7


def test_a_connection_goes_as_multiprocessing_sends_it() -> None:
    ours, theirs = mp.Pipe()
    again = pickle.loads(dumps(ours, None))
    theirs.send("hello")
    assert again.recv() == "hello"
    assert again.fileno() != ours.fileno()


class Refuses:
    def __reduce__(self) -> str | tuple[object, ...]:
        raise pickle.PicklingError("not me")


def test_the_error_is_pickles_own() -> None:
    with pytest.raises(pickle.PicklingError, match="not me"):
        dumps(Refuses(), None)
    with pytest.raises(TypeError, match="generator"):
        dumps((i for i in range(3)), None)
