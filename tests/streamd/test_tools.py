"""Tools: what a model is told of a function, and what a call of it becomes."""

import functools
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import pytest
import trio
from trio.testing import MockClock

from streamd import Approve, ToolError, tool
from streamd._tools import tools_by_name
from streamd.providers import ToolCall, ToolResult
from tests.support.tools import box, call, run_round


class Place(msgspec.Struct):
    name: str

    def where(self) -> str:
        return self.name


@tool
async def weather(
    city: str,
    unit: Literal["c", "f"] = "c",
    days: Annotated[int, msgspec.Meta(ge=1, description="How many days.")] = 1,
) -> str:
    """The weather of a city."""
    return f"{city} {unit} {days}"


def test_the_schema_comes_from_the_signature() -> None:
    """Types, defaults, choices, constraints and descriptions all reach the model."""
    assert weather.spec.name == "weather"
    assert weather.spec.description == "The weather of a city."
    assert weather.spec.input_schema == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["c", "f"], "default": "c"},
            "days": {"type": "integer", "minimum": 1, "description": "How many days.", "default": 1},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_nested_types_keep_their_definitions() -> None:
    """A struct as an argument is described under `$defs`, and arrives as that struct."""

    @tool(name="go", description="Go there.")
    def travel(to: Place, via: list[Place] = []) -> str:  # noqa: B006  (a mutable default is the case)
        return to.name

    assert travel.name == "go"
    assert travel.spec.description == "Go there."
    assert travel.spec.input_schema["properties"]["to"] == {"$ref": "#/$defs/Place"}
    assert "Place" in travel.spec.input_schema["$defs"]
    assert travel.bind({"to": {"name": "x"}}) == {"to": Place("x"), "via": []}
    assert repr(travel) == "<streamd.Tool 'go'>"


def test_a_partial_function_is_a_tool() -> None:
    """What is bound by place is not described, and what is bound by name is a default; the name is the function's."""
    made = tool(functools.partial(weather.function, "Oslo", days=3))
    assert made.name == "weather"
    assert made.spec.description == "The weather of a city."
    assert made.spec.input_schema["properties"].keys() == {"unit", "days"}
    assert made.bind({}) == {"unit": "c", "days": 3}


async def test_a_tool_can_still_be_called() -> None:
    """The decorated function works as before."""
    assert await weather("Oslo", days=2) == "Oslo c 2"


def no_hint(city) -> str:  # type: ignore[no-untyped-def]  # the missing hint is the case
    return ""


def star(*cities: str) -> str:
    return ""


def unreadable(city: "Nowhere") -> str:  # type: ignore[name-defined]  # noqa: F821  (the missing name is the case)
    return ""


def unholdable(city: threading.Lock) -> str:
    return ""


