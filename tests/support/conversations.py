"""Conversations that the tests of several wires write down."""

from typing import Any

from streamd.providers import (
    CachePoint,
    Citation,
    Context,
    File,
    Image,
    Message,
    Options,
    OutputSpec,
    RedactedThinking,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)

__all__ = ["EVERYTHING", "REPORT", "RICH", "TOOLS", "richest"]

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

REPORT = OutputSpec(
    "report",
    {
        "type": "object",
        "properties": {"rain": {"type": "boolean"}},
        "required": ["rain"],
        "additionalProperties": False,
    },
)
"""The shape an answer is to have."""


def richest(wire: str, searched: dict[str, Any], found: dict[str, Any], cited: dict[str, Any]) -> Context:
    """A conversation with every kind of part: `RICH`, with a document and a cache point, and a search on this wire.

    `searched` and `found` are the provider's own blocks of its search, `cited` is its own form of a source.
    """
    user, assistant, *others = RICH.messages
    document = File("application/pdf", b"%PDF", name="towns.pdf")
    search = (
        ServerToolCall("s_1", "web_search", {"query": "towns"}, wire, searched),
        ServerToolResult("s_1", "web_search", [], wire, found),
        ServerToolCall("s_0", "web_search", {}, "another wire", {"type": "unknown there"}),
        Text("Found them."),
        Citation("https://y.test", "Another", "cited", wire, cited),
    )
    return Context(
        (
            Message("user", (*user.content, document, CachePoint("1h"))),
            Message("assistant", (*search, *assistant.content)),
            *others,
        ),
        system=RICH.system,
        tools=TOOLS,
        server_tools=({"type": "web_search", "name": "web_search"},),
    )
