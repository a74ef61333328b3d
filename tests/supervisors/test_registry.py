"""Names: unique, gone in the step in which their child ends, there again after a restart."""

import gc
import weakref
from contextlib import suppress
from typing import Any, Never

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.supervisors import (
    Actor,
    ActorDown,
    ActorRef,
    Backoff,
    ChildExited,
    ChildSpec,
    ChildStartError,
    ChildStarting,
    Event,
    NameTaken,
    NotRunning,
    Registry,
    Reply,
    RestartLimit,
    SupervisionError,
    UnknownName,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)


def named(registry: Registry[str], name: str, *, crash_after: float | None = None, **spec: Any) -> ChildSpec:
    """A child that registers its incarnation under a name, and lives until it is stopped or crashes."""

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        registry.register(name, f"{name}{current_child().incarnation}")
        task_status.started()
        if crash_after is None:
            await trio.sleep_forever()
        await trio.sleep(crash_after)
        raise ValueError(name)

    return ChildSpec(id=f"child of {name}", run=run, **spec)


async def test_a_name_lives_as_long_as_its_child(autojump_clock: Any) -> None:
    """It is there while the child runs, and free when it has ended."""
    registry: Registry[str] = Registry()
    async with open_dynamic_supervisor() as supervisor:
        children = [await supervisor.start_child(named(registry, name)) for name in "abc"]
        assert registry.names() == ("a", "b", "c")
        assert (registry.lookup("b"), "b" in registry, len(registry)) == ("b1", True, 3)
        await supervisor.stop_child(children[1])
        assert registry.names() == ("a", "c")
        with pytest.raises(UnknownName, match=r"lookup\('b'\): nothing is registered"):
            registry.lookup("b")
        await supervisor.start_child(named(registry, "b"))
        assert registry.names() == ("a", "c", "b")
    assert (registry.names(), len(registry)) == ((), 0)


async def test_names_are_unique(autojump_clock: Any) -> None:
    """The second child of a name fails to start, and takes nothing from the first; nor may one register twice."""
    registry: Registry[str] = Registry()
    async with open_dynamic_supervisor() as supervisor:
        first = await supervisor.start_child(named(registry, "a"))
        with pytest.raises(ChildStartError) as caught:
            await supervisor.start_child(named(registry, "a"))
        assert isinstance(caught.value.__cause__, NameTaken)
        assert str(caught.value.__cause__) == "register('a'): child 'child of a' has this name"
        assert registry.lookup("a") == "a1"
        with pytest.raises(NameTaken):
            registry.register("a", "x", child=first)


async def test_registries_are_apart(autojump_clock: Any) -> None:
    """There is no global one: a name in one says nothing of another."""
    one: Registry[str] = Registry()
    two: Registry[str] = Registry()
    async with open_dynamic_supervisor() as supervisor:
        await supervisor.start_child(named(one, "a"))
        await supervisor.start_child(named(two, "a"))
        assert (one.lookup("a"), two.lookup("a"), "b" in two) == ("a1", "a1", False)


async def test_a_restarted_child_keeps_its_name(autojump_clock: Any) -> None:
    """The name is free before the next incarnation starts, which then has it again."""
    registry: Registry[str] = Registry()
    seen: list[str] = []

    def observer(event: Event) -> None:
        if isinstance(event, (ChildStarting, ChildExited)):
            name = registry.lookup("a") if "a" in registry else "free"
            seen.append(f"{type(event).__name__} {event.incarnation}: {name}")

    spec = named(registry, "a", crash_after=1)
    async with open_supervisor(spec, restarts=RestartLimit(3, per=9), observer=observer):
        await trio.sleep(1.5)
        assert registry.lookup("a") == "a2"
    assert seen == [
        "ChildStarting 1: free", "ChildExited 1: free", "ChildStarting 2: free", "ChildExited 2: free"
    ]  # fmt: skip  # shorter so


async def test_no_dead_name_resolves(autojump_clock: Any) -> None:
    """Whoever hears of an end, by waiting or by an event, finds the name gone already."""
    registry: Registry[str] = Registry()
    found: list[object] = []

    def observer(event: Event) -> None:
        if isinstance(event, ChildExited):
            found.append(registry.names())

    async with open_dynamic_supervisor(observer=observer) as supervisor, trio.open_nursery() as nursery:
        ref = await supervisor.start_child(named(registry, "a", crash_after=1))

        async def watch() -> None:
            await ref.wait()
            found.append(registry.names())

        nursery.start_soon(watch)
        nursery.start_soon(watch)
    assert found == [(), (), ()]