def undescribable(__init__: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (no_hint, "'city' of tool 'no_hint' has no type hint"),
        (star, "cannot be given by name"),
        (unreadable, "cannot be read"),
        (unholdable, "unholdable"),
        (undescribable, "'undescribable' cannot be described"),
        (3, "made of a function"),
        (Place.where, "give object.where"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused(function: Callable[..., object], words: str) -> None:
    """The error names the tool and what is wrong with it."""
    with pytest.raises(ToolError, match=words):
        tool(function)


@pytest.mark.parametrize("tools", [None, 3, weather])
def test_what_is_no_list_of_tools_is_refused(tools: Any) -> None:
    """One function alone, or None for no tools, is told what to give."""
    with pytest.raises(ToolError, match=r"give tools=\[...\]"):
        tools_by_name(tools)


@pytest.mark.parametrize("wrong", [{"name": 3}, {"description": 3}])
def test_a_name_and_a_description_are_texts(wrong: Any) -> None:
    """Anything else is refused where the tool is made."""
    with pytest.raises(ToolError, match=next(iter(wrong))):
        tool(**wrong)(weather)


def test_two_tools_of_one_name_are_refused() -> None:
    """A name must lead to one tool."""
    with pytest.raises(ToolError, match="two tools are named 'weather'"):
        tools_by_name([weather, weather])


async def run(
    tools: list[Any],
    *calls: ToolCall,
    timeout: float | None = 30.0,
    approve: Approve | None = None,
) -> list[ToolResult]:
    """The results of one round."""
    return await run_round(box(*tools, timeout=timeout, approve=approve), *calls)


async def test_calls_run_together_and_answer_in_order(autojump_clock: MockClock) -> None:
    """Three calls of one second each take one second, and their results stand in the calls' order."""
    order: list[int] = []

    async def nap(seconds: int) -> int:
        await trio.sleep(seconds)
        order.append(seconds)
        return seconds

    results = await run([nap], *(call("nap", {"seconds": n}, str(n)) for n in (3, 1, 2)))
    assert [(r.id, r.content) for r in results] == [("3", "3"), ("1", "1"), ("2", "2")]
    assert order == [1, 2, 3]
    assert trio.current_time() == pytest.approx(3.0)


async def test_a_call_made_twice_runs_once() -> None:
    """Two calls with one id have one effect and two equal results."""
    runs: list[str] = []

    async def effect() -> str:
        runs.append("ran")
        return "done"

    results = await run([effect], call("effect"), call("effect"))
    assert [r.content for r in results] == ["done", "done"]
    assert runs == ["ran"]


@pytest.mark.parametrize(
    ("second", "contents"),
    [
        (call("note", {"n": 1}), ["1", "1"]),
        (call("note", {"n": True}), ["1", "Error: another call of this turn has the id '1'"]),
        (call("note", {"n": 2}), ["1", "Error: another call of this turn has the id '1'"]),
        (call("other", {"n": 1}), ["1", "Error: another call of this turn has the id '1'"]),
    ],
)
async def test_an_id_that_two_calls_share_answers_one_of_them(second: ToolCall, contents: list[str]) -> None:
    """A second call with the id of another is not taken for it, and not run: each call has a result, in order."""
    ran: list[int] = []

    async def note(n: int) -> int:
        ran.append(n)
        return n

    async def other(n: int) -> int:
        ran.append(-n)
        return n

    results = await run([note, other], call("note", {"n": 1}), second)
    assert [(r.name, r.content) for r in results] == [("note", contents[0]), (second.name, contents[1])]
    assert ran == [1]


async def test_calls_too_deep_to_compare_are_not_the_same() -> None:
    """Arguments that cannot be written down are never taken for another call's."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    async def take(x: Any) -> str:
        return "taken"

    results = await run([take], call("take", {"x": deep}), call("take", {"x": deep}))
    assert [r.is_error for r in results] == [False, True]
    while deep:  # taken apart, as freeing it whole would go as deep
        deep = deep.pop()


async def fails() -> str:
    raise LookupError("no such city")


async def fails_silently() -> str:
    raise trio.TooSlowError


async def fails_twice() -> str:
    raise ExceptionGroup("both", [LookupError("no such city"), ExceptionGroup("more", [OSError("no disk")])])


async def fails_in_a_nursery() -> str:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails)
    return ""


def stops() -> str:
    raise StopIteration


async def hangs() -> str:
    await trio.sleep_forever()
    return ""


async def hangs_in_a_nursery() -> str:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(trio.sleep_forever)
    return ""


def unserialisable() -> object:
    return threading.Lock()


def plain(n: int) -> dict[str, int]:
    return {"n": n}


FUNCTIONS: list[Any] = [
    *(fails, fails_silently, fails_twice, fails_in_a_nursery, stops, hangs, hangs_in_a_nursery),
    *(plain, unserialisable),
]


@pytest.mark.parametrize(
    ("which", "content", "is_error"),
    [
        (call("nobody"), "Error: there is no tool 'nobody'; the tools are: fails, hangs", True),
        (
            call("plain", {"n": "x"}),
            "Error: the arguments do not fit: Expected `int`, got `str` - at `$.n`",
            True,
        ),
        (
            call("plain", {"n": 1, "m": 2}),
            "Error: the arguments do not fit: Object contains unknown field `m`",
            True,
        ),
        (call("fails"), "Error: LookupError: no such city", True),
        (call("fails_silently"), "Error: TooSlowError", True),
        (call("fails_twice"), "Error: LookupError: no such city; OSError: no disk", True),
        (call("fails_in_a_nursery"), "Error: LookupError: no such city", True),
        (call("stops"), "Error: RuntimeError: coroutine raised StopIteration", True),
        (call("hangs_in_a_nursery"), "Error: the tool took longer than 30 s", True),
        (call("hangs"), "Error: the tool took longer than 30 s", True),
        (call("unserialisable"), "Error: the tool returned something JSON cannot hold", True),
        (call("plain", {"n": 1}), '{"n":1}', False),
    ],
)
async def test_whatever_a_tool_does_is_a_result(
    which: ToolCall, content: str, is_error: bool, autojump_clock: MockClock
) -> None:
    """Unknown tools, bad arguments, exceptions, timeouts and odd values are told to the model."""
    tools = [fails, hangs] if which.name == "nobody" else FUNCTIONS
    autojump_clock.autojump_threshold = 0 if which.name.startswith("hangs") else float("inf")
    (result,) = await run(tools, which)
    assert result.content.startswith(content)
    assert result.is_error is is_error


async def test_a_tool_that_blocks_its_thread_is_left_behind() -> None:
    """The model is told of the timeout while the thread still blocks; other tools run on."""
    release = threading.Event()

    def block() -> str:
        release.wait(10)
        return "late"

    try:
        results = await run([block, plain], call("block"), call("plain", {"n": 2}, "2"), timeout=0.05)
    finally:
        release.set()
    assert [(r.content, r.is_error) for r in results] == [
        ("Error: the tool took longer than 0.05 s", True),
        ('{"n":2}', False),
    ]


@pytest.mark.parametrize(
    ("verdict", "content"),
    [(True, '{"n":1}'), (False, "Error: the call was denied"), ("not today", "Error: not today")],
)
async def test_a_call_can_be_denied(verdict: bool | str, content: str) -> None:
    """The approval hook sees the call, and a denial is told to the model."""
    asked: list[ToolCall] = []

    async def approve(which: ToolCall) -> bool | str:
        asked.append(which)
        return verdict

    (result,) = await run([plain], call("plain", {"n": 1}), approve=approve)
    assert result.content == content
    assert asked == [call("plain", {"n": 1})]


@pytest.mark.parametrize("waited", [False, True])
@pytest.mark.parametrize("verdict", [None, 1, b"yes", [True]])
async def test_only_true_allows_a_call(verdict: Any, waited: bool) -> None:
    """Whatever else an approval hook gives is a denial, and its reason only where that is a text."""

    async def later() -> Any:
        return verdict

    (result,) = await run([plain], call("plain", {"n": 1}), approve=lambda _: later() if waited else verdict)
    assert (result.content, result.is_error) == ("Error: the call was denied", True)


async def test_no_timeout() -> None:
    """A timeout of None lets a tool take as long as it likes."""
    (result,) = await run([plain], call("plain", {"n": 1}), timeout=None)
    assert result.content == '{"n":1}'


def test_what_a_tool_does_to_its_arguments_changes_no_call() -> None:
    """They are its own, as deep as they go: the call goes back to the model as it came."""

    @tool
    def spoil(place: Any, tags: dict[str, Any] | list[Any]) -> str:
        """Change what it was given."""
        place["name"].append("x")
        tags.clear()
        return "done"

    call = {"place": {"name": ["Oslo"]}, "tags": ["a"]}
    spoil(**spoil.bind(call))
    assert call == {"place": {"name": ["Oslo"]}, "tags": ["a"]}
