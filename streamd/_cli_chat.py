"""`streamd chat`: one answer or a conversation, and what Ctrl-C does to it."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import final

import trio

from streamd.providers import Message, ModelSpec, known_providers

from ._cli_args import ChatCommand
from ._cli_progress import shown_progress
from ._cli_prompt import LineReader
from ._cli_render import early_end, error_text, price_line, statistics_line
from ._cli_screen import Screen
from ._model import serving
from ._open import open_session
from ._prompt import messages_of
from ._recording_file import numbered
from ._response import Response
from ._session import Session
from ._tools import Tool
from .errors import StreamdError

__all__ = ["INTERRUPTED", "Interrupts", "chat", "continued", "heeding_signals", "show_answer"]

INTERRUPTED = 128 + signal.SIGINT
WELCOME = "{model}: /reset forgets the conversation, /quit or Ctrl-D leaves, Ctrl-C stops an answer"

Tools = Sequence[Tool | Callable[..., object]]


@final
class Interrupts:
    """What signals do: the first Ctrl-C of an answer cancels the answer, everything else leaves.

    `exit_code` is None until a signal said to leave.
    """

    def __init__(self, scope: trio.CancelScope) -> None:
        self.exit_code: int | None = None
        self.session: Session | None = None
        self._scope = scope

    async def watch(self, signals: AsyncIterator[int]) -> None:
        """Obey signals until cancelled."""
        async for number in signals:
            self.obey(number)

    def obey(self, number: int) -> None:
        """Do what the signal `number` asks for."""
        session = self.session
        if number == signal.SIGINT and session is not None and session.status in ("init", "streaming"):
            session.cancel()
        else:
            self.exit_code = 128 + number
            self._scope.cancel()


@asynccontextmanager
async def heeding_signals() -> AsyncGenerator[Interrupts, None]:
    """Obey Ctrl-C and SIGTERM while the block runs; it is cancelled where they say to leave."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            interrupts = Interrupts(nursery.cancel_scope)
            nursery.start_soon(interrupts.watch, signals)
            yield interrupts
            nursery.cancel_scope.cancel()


async def show_answer(
    session: Session, screen: Screen, interrupts: Interrupts, *, statistics: bool
) -> Response:
    """Print an answer as it comes. What was printed stays, however it ends."""
    interrupts.session = session
    try:
        async for chunk in session:
            screen.show(chunk)
        response = await session.response()
    finally:
        interrupts.session = None
        screen.end_line()
        if statistics:
            screen.say(statistics_line(session.statistics()))
    return response


async def chat(
    command: ChatCommand, prompt: str, tools: Tools, screen: Screen, reader: LineReader | None
) -> int:
    """Answer `prompt`, or hold a conversation where there is a `reader`; gives the process's exit code.

    Raises:
        StreamdError: The answer failed, or the model cannot be asked at all; it may come in a group.
        OSError: Nothing can be printed any more; it may come in a group.
        KeyboardInterrupt: Ctrl-C at the prompt; in a group.
    """
    code = 0
    question = messages_of(prompt) if reader is None else ()
    async with heeding_signals() as interrupts:
        with ExitStack() as fetching:
            progress = fetching.enter_context(shown_progress(screen))
            async with serving(command.model, progress=progress) as model:
                fetching.close()
                talk = Talk(command, model, tools, screen, interrupts)
                if reader is None:
                    response = await talk.answer(question)
                    code = INTERRUPTED if response.stop_reason == "cancelled" else 0
                else:
                    await talk.converse(reader)
    return code if interrupts.exit_code is None else interrupts.exit_code


class Talk:
    """Answers of one model, printed as they come."""

    def __init__(
        self, command: ChatCommand, model: ModelSpec, tools: Tools, screen: Screen, interrupts: Interrupts
    ) -> None:
        self._command = command
        self._model = model
        self._tools = tools
        self._screen = screen
        self._interrupts = interrupts
        self._asked = 0

    async def answer(self, messages: tuple[Message, ...]) -> Response:
        """Print the answer to the last of `messages`. What was printed stays, however it ends."""
        command, screen = self._command, self._screen
        self._asked += 1
        async with open_session(
            self._model,
            messages,
            system=command.system,
            tools=self._tools,
            max_tokens=command.max_tokens,
            temperature=command.temperature,
            record=None if command.record is None else numbered(Path(command.record), self._asked),
        ) as session:
            response = await show_answer(session, screen, self._interrupts, statistics=command.statistics)
        if command.statistics and (price := price_line(command.model, response)) is not None:
            screen.say(price)
        if (early := early_end(response.stop_reason)) is not None:
            screen.say(f"streamd: {early}")
        return response

    async def converse(self, reader: LineReader) -> None:
        """Answer line after line, each with all that was said before. An answer that fails is no part of it."""
        history: tuple[Message, ...] = ()
        self._screen.note(WELCOME.format(model=self._command.model))
        while (line := await reader.read()) is not None:
            match line.strip():
                case "":
                    continue
                case "/quit":
                    return
                case "/reset":
                    history = ()
                    self._screen.note("the conversation begins anew")
                case _:
                    try:
                        response = await self.answer((*history, Message.user(line)))
                    except StreamdError as error:
                        self._screen.say(error_text(error, self._command.model, known_providers()))
                    else:
                        history = continued(history, response)


def continued(history: tuple[Message, ...], response: Response) -> tuple[Message, ...]:
    """The conversation after an answer, as it can be sent with the next question.

    Of an answer that was cancelled the last turn's text is kept, and nothing else of that turn: its tool calls have no
    results, its thinking may have no signature. Where there is nothing of an answer, the question goes too.
    """
    turns = response.messages
    if response.stop_reason == "cancelled" and turns and turns[-1].role == "assistant":
        said = turns[-1].text
        turns = (*turns[:-1], Message.assistant(said)) if said.strip() else turns[:-1]
    return (*history, *turns) if len(turns) > 1 else history
