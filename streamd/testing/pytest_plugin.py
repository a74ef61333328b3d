"""pytest's plugin: servers that fail, simulations, a marker that sweeps faults over a test, and recorded sessions.

Use it so::

    @pytest.mark.llm_faults("net.*", "sse.crlf", seeds=3)
    def test_my_app(faulty_llm):
        answer = my_app.ask("Hi", base_url=faulty_llm.base_url("openai-chat"))
        ...

pytest finds it by itself. Its fixtures are `llm_server`, `faulty_llm`, `simulate` and `streamd_cassette`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from streamd.errors import ConfigError

from ._fault import FaultLike, plan_of
from ._marked import Marked, marked
from ._pytest_cassette import OPTION, streamd_cassette
from ._run import Run
from ._scenario import HELLO, Scenario
from ._serve_thread import serve_in_thread
from ._served import Served
from ._simulate import simulate as run_simulation
from ._world import App

__all__ = [
    "Simulating",
    "StartServer",
    "faulty_llm",
    "llm_fault",
    "llm_server",
    "simulate",
    "streamd_cassette",
]

_MARKER = (
    "llm_faults(*faults, seeds=1, wires=None, scenario=HELLO, pace=20): run the test, which uses `faulty_llm` or "
    "`simulate`, with each of these faults: names, patterns such as 'net.*', or plans such as 'net.reset@byte:120'"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--streamd-record`."""
    parser.getgroup("streamd").addoption(
        OPTION,
        choices=["once", "none", "all"],
        default="once",
        help="streamd_cassette: record where nothing was recorded and play otherwise (once, the default); "
        "only play, and fail where nothing was recorded (none); record everything anew (all)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a marked test once for each of its faults."""
    marker = metafunc.definition.get_closest_marker("llm_faults")
    if marker is None:
        return
    if "llm_fault" not in metafunc.fixturenames:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: llm_faults needs `faulty_llm` or `simulate`")
    try:
        runs = marked(*marker.args, **marker.kwargs, served="faulty_llm" in metafunc.fixturenames)
    except (ConfigError, TypeError) as error:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: {error}") from error
    metafunc.parametrize("llm_fault", runs, ids=map(str, runs), indirect=True)


class StartServer(Protocol):
    """Starts a server, as `streamd.testing.serve_in_thread` does; it ends with the test."""

    def __call__(
        self,
        scenario: Scenario = HELLO,
        *plan: FaultLike,
        wire: str | None = None,
        seed: int = 0,
        port: int = 0,
        pace: float = 1.0,
    ) -> Served:
        """Start one more server."""
        ...


class Simulating(Protocol):
    """Runs an application in virtual time, as `streamd.testing.simulate` does, with the marker's faults."""

    def __call__(
        self,
        app: App,
        scenario: Scenario | None = None,
        *plan: FaultLike,
        wire: str | None = None,
        seed: int | None = None,
        limit: float = 3600.0,
    ) -> Run:
        """Run it once; what is not given is the marker's."""
        ...


@pytest.fixture
def llm_fault(request: pytest.FixtureRequest) -> Marked | None:
    """The run that the marker `llm_faults` asks for; None for a test without it."""
    given: Marked | None = getattr(request, "param", None)
    return given


@pytest.fixture
def llm_server(request: pytest.FixtureRequest) -> Iterator[StartServer]:
    """Start servers that play a scenario with faults, each in a thread of its own, so for code on any event loop."""
    with ExitStack() as stack:

        def start(
            scenario: Scenario = HELLO,
            *plan: FaultLike,
            wire: str | None = None,
            seed: int = 0,
            port: int = 0,
            pace: float = 1.0,
        ) -> Served:
            server = serve_in_thread(scenario, *plan, wire=wire, seed=seed, port=port, pace=pace)
            return _named(stack.enter_context(server), request)

        yield start


@pytest.fixture
def faulty_llm(request: pytest.FixtureRequest, llm_fault: Marked | None) -> Iterator[Served]:
    """A server with the marker's faults, in a thread of its own, so for code on any event loop."""
    if llm_fault is None:
        raise pytest.UsageError("faulty_llm needs a marker, such as @pytest.mark.llm_faults('net.*')")
    case = llm_fault.case
    with serve_in_thread(
        case.scenario, *case.plan, wire=llm_fault.wire, seed=case.seed, pace=llm_fault.pace
    ) as served:
        yield _named(served, request)


@pytest.fixture
def simulate(llm_fault: Marked | None) -> Simulating:
    """Run an application of trio's in virtual time, with the marker's faults; for tests that are plain functions."""
    given = None if llm_fault is None else llm_fault.case

    def run(
        app: App,
        scenario: Scenario | None = None,
        *plan: FaultLike,
        wire: str | None = None,
        seed: int | None = None,
        limit: float = 3600.0,
    ) -> Run:
        faults = plan_of(plan)
        if given is not None:
            scenario, wire = scenario or given.scenario, wire or given.wire
            faults, seed = (*given.plan, *faults), given.seed if seed is None else seed
        return run_simulation(
            app, scenario or HELLO, *faults, wire=wire or "openai-chat", seed=seed or 0, limit=limit
        )

    return run


def _named(served: Served, request: pytest.FixtureRequest) -> Served:
    served.repro = shlex.join(["pytest", request.node.nodeid])
    return served
