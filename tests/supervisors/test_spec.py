"""Specs, limits and backoffs: what is refused when they are made, and the numbers they give."""

import math
from typing import Any

import pytest
import trio

from streamd.supervisors import Backoff, ChildSpec, DynamicSupervisor, InvalidSpec, RestartLimit, Supervisor

run = trio.sleep_forever


def spec(**fields: Any) -> ChildSpec:
    """A child's spec with some fields changed."""
    return ChildSpec(**{"id": "a", "run": run} | fields)


async def agen() -> Any:
    """An async generator function, which is no child."""
    yield 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": ""}, "non-empty string"),
        ({"id": 3}, "non-empty string"),
        ({"run": 3}, "must be an async function"),
        ({"restart": "always"}, "restart must be one of"),
        ({"shutdown": -1}, "shutdown must be 0 or more"),
        ({"shutdown": math.nan}, "shutdown must be 0 or more"),
        ({"start_timeout": 0}, "start_timeout must be more than 0"),
        ({"start_timeout": math.nan}, "start_timeout must be more than 0"),
        ({"ready": "soon"}, "ready must be one of"),
        ({"significant": True}, "must be transient or temporary"),
        ({"significant": True, "restart": "permanent"}, "must be transient or temporary"),
        ({"kind": "manager"}, "kind must be one of"),
        ({"kind": "supervisor"}, "must be math.inf"),
        ({"kind": "supervisor", "shutdown": 5.0}, "must be math.inf"),
    ],
)
def test_a_spec_that_cannot_work_is_refused(fields: dict[str, Any], message: str) -> None:
    """A wrong field is a typed error, a ValueError, that names it, when the spec is made."""
    with pytest.raises(InvalidSpec, match=message) as caught:
        spec(**fields)
    assert isinstance(caught.value, ValueError)


def test_a_coroutine_in_place_of_its_function_is_refused() -> None:
    """Calling the function in the spec is a common slip."""
    coroutine = run()
    with pytest.raises(InvalidSpec, match="not its call"):
        spec(run=coroutine)
    coroutine.close()


def test_an_async_generator_function_is_refused() -> None:
    """It can be called but not awaited."""
    with pytest.raises(InvalidSpec, match="async generator"):
        spec(run=agen)


@pytest.mark.parametrize(
    "fields",
    [
        {"initial": -1},
        {"initial": math.inf},
        {"initial": 1, "factor": 0.5},
        {"initial": 31},
        {"initial": 1, "maximum": math.inf},
        {"initial": 1, "jitter": -0.1},
        {"initial": 1, "reset_after": 0},
        {"initial": 1, "max_consecutive": -1},
        {"initial": math.nan},
    ],
)
def test_a_backoff_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    """Every number of a backoff is checked."""
    with pytest.raises(InvalidSpec):
        Backoff(**fields)


@pytest.mark.parametrize("fields", [(-1, 5.0), (3, 0), (3, -1), (3, math.nan)])
def test_a_limit_out_of_range_is_refused(fields: tuple[int, float]) -> None:
    """A limit needs a count from 0 and a window above 0."""
    with pytest.raises(InvalidSpec):
        RestartLimit(*fields)


@pytest.mark.parametrize(
    ("children", "options", "message"),
    [
        ([spec(), spec()], {}, "two children have the id 'a'"),
        ([3], {}, "as a ChildSpec"),
        ([spec(significant=True, restart="transient")], {}, 'auto_shutdown is "never"'),
        ([], {"strategy": "all"}, "strategy must be one of"),
        ([], {"auto_shutdown": "some"}, "auto_shutdown must be one of"),
        ([], {"cancel_grace": -1}, "cancel_grace must be"),
        ([], {"cancel_grace": math.inf}, "cancel_grace must be"),
        ([spec()], {"build": list, "strategy": "one_for_all"}, "either children or build"),
        ([], {"build": list}, 'needs strategy="one_for_all"'),
        ([], {"backoff": Backoff(initial=2)}, "can never be reached"),
        ([spec(backoff=Backoff(initial=2))], {}, "can never be reached"),
    ],
)
def test_a_supervisor_that_cannot_work_is_refused(
    children: list[Any], options: dict[str, Any], message: str
) -> None:
    """Specs that do not suit each other or their supervisor are refused when it is made, before anything runs."""
    with pytest.raises(InvalidSpec, match=message):
        Supervisor(*children, **options)


@pytest.mark.parametrize(
    "options", [{"max_children": 0}, {"cancel_grace": -1}, {"backoff": Backoff(initial=2)}]
)
def test_a_dynamic_supervisor_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """A DynamicSupervisor checks its options as well."""
    with pytest.raises(InvalidSpec):
        DynamicSupervisor(**options)


def test_an_unreachable_limit_needs_a_backstop() -> None:
    """Delays of 1.5, 3 and 6 s cannot use up 3 restarts in 5 s: a longer window or max_consecutive makes it sound."""
    slow = Backoff(initial=1.5)
    with pytest.raises(InvalidSpec, match=r"raise `per` or set Backoff\.max_consecutive"):
        Supervisor(backoff=slow)
    Supervisor(backoff=slow, restarts=RestartLimit(3, per=10.5))
    Supervisor(backoff=slow, restarts=RestartLimit(3, per=math.inf))
    Supervisor(backoff=slow, restarts=RestartLimit(0))
    Supervisor(backoff=Backoff(initial=1.5, max_consecutive=10))


def test_delays_grow_to_the_maximum_and_jitter_only_adds() -> None:
    """The n-th delay is initial * factor ** (n - 1), at most maximum, plus its share of the jitter."""
    backoff = Backoff(initial=1, factor=3, maximum=20, jitter=0.5)
    assert [backoff.delay(n) for n in (1, 2, 3, 4, 5000)] == [1, 3, 9, 20, 20]
    assert [backoff.delay(2, spread) for spread in (0.0, 0.5, 1.0)] == [3, 3.75, 4.5]


def test_defaults_are_those_of_elixir_and_otp() -> None:
    """Three restarts in five seconds, five seconds to stop, permanent when nothing is said."""
    assert RestartLimit() == RestartLimit(3, 5.0)
    assert (spec().shutdown, spec().restart, spec().start_timeout, spec().ready) == (
        5.0,
        None,
        math.inf,
        None,
    )
