"""`streamd replay`: a recorded session, printed as `streamd chat` prints a live one."""

from __future__ import annotations

from ._cli_args import ReplayCommand
from ._cli_chat import INTERRUPTED, heeding_signals, show_answer
from ._cli_render import early_end
from ._cli_screen import Screen
from ._replay import replay

__all__ = ["play"]


async def play(command: ReplayCommand, screen: Screen) -> int:
    """Print the recorded answer; gives the process's exit code.

    Raises:
        StreamdError: The recording cannot be played, or the recorded session failed; it may come in a group.
        OSError: Nothing can be printed any more; it may come in a group.
    """
    code = 0
    async with heeding_signals() as interrupts:
        async with replay(command.file, speed=command.speed, recut=command.recut) as session:
            response = await show_answer(session, screen, interrupts, statistics=command.statistics)
        if response.stop_reason == "cancelled":
            code = INTERRUPTED
        elif (early := early_end(response.stop_reason)) is not None:
            screen.say(f"streamd: {early}")
    return code if interrupts.exit_code is None else interrupts.exit_code