async def test_registering_for_another_child(autojump_clock: Any) -> None:
    """With `child` anybody gives a child a name, and its end frees it; a child that has ended gets none."""
    registry: Registry[int] = Registry()
    async with open_dynamic_supervisor() as supervisor:
        child = await supervisor.start_child(ChildSpec(id="x", run=trio.sleep_forever))
        registry.register(("key", 1), 1, child=child)
        registry.register(("key", 2), 2, child=child)
        assert registry.lookup(("key", 2)) == 2
        await supervisor.stop_child(child)
        assert len(registry) == 0
        with pytest.raises(NotRunning, match="child 'x' has ended"):
            registry.register("late", 3, child=child)
        with pytest.raises(RuntimeError, match="outside of a supervised child"):
            registry.register("nobody's", 4)


async def test_unregister(autojump_clock: Any) -> None:
    """A name may be given up before its child ends, and taken again by any."""
    registry: Registry[int] = Registry()
    async with open_dynamic_supervisor() as supervisor:
        children = [await supervisor.start_child(ChildSpec(id=name, run=trio.sleep_forever)) for name in "ab"]
        registry.register("n", 1, child=children[0])
        registry.unregister("n")
        with pytest.raises(UnknownName, match=r"unregister\('n'\)"):
            registry.unregister("n")
        registry.register("n", 2, child=children[1])
        await supervisor.stop_child(children[0])
        assert registry.lookup("n") == 2


async def test_waiting_for_a_name(autojump_clock: Any) -> None:
    """All who wait get the ref in the step after it is registered; one who finds it need not wait."""
    registry: Registry[str] = Registry()
    got: list[str] = []

    async def wait() -> None:
        got.append(f"{await registry.wait('a')} at {trio.current_time():g}")

    async with open_dynamic_supervisor() as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        with trio.move_on_after(1) as scope:
            await registry.wait("never")
        assert scope.cancelled_caught
        await supervisor.start_child(named(registry, "a"))
        await trio.testing.wait_all_tasks_blocked()
        assert got == ["a1 at 1", "a1 at 1"]
        with trio.testing.assert_checkpoints():
            assert await registry.wait("a") == "a1"


async def test_a_name_that_is_gone_again_is_waited_for(autojump_clock: Any) -> None:
    """A waiter who comes too late for a short-lived name waits for the next to have it."""
    registry: Registry[int] = Registry()
    got: list[int] = []

    async def wait() -> None:
        got.append(await registry.wait("a"))

    async with open_dynamic_supervisor() as supervisor, trio.open_nursery() as nursery:
        child = await supervisor.start_child(ChildSpec(id="x", run=trio.sleep_forever))
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        registry.register("a", 1, child=child)
        registry.unregister("a")
        await trio.testing.wait_all_tasks_blocked()
        assert got == []
        registry.register("a", 2, child=child)
        await trio.testing.wait_all_tasks_blocked()
        assert got == [2]


class Counter(Actor[int, Never, int]):
    """Adds up, and has a name."""

    def __init__(self, registry: Registry[ActorRef[int, Never, int]]) -> None:
        self.registry = registry
        self.total = 0

    async def init(self) -> None:
        self.registry.register("counter", self.ref)

    async def handle_call(self, message: int, reply: Reply[int]) -> None:
        if message < 0:
            raise ValueError(message)
        self.total += message
        reply(self.total)


async def test_a_named_actor(autojump_clock: Any) -> None:
    """An actor is found by its name, and after a crash again under the same."""
    registry: Registry[ActorRef[int, Never, int]] = Registry()
    ref = ActorRef(Counter, registry)
    async with open_supervisor(ref.child_spec("counter")):
        assert await registry.lookup("counter").call(2) == 2
        with pytest.raises(ActorDown):
            await registry.lookup("counter").call(-1)
        assert "counter" not in registry
        assert await (await registry.wait("counter")).call(5) == 5
        assert registry.lookup("counter") is ref
    with pytest.raises(UnknownName):
        registry.lookup("counter")


