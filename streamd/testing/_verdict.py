"""What a run came to: findings by name, each with how to see it again."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["Finding", "FindingName", "Verdict"]

FindingName = Literal[
    "lost_text",
    "duplicated_text",
    "invented_text",
    "fabricated_finish",
    "lost_finish",
    "wrong_finish",
    "wrong_usage",
    "wrong_error",
    "untyped_error",
    "ran_incomplete_tool",
    "double_tool",
    "wrong_tool_result",
    "retried_too_soon",
    "retried_non_retryable",
    "never_retried",
    "wrong_idempotency_key",
    "hung",
    "leaked_task",
    "leaked_socket",
    "leaked_fd",
    "leaked_secret",
    "unbounded_memory",
]
"""What an application can get wrong.

`lost_text`: text came and was not told. `duplicated_text`: text was told twice. `invented_text`: text was told that
never came. `fabricated_finish`: it said the answer was complete, without the provider's evidence. `lost_finish`: the
answer was complete, and it failed. `wrong_finish`: it gave another reason for the end than the provider. `wrong_error`:
it failed with an error that says something else than what happened. `wrong_usage`: it counted other tokens than came.
`untyped_error`: the error is one of the libraries below, or does not say in which phase it happened.
`ran_incomplete_tool`: a tool ran on a call that was not whole and confirmed. `double_tool`: it ran twice for one call.
`wrong_tool_result`: the model was told something else than the tool answered, nothing, or not in the calls' order.
`retried_too_soon`: it did not wait as long as it was asked to. `retried_non_retryable`: it asked again where that
cannot help, or oftener than it says. `never_retried`: it failed where it says that it asks again.
`wrong_idempotency_key`: attempts at one turn do not carry one key, or two turns carry the same. `hung`: it did not
end. `leaked_...`: it left that behind. `leaked_secret`: the key could be read. `unbounded_memory`: it grew with what it
was sent.
"""


class Finding(Struct, frozen=True):
    """One thing that was wrong: its name, what exactly, and a line that runs the same again."""

    name: FindingName
    detail: str
    repro: str

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}\n    {self.repro}"


class Verdict(Struct, frozen=True):
    """All that was wrong in one run; nothing, as a rule."""

    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.findings

    def raise_if_found(self) -> None:
        """Fail where something was wrong.

        Raises:
            AssertionError: It lists the findings.
        """
        if self.findings:
            raise AssertionError("\n".join(map(str, self.findings)))
