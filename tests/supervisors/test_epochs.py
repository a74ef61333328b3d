"""build=: children joined by channels get fresh ones in every epoch."""

from typing import Any

import pytest
import trio

from streamd.supervisors import (
    Backoff,
    ChildSpec,
    ChildStartError,
    RestartLimit,
    RestartLimitExceeded,
    Supervisor,
    open_supervisor,
)


async def test_every_epoch_has_its_own_channel(autojump_clock: Any) -> None:
    """A crash in the consumer restarts both ends, with a channel that nobody has closed."""
    got: list[tuple[int, int]] = []
    epochs: list[int] = []

    async def store(epoch: int, rx: trio.MemoryReceiveChannel[int]) -> None:
        with rx:
            async for item in rx:
                got.append((epoch, item))
                if item == 2 and epoch == 1:
                    raise ValueError

    async def feed(tx: trio.MemorySendChannel[int]) -> None:
        with tx:
            for item in range(4):
                await tx.send(item)
                await trio.sleep(1)

    def pipeline() -> list[ChildSpec]:
        epochs.append(len(epochs) + 1)
        tx, rx = trio.open_memory_channel[int](0)
        return [
            ChildSpec(id="store", run=store, args=(epochs[-1], rx), restart="transient", significant=True),
            ChildSpec(id="feed", run=feed, args=(tx,), restart="transient"),
        ]

    supervisor = Supervisor(build=pipeline, strategy="one_for_all", auto_shutdown="any")
    await supervisor.run()
    assert epochs == [1, 2]
    assert got == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3)]


async def test_incarnations_count_over_epochs_and_guests_stay(diary: Any, autojump_clock: Any) -> None:
    """A child added at run time is kept after the built ones; one that build no longer gives is gone."""
    epochs: list[int] = []

    def build() -> list[ChildSpec]:
        epochs.append(1)
        specs = [diary.child("a", crash_after=2, crash_times=1)]
        return specs if len(epochs) > 1 else [*specs, diary.child("b")]

    async with open_supervisor(build=build, strategy="one_for_all") as supervisor:
        await supervisor.start_child(diary.child("guest"))
        await trio.sleep(3)
        assert [(info.id, info.incarnation) for info in supervisor.children()] == [("a", 2), ("guest", 2)]


async def test_a_build_that_fails_at_first(autojump_clock: Any) -> None:
    """It is a failed first start."""

    def build() -> list[ChildSpec]:
        raise OSError("no pipeline")

    with pytest.raises(ChildStartError, match=r"'build' failed to start.*no pipeline") as caught:
        await Supervisor(build=build, strategy="one_for_all").run()
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_build_that_fails_later_is_charged(diary: Any, autojump_clock: Any) -> None:
    """A failing build is a failed restart: charged and tried again."""
    calls: list[int] = []

    def build() -> list[ChildSpec]:
        calls.append(1)
        if len(calls) > 1:
            raise OSError("no pipeline")
        return [diary.child("a", crash_after=1)]

    with pytest.raises(RestartLimitExceeded) as caught:
        await Supervisor(build=build, strategy="one_for_all", restarts=RestartLimit(2)).run()
    assert [one.id for one in caught.value.failures] == ["a", "build", "build"]
    assert diary == ["+a1", "-a1"]


async def test_a_build_that_gives_nonsense_is_charged(diary: Any, autojump_clock: Any) -> None:
    """What build returns is checked like any specs."""
    with pytest.raises(ChildStartError, match="two children have the id 'a'"):
        await Supervisor(build=lambda: [diary.child("a"), diary.child("a")], strategy="one_for_all").run()


async def test_a_built_child_may_not_replace_a_running_guest(diary: Any, autojump_clock: Any) -> None:
    """A guest started while the group waits keeps its id; the epoch that wants it fails."""
    calls: list[int] = []

    def build() -> list[ChildSpec]:
        calls.append(1)
        return [diary.child("a", crash_after=1), *([diary.child("b")] if len(calls) > 1 else [])]

    backoff = Backoff(initial=2, jitter=0, max_consecutive=1)
    with pytest.raises(RestartLimitExceeded) as caught:
        async with open_supervisor(build=build, strategy="one_for_all", backoff=backoff) as supervisor:
            await trio.sleep(2)
            await supervisor.start_child(diary.child("b"))
            await trio.sleep_forever()
    assert "one runs that was added by start_child" in str(caught.value.failures[-1].error)


async def test_a_temporary_child_of_an_epoch(diary: Any, autojump_clock: Any) -> None:
    """Each epoch gives a temporary child anew; one that fails to start then fails the epoch."""

    async def picky(number: int, *, task_status: Any) -> None:
        if number == 2:
            raise OSError
        task_status.started()
        await trio.sleep_forever()

    calls: list[int] = []

    def build() -> list[ChildSpec]:
        calls.append(1)
        return [
            diary.child("a", crash_after=1, crash_times=1),
            ChildSpec(id="t", run=picky, args=(len(calls),), restart="temporary"),
        ]

    async with open_supervisor(build=build, strategy="one_for_all") as supervisor:
        await trio.sleep(3)
        assert [(info.id, info.state) for info in supervisor.children()] == [
            ("a", "running"),
            ("t", "running"),
        ]
        assert len(calls) == 3
