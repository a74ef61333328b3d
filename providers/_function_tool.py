"""A tool as OpenAI declared it first, and as other wires repeat it."""

from __future__ import annotations

from typing import Any

from .messages import ToolSpec

__all__ = ["function_tool"]


def function_tool(tool: ToolSpec) -> dict[str, Any]:
    """The tool's declaration; without a description where it has none."""
    described = {"description": tool.description} if tool.description else {}
    return {"type": "function", "function": {"name": tool.name, **described, "parameters": tool.input_schema}}
