"""The tables of docs/content.md, made of the code: `python docs/content_table.py` writes them anew."""

import ast
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from streamd.providers import (
    FORMATS,
    WIRES,
    CachePoint,
    Chunk,
    Citation,
    ConfigError,
    Context,
    File,
    Image,
    Media,
    Message,
    Options,
    OutputSpec,
    Part,
    ServerToolCall,
    Text,
    Thinking,
)

PAGE = Path(__file__).with_name("content.md")
SOURCES = Path(__file__).parent.parent / "providers"
USER, OPTION, TURN = "a user's message", "an option", "an assistant's turn"

Kind = tuple[str, tuple[Part, ...], dict[str, Any]]
"""Where it stands, the parts, and the options."""

_SCHEMA = MappingProxyType({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]})

KINDS: dict[str, Kind] = {
    "image, data": (USER, (Image("image/png", b"a"),), {}),
    "image, URL": (USER, (Image(url="https://x.test/a.png"),), {}),
    "PDF, data": (USER, (File(data=b"%PDF"),), {}),
    "PDF, URL": (USER, (File(url="https://x.test/a.pdf"),), {}),
    "PDF, `file_id`": (USER, (File(file_id="f_1"),), {}),
    "text file, data": (USER, (File("text/plain", b"a"),), {}),
    "sound, data": (USER, (File("audio/wav", b"RIFF"),), {}),
    "video, data": (USER, (File("video/mp4", b"a"),), {}),
    "`CachePoint`": (USER, (Text("a"), CachePoint(), Text("b")), {}),
    "`Media`": (TURN, (Text("a"), Media("image/png", b"a")), {}),
    "signed `Thinking`": (TURN, (Thinking("a", "s", "r_1"), Text("a")), {}),
    "own `ServerToolCall`": (TURN, (ServerToolCall("s", "search", {}, "?", {"type": "x"}), Text("a")), {}),
    "own `Citation`": (TURN, (Text("a"), Citation("https://x.test", wire="?", raw={"type": "x"})), {}),
    "`server_tools`": (OPTION, (), {"server_tools": ({"type": "search"},)}),
    "`output_type`": (OPTION, (), {"output": OutputSpec("answer", dict(_SCHEMA))}),
    "`logprobs=0`": (OPTION, (), {"logprobs": 0}),
    "`logprobs=5`": (OPTION, (), {"logprobs": 5}),
    "`cache`": (OPTION, (), {"cache": "5m"}),
}
"""What a conversation can hold besides texts and tool calls, and what can be asked for."""

GIVEN = (
    *("Thinking", "RedactedThinking", "Refusal", "Citation", "Media", "LogProbs"),
    *("ServerToolCall", "ServerToolResult"),
)
"""The chunks that not every wire gives."""

_OWN = {"anthropic-vertex": "anthropic-messages", "bedrock-invoke": "anthropic-messages"}
"""The wires whose blocks are another's."""


def takes(wire: str, kind: str) -> str:
    """What becomes of it: `sent`, `left out`, or `refused` with a `ConfigError`."""
    place, parts, options = KINDS[kind]
    parts = tuple(_of_wire(part, wire) for part in parts)
    try:
        sent = body(wire, place, parts, options)
    except ConfigError:
        return "refused"
    without = tuple(part for part in parts if isinstance(part, Text))
    try:
        return "left out" if sent == body(wire, place, without, {}) else "sent"
    except ConfigError:  # a user's message with nothing left
        return "sent"


def _of_wire(part: Any, wire: str) -> Any:
    """The part as this wire's own, where it names one."""
    if getattr(part, "wire", "") != "?":
        return part
    fields = (getattr(part, name) for name in part.__struct_fields__)
    return type(part)(*(_OWN.get(wire, wire) if field == "?" else field for field in fields))


def body(wire: str, place: str, parts: tuple[Part, ...], options: dict[str, Any]) -> bytes:
    """What a wire writes for the parts in their place."""
    given = dict(options)
    server_tools = given.pop("server_tools", ())
    messages = [Message.user("hi")]
    if place == USER:
        messages = [Message("user", parts)]
    elif place == TURN:
        messages += [Message("assistant", parts), Message.user("go on")]
    format_ = FORMATS[wire]
    context = Context(tuple(messages), server_tools=server_tools)
    return format_.body("the provider", context, Options("m", **given), format_.quirks)


def gives(wire: str) -> set[str]:
    """The chunks that the decoder of a wire makes, by the calls in its modules."""
    names = {chunk.__name__ for chunk in get_args(Chunk)}
    found: set[str] = set()
    for module in _modules(_decoder_module(wire)):
        found |= {call for call in _calls(module) if call in names}
    return found


def _decoder_module(wire: str) -> str:
    decoder = WIRES[wire]()
    machine = getattr(decoder, "_machine", decoder)
    return type(machine).__module__.rpartition(".")[2]


@cache
def _modules(name: str) -> frozenset[str]:
    """A module and all it imports of the package."""
    seen, left = set[str](), [name]
    while left:
        module = left.pop()
        if module in seen or module in {"chunks", "messages", "errors", "_fold"}:
            continue
        seen.add(module)
        tree = ast.parse((SOURCES / f"{module}.py").read_text("utf-8"))
        left += [
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
        ]
    return frozenset(seen)


@cache
def _calls(module: str) -> frozenset[str]:
    tree = ast.parse((SOURCES / f"{module}.py").read_text("utf-8"))
    return frozenset(
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )


def taken_table() -> str:
    """What each wire takes, as a Markdown table."""
    marks = {"sent": "yes", "left out": "left out", "refused": "–"}
    rows = [
        [kind, place, *(marks[takes(wire, kind)] for wire in FORMATS)] for kind, (place, *_) in KINDS.items()
    ]
    return _table(["what", "in", *(f"`{wire}`" for wire in FORMATS)], rows)


def given_table() -> str:
    """What each wire gives, as a Markdown table."""
    rows = [[f"`{chunk}`", *("yes" if chunk in gives(wire) else "–" for wire in WIRES)] for chunk in GIVEN]
    return _table(["chunk", *(f"`{wire}`" for wire in WIRES)], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *rows))


def renewed(page: str) -> str:
    """The page with the tables as the code has them."""
    for name, made in (("taken", taken_table()), ("given", given_table())):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{made}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
