"""What all are asked, and the tool they are given."""

from __future__ import annotations

from typing import Any

__all__ = ["HI", "TOOL"]

HI: list[Any] = [{"role": "user", "content": "Hi"}]

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"one": {"type": "integer"}, "other": {"type": "integer"}},
            "required": ["one", "other"],
        },
    },
}
