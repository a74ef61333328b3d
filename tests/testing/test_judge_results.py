"""What the judge finds of the results that a request tells, on every wire that has tools."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from streamd.testing import ONE_TOOL, TWO_TOOLS, WIRES, World, serve_in_thread, simulate, streamd_app
from streamd.testing._judge_results import judge_results
from streamd.testing._results import ResultTold, results_in

Change = Callable[[Sequence[ResultTold]], Sequence[ResultTold]]


@pytest.mark.parametrize("wire", WIRES)
def test_every_wire_tells_results(wire: str) -> None:
    """Each with its call's id, and with the text of it."""
    run = simulate(streamd_app, TWO_TOOLS, "tool.raises@tool:2", wire=wire)
    assert run.verdict.findings == ()
    first, second = (attempt.results or () for attempt in run.trace.attempts)
    assert first == ()
    assert [result.id for result in second] == ["call_1_1", "call_1_2"]
    told = {result.id: result for result in second}
    for seen in run.observed.tools:
        assert told[seen.id].tells(seen.answer or "ValueError: the tool failed")


def _turned(told: Sequence[ResultTold]) -> Sequence[ResultTold]:
    return told[::-1]


def _emptied(told: Sequence[ResultTold]) -> Sequence[ResultTold]:
    return [replace(result, texts=(" ",)) for result in told]


def _exchanged(told: Sequence[ResultTold]) -> Sequence[ResultTold]:
    return [replace(result, texts=other.texts) for result, other in zip(told, reversed(told), strict=True)]


def _lost(told: Sequence[ResultTold]) -> Sequence[ResultTold]:
    return told[:1]


def _in_json(told: Sequence[ResultTold]) -> Sequence[ResultTold]:
    return [replace(result, texts=(json.dumps({"result": result.texts[0]}),)) for result in told]


@pytest.mark.parametrize("wire", ["openai-chat", "bedrock-converse"])
@pytest.mark.parametrize(
    ("change", "details"),
    [
        (
            _turned,
            ["attempt 2 tells results in the order ['call_1_2', 'call_1_1'], not ['call_1_1', 'call_1_2']"],
        ),
        (
            _emptied,
            [
                "the result of the call 'call_1_1' is told as ' ', not 'rain'",
                "the result of the call 'call_1_2' is told as ' ', not '12:30'",
            ],
        ),
        (
            _exchanged,
            [
                "the result of the call 'call_1_1' is told as '12:30', not 'rain'",
                "the result of the call 'call_1_2' is told as 'rain', not '12:30'",
            ],
        ),
        (_lost, ["attempt 2 tells no result of the call 'call_1_2'"]),
        (_in_json, []),
    ],
)
def test_what_is_told_is_what_was_answered(wire: str, change: Change, details: list[str]) -> None:
    """All of it, for the call that asked, in the calls' order; in whichever form."""
    run = simulate(streamd_app, TWO_TOOLS, wire=wire)
    first, second = run.trace.attempts
    changed = replace(second, results=tuple(change(second.results or ())))
    found = list(judge_results(run.observed, [first, changed]))
    assert found == [("wrong_tool_result", detail) for detail in details]


def test_the_order_is_held_where_it_is_promised() -> None:
    """A call's id tells whose a result is: who does not say that they come in order may tell them in any."""
    run = simulate(streamd_app, TWO_TOOLS)
    first, second = run.trace.attempts
    turned = replace(second, results=tuple(_turned(second.results or ())))
    run.observed.in_order = False
    assert list(judge_results(run.observed, [first, turned])) == []


@pytest.mark.parametrize("fault", ["tool.raises", "tool.unwritable", "tool.hangs", "tool.name_unknown"])
def test_of_what_failed_something_is_told(fault: str) -> None:
    """Whatever it is: a model that is told nothing takes it for an answer."""
    run = simulate(streamd_app, ONE_TOOL, fault)
    assert run.verdict.findings == ()
    first, second = run.trace.attempts
    silent = replace(second, results=tuple(_emptied(second.results or ())))
    ((name, detail),) = judge_results(run.observed, [first, silent])
    assert name == "wrong_tool_result"
    assert detail.startswith("nothing is told of the call 'call_1_1', whose tool ")


BODIES: list[tuple[Any, list[tuple[str, tuple[str, ...]]]]] = [
    ([], []),
    ({"messages": [{"role": "user", "content": "Hi"}]}, []),
    ({"messages": [{"role": "tool", "tool_name": "clock", "content": "12:30"}]}, [("", ("12:30",))]),
    (
        {"contents": [{"parts": [{"functionResponse": {"name": "clock", "response": {"now": "12:30"}}}]}]},
        [("", ("12:30",))],
    ),
    (
        {"messages": [{"content": [{"type": "tool_use", "input": {"role": "tool", "content": "no"}}]}]},
        [],
    ),
]


@pytest.mark.parametrize(("body", "told"), BODIES)
def test_results_without_an_id_are_results(body: Any, told: list[tuple[str, tuple[str, ...]]]) -> None:
    """Some wires can tell them so; and what a tool was called with is none."""
    assert [(each.id, each.texts) for each in results_in(json.dumps(body).encode())] == told


def test_an_application_of_its_own_is_judged_alike() -> None:
    """One that runs its tools by hand and tells the model something else."""
    for said, expected in (("rain, 8 °C", set[str]()), ("sun", {"wrong_tool_result"})):

        async def app(world: World, said: str = said) -> None:
            messages: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
            url, body = f"{world.url}/v1/chat/completions", {"messages": messages, "stream": True}
            await world.client.post(url, json=body)
            await world.ran_tool("call_1_1", "weather", {"city": "Oslo", "days": 2})
            messages += [
                {"role": "assistant", "tool_calls": [{"id": "call_1_1"}]},
                {"role": "tool", "tool_call_id": "call_1_1", "content": said},
            ]
            await world.client.post(url, json=body)
            world.said("Let me look.It rains in Oslo.")
            world.finished()

        run = simulate(app, ONE_TOOL)
        assert {finding.name for finding in run.verdict.findings} == expected


def test_a_client_of_a_real_server_is_judged_alike() -> None:
    """From another thread, with whatever HTTP library."""
    with serve_in_thread(ONE_TOOL, wire="openai-chat") as server:
        url = f"{server.base_url()}/chat/completions"
        messages: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
        httpx.post(url, json={"messages": messages, "stream": True})
        assert server.ran_tool("call_1_1", "weather", {"city": "Oslo", "days": 2}) == "rain, 8 °C"
        messages += [
            {"role": "assistant", "tool_calls": [{"id": "call_1_1"}]},
            {"role": "tool", "tool_call_id": "call_1_1", "content": ""},
        ]
        httpx.post(url, json={"messages": messages, "stream": True})
        names = {finding.name for finding in server.result().verdict.findings}
    assert names == {"wrong_tool_result"}
