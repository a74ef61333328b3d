"""A pipeline that restarts as one: a reader, a parser and a writer, joined by channels.

Run it with `python examples/pipeline.py`. The reader loses its connection twice. Each time all three are stopped, the
writer last, after it has emptied its channel; after a growing wait they start again, on channels of their own, at the
first record that is not written yet. So every record is written once, in order.
"""

from dataclasses import dataclass, field

import trio

from streamd.supervisors import Backoff, ChildSpec, RestartLimit, Supervisor, current_child

RECORDS = [str(n * n) for n in range(1, 9)]


@dataclass
class Journal:
    """What outlives an epoch: all that was written, and how often the reader may still fail."""

    written: list[int] = field(default_factory=list[int])
    failures: int = 2


async def read(journal: Journal, out: trio.MemorySendChannel[str]) -> None:
    """Read the records that are not written yet; the connection is lost after three of them."""
    with out:
        for number, record in enumerate(RECORDS[len(journal.written) :], 1):
            await trio.sleep(0.1)
            await out.send(record)
            if number == 3 and journal.failures:
                journal.failures -= 1
                raise ConnectionError("the connection was lost")


async def parse(records: trio.MemoryReceiveChannel[str], out: trio.MemorySendChannel[int]) -> None:
    """Make numbers of the records. Asked to stop, it goes on until the reader's end of the channel is closed."""
    current_child().trap_stop()
    with records, out:
        async for record in records:
            await out.send(int(record))


async def write(numbers: trio.MemoryReceiveChannel[int], journal: Journal) -> None:
    """Write what comes. Asked to stop, it goes on until the parser's end of the channel is closed."""
    current_child().trap_stop()
    with numbers:
        async for number in numbers:
            print(f"{trio.current_time() % 1000:7.1f} s: {number}")
            journal.written.append(number)


def build(journal: Journal) -> list[ChildSpec]:
    """Make the children of one epoch, with fresh channels. They are stopped in reverse: the reader first."""
    to_parser, records = trio.open_memory_channel[str](2)
    to_writer, numbers = trio.open_memory_channel[int](2)
    return [
        ChildSpec(id="writer", run=write, args=(numbers, journal), restart="transient", significant=True),
        ChildSpec(id="parser", run=parse, args=(records, to_writer), restart="transient"),
        ChildSpec(id="reader", run=read, args=(journal, to_parser), restart="transient"),
    ]


async def main() -> None:
    """Run the pipeline until the writer has written all: its end is the end of the supervisor."""
    journal = Journal()
    pipeline = Supervisor(
        build=lambda: build(journal),
        strategy="one_for_all",
        restarts=RestartLimit(5, per=60),
        backoff=Backoff(initial=0.5, factor=2, maximum=10),
        auto_shutdown="any",
    )
    await pipeline.run()
    print(f"written: {len(journal.written)} of {len(RECORDS)}")


if __name__ == "__main__":
    trio.run(main)
