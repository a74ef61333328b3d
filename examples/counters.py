"""A TCP service that counts: an actor holds the numbers, and every connection is a supervised child.

Run it with `python examples/counters.py` and talk to it with `nc 127.0.0.1 7070`: the line `apples 3` adds three apples
and is answered with their number. `apples three` crashes the actor: that line is answered with an error, and a fresh
actor follows. Ctrl-C ends all in order: the listener, then the connections, each with a `bye`, and the actor last.
"""

import signal
from typing import Never, TypeAlias

import trio

from streamd import supervisors as sv

Ref: TypeAlias = "sv.ActorRef[str, Never, int]"


class Counters(sv.Actor[str, Never, int]):
    """The numbers, and who alone touches them. What it does not understand is a crash, for its supervisor."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    async def handle_call(self, message: str, reply: sv.Reply[int]) -> None:
        """Add to a number, and answer with it."""
        name, number = message.split()
        self.numbers[name] = self.numbers.get(name, 0) + int(number)
        reply(self.numbers[name])


async def converse(stream: trio.SocketStream, counters: Ref) -> None:
    """Answer the lines of one connection; asked to stop, end the lines in hand and say goodbye."""
    child, buffer, received = sv.current_child(), b"", b""
    async with stream:
        while True:
            with child.until_stop() as waiting:  # the stop request cancels the waiting, and nothing else
                received = await stream.receive_some()
            if waiting.cancelled_caught or not received:
                break
            *lines, buffer = (buffer + received).split(b"\n")
            for line in lines:
                try:
                    answer = str(await counters.call(line.decode("ascii", "replace")))
                except sv.ActorDown as exc:
                    answer = f"error: {exc}"
                await stream.send_all(answer.encode() + b"\n")
        await stream.send_all(b"bye\n")


async def listen(
    port: int, connections: sv.DynamicSupervisor, counters: Ref, *, task_status: trio.TaskStatus[int]
) -> None:
    """Make a child of every connection; while there are as many as may be, take no more."""
    (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
    async with listener:
        task_status.started(listener.socket.getsockname()[1])
        while True:
            stream = await listener.accept()
            try:
                spec = sv.ChildSpec(id=f"{stream.socket.fileno()}", run=converse, args=(stream, counters))
                await connections.start_child(spec, wait=True)
            except BaseException:
                stream.socket.close()  # no child has taken it over
                raise


async def serve(port: int, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve until Ctrl-C or SIGTERM; tell the port once it is open."""
    counters, connections = sv.ActorRef(Counters), sv.DynamicSupervisor(max_children=100)
    first = counters.child_spec("counters"), connections.as_child("connections")
    async with sv.open_supervisor(*first, backoff=sv.Backoff(initial=0.1), name="service") as supervisor:
        last = sv.ChildSpec(id="listener", run=listen, args=(port, connections, counters))
        task_status.started((await supervisor.start_child(last)).value)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await anext(signals)


if __name__ == "__main__":
    trio.run(serve, 7070)