async def test_nothing_of_a_finished_child_is_kept(autojump_clock: Any) -> None:
    """Ref, name and child go with the end; a child that registers again and again costs no more than its names."""

    class Ref:
        """Can be watched."""

    registry: Registry[Ref] = Registry()
    gone: list[weakref.ref[Any]] = []

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        for number in range(100):
            ref = Ref()
            registry.register(number, ref)
            if number:
                registry.unregister(number)
            gone.append(weakref.ref(ref))
            del ref
        task_status.started()
        await trio.sleep_forever()

    async with open_dynamic_supervisor() as supervisor:
        child = await supervisor.start_child(ChildSpec(id="a", run=run))
        gc.collect()
        assert [one() is None for one in gone] == [False] + [True] * 99
        assert len(child._child._at_exit or ()) == 1
        with trio.move_on_after(1):
            await registry.wait("nobody")
        await supervisor.stop_child(child)
        assert [one() for one in gone] == [None] * 100
        assert (registry._entries, registry._names, registry._awaited) == ({}, {}, {})


@settings(max_examples=150, deadline=None)
@given(
    lives=st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from([None, 0.0, 0.5, 1.0]),
            st.sampled_from(["permanent", "transient", "temporary"]),
        ),
        max_size=6,
    ),
    pauses=st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=6),
    rnd=st.random_module(),
)
def test_a_name_always_means_a_live_child(lives: Any, pauses: Any, rnd: object) -> None:
    """Whatever starts, crashes and is stopped: a name belongs to one live incarnation, and a live one has its name."""
    registry: Registry[str] = Registry()
    live: dict[str, str] = {}
    broken: list[str] = []

    def check(where: str) -> None:
        found = {name: registry.lookup(name) for name in registry.names()}
        if found != live:
            broken.append(f"{where}: {found} for {live}")

    async def child(name: str, length: float | None, *, task_status: trio.TaskStatus[None]) -> None:
        me = current_child()
        ref = f"{me.id}#{me.incarnation}"
        try:
            registry.register(name, ref)
        except NameTaken as error:
            if name not in live and "kept for" not in str(error):
                broken.append(f"{ref}: {name} was taken by nobody")
            raise
        live[name] = ref
        me._child.at_exit(lambda _: live.pop(name))
        task_status.started()
        await trio.sleep(99 if length is None else length)
        raise ValueError(name)

    async def main() -> None:
        with suppress(SupervisionError):
            async with open_dynamic_supervisor(
                restarts=RestartLimit(3, per=9), observer=lambda event: check(repr(event))
            ) as supervisor:
                for number, (name, length, restart) in enumerate(lives):
                    spec = ChildSpec(id=str(number), run=child, args=(name, length), restart=restart)
                    with suppress(SupervisionError):
                        ref = await supervisor.start_child(spec)
                        if number % 3 == 2:
                            await supervisor.stop_child(ref)
                    check(f"after {number}")
                    await trio.sleep(pauses[number] if number < len(pauses) else 0.5)
        check("at the end")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert broken == []
    assert (registry._entries, registry._names) == ({}, {})


@pytest.mark.parametrize("dynamic", [False, True], ids=["supervisor", "dynamic"])
async def test_a_name_is_kept_for_a_child_that_is_restarted(autojump_clock: Any, dynamic: bool) -> None:
    """Between two runs the name resolves to nothing and nobody else can take it; after the last run it is free."""
    registry: Registry[str] = Registry()
    runs: list[int] = []

    async def named() -> None:
        registry.register("name", f"run {len(runs)}")
        runs.append(len(runs))
        await trio.sleep(1)
        if len(runs) < 3:
            raise ValueError("again")

    async def rival(seen: list[str]) -> None:
        try:
            registry.register("name", "rival")
        except NameTaken as error:
            seen.append(str(error).partition(": ")[2])
        else:
            seen.append("taken")

    spec = ChildSpec(id="named", run=named, restart="transient")
    backoff = Backoff(initial=10.0, factor=1.0, jitter=0.0)
    limit = RestartLimit(5, per=1000.0)
    seen: list[str] = []
    opened: Any = (
        open_dynamic_supervisor(restarts=limit, backoff=backoff)
        if dynamic
        else open_supervisor(restarts=limit, backoff=backoff)
    )
    async with opened as supervisor, open_dynamic_supervisor() as others:
        await supervisor.start_child(spec)

        async def try_it() -> None:
            ref = await others.start_child(ChildSpec(id="rival", run=rival, args=(seen,)))
            await ref.wait()

        await trio.sleep(0.5)
        await try_it()
        await trio.sleep(1)  # it has failed, and waits for its restart
        assert "name" not in registry
        await try_it()
        await trio.sleep(10)  # the second run
        assert registry.lookup("name") == "run 1"
        await trio.sleep(12)  # the third has ended for good
        await try_it()
    kept = "it is kept for child 'named', which is to be restarted"
    assert seen == ["child 'named' has this name", kept, "taken"]
    assert runs == [0, 1, 2]
