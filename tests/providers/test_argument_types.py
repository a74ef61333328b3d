"""Arguments of tool calls that are of another JSON type than the wire has for them: nothing is run from them."""

from typing import Any

import pytest

from streamd.providers import ToolCall
from streamd.providers._tool_calls import ToolCallAssembly
from streamd.testing import ONE_TOOL, WIRES, Fault, decode


@pytest.mark.parametrize("value", ["array", "text", "number", "false", "raw"])
@pytest.mark.parametrize("wire", WIRES)
def test_arguments_that_are_no_object_are_not_taken_for_none(wire: str, value: str) -> None:
    """A call without arguments may be run with none; one with an array in their place may not."""
    run = decode(ONE_TOOL, Fault("tool.args_non_object", value=value), wire=wire)
    run.verdict.raise_if_found()
    assert run.observed.tools == []


@pytest.mark.parametrize("value", [[1], [], 0, False, 1.5, True])
def test_a_piece_that_is_no_text_and_no_object(value: Any) -> None:
    """The call never closes, whatever else comes for it."""
    calls = ToolCallAssembly()
    calls.add(0, "a", "f", value)
    calls.add(0, None, None, '{"x":1}')
    calls.add(1, "b", "g", "{}")
    assert calls.closed(may_be_empty=True) == [ToolCall(1, "b", "g", {})]


@pytest.mark.parametrize("value", [None, ""])
def test_no_arguments_are_still_none(value: Any) -> None:
    """A call of a tool without arguments may come without any."""
    calls = ToolCallAssembly()
    calls.add(0, "a", "f", value)
    assert calls.closed(may_be_empty=True) == [ToolCall(0, "a", "f", {})]
