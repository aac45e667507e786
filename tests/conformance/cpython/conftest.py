"""Finds CPython's tests by asking the replaced interpreter, and runs those that were selected."""

from collections.abc import Iterator

import pytest

from conformance.conftest import interpreter_of
from conformance.cpython.group import RUNNER
from conformance.cpython.schedule import Schedule, groups_of

TESTS = pytest.StashKey[list[str]]()


def tests_of(config: pytest.Config) -> list[str]:
    if TESTS not in config.stash:
        listing = interpreter_of(config).run([str(RUNNER), "list"], cwd=config.rootpath)
        if listing.status != 0:
            raise pytest.UsageError(
                "CPython's tests cannot be loaded. Is the package libpython3.11-testsuite installed, "
                f"and the package under test?\n{listing.stderr}"
            )
        config.stash[TESTS] = listing.stdout.split()
    return config.stash[TESTS]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cpython_test" in metafunc.fixturenames:
        metafunc.parametrize("cpython_test", tests_of(metafunc.config))
    if "cpython_class" in metafunc.fixturenames:
        metafunc.parametrize("cpython_class", [group.name for group in groups_of(tests_of(metafunc.config))])


@pytest.fixture(scope="session")
def all_tests(pytestconfig: pytest.Config) -> list[str]:
    return tests_of(pytestconfig)


@pytest.fixture(scope="session")
def schedule(request: pytest.FixtureRequest) -> Iterator[Schedule]:
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    classes = {param["cpython_class"] for param in params if "cpython_class" in param}
    chosen = {param["cpython_test"] for param in params if "cpython_test" in param}
    everything = tests_of(request.config)
    # A class whose end alone was selected is run as a whole.
    whole = classes - {test.partition(".")[0] for test in chosen}
    schedule = Schedule(
        interpreter_of(request.config),
        [test for test in everything if test in chosen or test.partition(".")[0] in whole],
    )
    yield schedule
    schedule.close()
