"""Bodies of the chat-completions wire, event by event."""

from typing import Any

import msgspec

DONE = b"data: [DONE]\n\n"


def event(**fields: Any) -> bytes:
    """One server-sent event with a JSON object."""
    return b"data: " + msgspec.json.encode(fields) + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """One chunk of a chat completion with this delta."""
    choice = {"index": 0, "delta": fields, "finish_reason": finish}
    return event(id="chatcmpl-1", model="tiny-1", object="chat.completion.chunk", choices=[choice])


def text(words: str) -> bytes:
    """A piece of visible text."""
    return delta(content=words)


def call(name: str, arguments: str, id: str = "call_1", index: int = 0) -> bytes:
    """A tool call that comes whole in one delta."""
    function = {"name": name, "arguments": arguments}
    return delta(tool_calls=[{"index": index, "id": id, "type": "function", "function": function}])


def finish(reason: str = "stop") -> bytes:
    """The delta that says why the turn ended."""
    return delta(finish=reason)


def usage(prompt: int, completion: int) -> bytes:
    """The trailing chunk that counts tokens."""
    return event(
        id="chatcmpl-1",
        model="tiny-1",
        choices=[],
        usage={
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    )


def answer(*words: str, prompt: int = 3, completion: int = 2) -> bytes:
    """A whole good answer."""
    return b"".join(map(text, words)) + finish() + usage(prompt, completion) + DONE
