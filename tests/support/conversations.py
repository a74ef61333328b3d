"""Conversations that the tests of several wires write down."""

from streamd.providers import (
    Citation,
    Context,
    Image,
    Message,
    Options,
    RedactedThinking,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)

__all__ = ["EVERYTHING", "RICH", "TOOLS"]

TOOLS = (
    ToolSpec(
        "weather",
        "The weather of a town.",
        {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    ),
    ToolSpec("now", "", {"type": "object", "properties": {}}),
)

RICH = Context(
    messages=(
        Message.user(
            "Which towns are these?", Image("image/jpeg", b"\xff\xd8\xff"), Image(url="https://x.test/a.png")
        ),
        Message(
            "assistant",
            (
                Thinking("Two towns. ", "c2lnbmVk"),
                RedactedThinking("b3BhcXVl"),
                Text("I will "),
                Citation("https://x.test", "A source"),
                Text("look."),
                Thinking("Both at once.", "YWdhaW4="),
                ToolCall(0, "call_1", "weather", {"town": "Ulm", "days": 2}),
                ToolCall(1, "call_2", "now", {}),
            ),
        ),
        Message("tool", (ToolResult("call_1", "weather", "rain, 8 °C"),)),
        Message("tool", (ToolResult("call_2", "now", "the clock is broken", is_error=True),)),
        Message.user("Thank you. And tomorrow?"),
    ),
    system="Be brief.",
    tools=TOOLS,
)
"""A system message, images, thinking of each kind, two tool calls and two results."""

EVERYTHING = Options(
    model="m-1",
    max_tokens=100,
    temperature=0.5,
    top_p=0.9,
    stop=("END", "STOP"),
    tool_choice="required",
    extra_headers={"X-Extra": "1"},
    extra_body={"seed": 7, "temperature": 0.25},
)
