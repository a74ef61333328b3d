"""What a snapshot of a supervision tree shows, and how it is drawn."""

import gc
import math
import weakref
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.supervisors import (
    AnySupervisor,
    Backoff,
    Branch,
    ChannelFill,
    ChildSpec,
    DynamicSupervisor,
    Event,
    Exit,
    Frame,
    InvalidSpec,
    PastError,
    RestartLimit,
    Supervisor,
    TaskSupervisor,
    Tree,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    open_task_supervisor,
    render,
    snapshot,
)

BAD = PastError("ValueError: bad\nline \x1b[31m", "ValueError", ())
TREE = Tree(
    "app",
    "app",
    "supervisor",
    "running",
    "rest_for_one",
    2,
    (
        Branch(
            "db",
            "app/db",
            "worker",
            "running",
            1,
            uptime=62.5,
            blocked=(Frame("serve", "/app/db.py", 41), Frame("sleep_forever", "/trio/_timeouts.py", 71)),
        ),
        Branch(
            "feed",
            "app/feed",
            "worker",
            "running",
            3,
            uptime=0.25,
            blocked=(Frame("open_feed.<locals>.Feed.run", "/app/feed.py", 7),),
            last=Exit("failed", BAD, 12.0),
            channels=(
                ChannelFill("inbox", 3, 16, 2, 0),
                ChannelFill("outbox", 0, math.inf, 0, 1),
                ChannelFill("spare", 0, 0, 0, 0),
            ),
        ),
        Branch(
            "sessions",
            "app/sessions",
            "supervisor",
            "running",
            1,
            uptime=7400.0,
            supervisors=(
                Tree(
                    "sessions",
                    "app/sessions",
                    "dynamic",
                    "running",
                    None,
                    3,
                    (
                        *(Branch(f"s{n}", f"app/sessions/s{n}", "worker", "running", 1) for n in range(6)),
                        Branch("s6", "app/sessions/s6", "worker", "starting", 1),
                    ),
                ),
            ),
        ),
        Branch(
            "chat",
            "app/chat",
            "worker",
            "running",
            1,
            uptime=400_000.0,
            supervisors=(
                Tree(
                    "tools",
                    "app/chat/tools",
                    "tasks",
                    "running",
                    children=(Branch("search", "app/chat/tools/search", "task", "running", 1),),
                ),
                Tree(
                    "attempt",
                    "app/chat/attempt",
                    "supervisor",
                    "stopping",
                    "one_for_all",
                    0,
                    (Branch("parser", "app/chat/attempt/parser", "worker", "stopping", 1, uptime=3.0),),
                ),
            ),
        ),
        Branch(
            "flaky",
            "app/flaky",
            "worker",
            "restarting",
            4,
            next_restart=9.125,
            last=Exit("returned", None, 0.5),
        ),
        Branch("inner", "app/inner", "supervisor", "stopped", 0),
    ),
)
DRAWN = """\
app [rest_for_one] running, 2 restarts left
├── db#1 running 1 min 2 s, at serve:41 > sleep_forever:71
├── feed#3 running 0.25 s, at Feed.run:7, inbox 3/16 (2 sending), outbox 0/∞ (1 receiving), spare 0/0, \
last failed after 12 s: ValueError: bad\\nline \\x1b[31m
├── sessions#1 [dynamic] running 2 h 3 min, 3 restarts left
│   ├── s0#1 running
│   ├── s1#1 running
│   ├── s2#1 running
│   ├── s3#1 running
│   ├── s4#1 running
│   └── … 2 more: 1 running, 1 starting
├── chat#1 running 4 d 15 h
│   ├── tools [tasks] running
│   │   └── search running
│   └── attempt [one_for_all] stopping, 0 restarts left
│       └── parser#1 stopping 3 s
├── flaky#4 restarting in 9.12 s, last returned after 0.5 s
└── … 1 more: 1 stopped"""


async def forever(*, task_status: trio.TaskStatus[None]) -> None:
    """A child that lives until it is stopped."""
    task_status.started()
    await trio.sleep_forever()


def child(id_: str, **options: Any) -> ChildSpec:
    """A child that lives until it is stopped."""
    return ChildSpec(id=id_, run=forever, **options)


def test_a_drawing() -> None:
    """Everything there is to tell stands on its line, in a fixed order, with what cannot be printed escaped."""
    assert render(TREE, most=5) == DRAWN


def test_a_drawing_without_children() -> None:
    """A supervisor alone is one line; `most=0` only counts."""
    assert render(Tree("t", "t", "tasks", "stopped")) == "t [tasks] stopped"
    assert render(TREE, most=0).split("\n") == [
        "app [rest_for_one] running, 2 restarts left",
        "└── … 6 more: 1 restarting, 4 running, 1 stopped",
    ]
    assert render(Tree("t", "t", "supervisor", "starting", "one_for_one", 1)) == (
        "t [one_for_one] starting, 1 restart left"
    )
    with pytest.raises(InvalidSpec, match="most must be 0 or more, not -1"):
        render(TREE, most=-1)


def test_a_long_id_is_cut() -> None:
    """A line stays readable whatever an id holds."""
    tree = Tree("t", "t", "dynamic", "running", None, 3, (Branch("x" * 10**6, "", "worker", "running", 1),))
    assert render(tree).split("\n")[1] == f"└── {'x' * 100}…#1 running"


IDS = st.text(max_size=5)
LEAVES: st.SearchStrategy[Branch] = st.builds(
    Branch,
    id=IDS,
    path=IDS,
    kind=st.sampled_from(["worker", "supervisor", "task"]),
    state=st.sampled_from(["starting", "running", "restarting", "stopping", "stopped"]),
    incarnation=st.integers(0, 9),
    uptime=st.none() | st.floats(0, 1e9),
    next_restart=st.none() | st.floats(0, 1e9),
)


def trees(branches: st.SearchStrategy[Branch]) -> st.SearchStrategy[Tree]:
    """Trees of such branches."""
    return st.builds(
        Tree,
        name=IDS,
        path=IDS,
        kind=st.sampled_from(["supervisor", "dynamic", "tasks"]),
        state=st.sampled_from(["starting", "running", "stopping", "stopped"]),
        children=st.lists(branches, max_size=4).map(tuple),
    )


def deeper(branches: st.SearchStrategy[Branch]) -> st.SearchStrategy[Branch]:
    """Branches with trees of such branches."""
    return st.builds(
        Branch,
        id=IDS,
        path=IDS,
        kind=st.sampled_from(["worker", "supervisor"]),
        state=st.just("running"),
        incarnation=st.just(1),
        supervisors=st.lists(trees(branches), max_size=2).map(tuple),
    )


def lines_of(tree: Tree) -> int:
    """How many lines a tree takes."""
    return 1 + sum(
        1
        + sum(map(lines_of, branch.supervisors))
        - (branch.kind == "supervisor" and len(branch.supervisors) == 1)
        for branch in tree.children
    )


@settings(deadline=None, max_examples=60)
@given(trees(st.recursive(LEAVES, deeper, max_leaves=12)))
def test_any_drawing_has_a_line_for_each(tree: Tree) -> None:
    """One printable line for each supervisor, child and task, whatever they are called, and the same each time."""
    text = render(tree)
    assert len(text.split("\n")) == lines_of(tree)
    assert text.replace("\n", "").isprintable()
    assert render(tree) == text


async def test_ten_thousand_children(autojump_clock: Any) -> None:
    """They are all in the snapshot; the drawing shows the first, and counts the others."""
    async with open_dynamic_supervisor(name="sessions") as supervisor:
        for number in range(10_000):
            await supervisor.start_child(child(f"s{number}"))
        tree = snapshot(supervisor)
        assert len(tree.children) == 10_000
        lines = render(tree, most=2).split("\n")
    assert [line.partition(", at")[0] for line in lines] == [
        "sessions [dynamic] running, 3 restarts left",
        "├── s0#1 running 0 s",
        "├── s1#1 running 0 s",
        "└── … 9,998 more: 9,998 running",
    ]


async def test_a_nested_tree(autojump_clock: Any) -> None:
    """Supervisors among the children, and those opened by children, are part of the tree with their paths."""

    async def chat(*, task_status: trio.TaskStatus[None]) -> None:
        async with open_task_supervisor(name="tools") as tools, open_supervisor(child("x")):
            tools.start_soon(trio.sleep_forever, name="search")
            tools.start_soon(trio.sleep_forever, name="fetch")
            task_status.started()
            await trio.sleep_forever()

    dynamic = DynamicSupervisor()
    tasks = TaskSupervisor(name="pool")
    inner = Supervisor(child("y"), name="deep", strategy="one_for_all")
    async with open_supervisor(
        ChildSpec(id="chat", run=chat),
        dynamic.as_child("sessions"),
        tasks.as_child("jobs"),
        inner.as_child("inner"),
        name="app",
    ) as supervisor:
        await dynamic.start_child(child("s"))
        await trio.sleep(2)
        tree = snapshot(supervisor)
    assert [(one.path, one.kind, one.state) for one in walk(tree)] == [
        ("app", "supervisor", "running"),
        ("app/chat", "worker", "running"),
        ("app/chat/tools", "tasks", "running"),
        ("app/chat/tools/fetch", "task", "running"),
        ("app/chat/tools/search", "task", "running"),
        ("app/chat", "supervisor", "running"),
        ("app/chat/x", "worker", "running"),
        ("app/sessions", "supervisor", "running"),
        ("app/sessions", "dynamic", "running"),
        ("app/sessions/s", "worker", "running"),
        ("app/jobs", "supervisor", "running"),
        ("app/jobs/pool", "tasks", "running"),
        ("app/inner", "supervisor", "running"),
        ("app/inner/deep", "supervisor", "running"),
        ("app/inner/deep/y", "worker", "running"),
    ]
    assert {one.uptime for one in walk(tree) if isinstance(one, Branch) and one.kind != "task"} == {2}
    strategies = [(one.name, one.strategy) for one in walk(tree) if isinstance(one, Tree)]
    assert strategies == [
        ("app", "one_for_one"),
        ("tools", None),
        ("supervisor", "one_for_one"),
        ("supervisor", None),
        ("pool", None),
        ("deep", "one_for_all"),
    ]
    for one in (supervisor, dynamic, inner, tasks):
        assert snapshot(one).state == "stopped"


def walk(tree: Tree) -> Iterator[Tree | Branch]:
    """Everything in a tree, from the top."""
    yield tree
    for branch in tree.children:
        yield branch
        for one in branch.supervisors:
            yield from walk(one)


async def test_a_supervisor_is_shown_only_while_it_runs(autojump_clock: Any) -> None:
    """What a child has opened and left is no part of the tree."""

    async def visit(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async with open_supervisor(), open_dynamic_supervisor(), open_task_supervisor():
            await trio.sleep(1)
        await trio.sleep_forever()

    async with open_supervisor(ChildSpec(id="a", run=visit)) as supervisor:
        await trio.sleep(0.5)
        kinds = [one.kind for one in snapshot(supervisor).children[0].supervisors]
        assert kinds == ["supervisor", "dynamic", "tasks"]
        await trio.sleep(1)
        assert snapshot(supervisor).children[0].supervisors == ()


async def test_a_supervisor_that_outlives_its_host(autojump_clock: Any) -> None:
    """One that runs in a task started by a child, but elsewhere, is shown no more after the child's end."""

    async def start(nursery: trio.Nursery) -> None:
        nursery.start_soon(Supervisor(child("x")).run)
        await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        async with open_supervisor(
            ChildSpec(id="a", run=start, args=(nursery,), restart="transient")
        ) as supervisor:
            await trio.sleep(0.5)
            assert [one.path for one in snapshot(supervisor).children[0].supervisors] == ["supervisor/a"]
            await trio.sleep(1)
            assert snapshot(supervisor).children[0].supervisors == ()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("supervisor", [Supervisor(child("a")), DynamicSupervisor(), TaskSupervisor()])
def test_one_that_does_not_run(supervisor: AnySupervisor) -> None:
    """It has no children; no trio is needed to see that."""
    tree = snapshot(supervisor)
    assert (tree.state, tree.children) == ("stopped", ())


async def test_the_states_of_a_child(autojump_clock: Any) -> None:
    """From its start over a restart with a delay to its stop."""

    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        task_status.started()
        if current_child().incarnation == 1:
            await trio.sleep(1)
            raise ValueError("bad")
        with current_child().until_stop():
            await trio.sleep(100)
        await trio.sleep(3)

    seen: list[tuple[str, int, float | None, float | None, str]] = []
    roots: list[tuple[str, int | None]] = []
    supervisor = Supervisor(
        ChildSpec(id="a", run=slow, shutdown=10),
        backoff=Backoff(initial=4, maximum=4, jitter=0, max_consecutive=5),
        restarts=RestartLimit(3, per=5),
    )

    async def look() -> None:
        for time in range(12):
            if time == 9:
                supervisor.request_shutdown()
            await trio.testing.wait_all_tasks_blocked()
            tree = snapshot(supervisor)
            roots.append((tree.state, tree.restarts_left))
            for one in tree.children:
                seen.append(
                    (
                        one.state,
                        one.incarnation,
                        one.uptime,
                        one.next_restart,
                        one.last.kind if one.last else "",
                    )
                )
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        nursery.start_soon(look)
    assert seen == [
        ("starting", 1, 0, None, ""),
        ("running", 1, 1, None, ""),
        ("restarting", 1, None, 4, "failed"),
        ("restarting", 1, None, 3, "failed"),
        ("restarting", 1, None, 2, "failed"),
        ("restarting", 1, None, 1, "failed"),
        ("starting", 2, 0, None, "failed"),
        ("running", 2, 1, None, "failed"),
        ("running", 2, 2, None, "failed"),
        ("stopping", 2, 3, None, "failed"),
        ("stopping", 2, 4, None, "failed"),
        ("stopping", 2, 5, None, "failed"),
    ]
    states = ["starting"] * 1 + ["running"] * 8 + ["stopping"] * 3
    assert roots == list(zip(states, [3, 3, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3], strict=True))


async def test_the_restarts_of_a_dynamic_supervisor(autojump_clock: Any) -> None:
    """Each child that waits for its restart shows for how long, and the limit is that of all together."""

    async def crash() -> None:
        await trio.sleep(1)
        raise ValueError("bad")

    backoff = Backoff(initial=2, maximum=2, jitter=0, max_consecutive=5)
    async with open_dynamic_supervisor(restarts=RestartLimit(5, per=10), backoff=backoff) as supervisor:
        stopped = await supervisor.start_child(ChildSpec(id="c", run=crash, restart="permanent"))
        for name in "ab":
            await supervisor.start_child(ChildSpec(id=name, run=crash, restart="permanent"))
            await trio.sleep(0.25)
        await trio.sleep(1)
        await supervisor.stop_child(stopped)
        tree = snapshot(supervisor)
        assert [(one.id, one.state, one.next_restart) for one in tree.children] == [
            ("a", "restarting", 1.5),
            ("b", "restarting", 1.75),
        ]
        assert tree.restarts_left == 2
        last = tree.children[0].last
        assert last is not None
        assert (last.kind, str(last.error), last.lifetime) == ("failed", "ValueError: bad", 1)
        supervisor.request_shutdown()
        assert snapshot(supervisor).state == "stopping"


async def test_an_exit_its_supervisor_has_not_seen_yet(autojump_clock: Any) -> None:
    """Between a child's end and its supervisor's next step the child is stopped, with its last exit."""
    trees: list[Tree] = []

    async def brief() -> None:
        await trio.sleep(1)

    async with open_supervisor(ChildSpec(id="a", run=brief, restart="transient")) as supervisor:
        await trio.sleep(0.5)
        info = snapshot(supervisor).children[0]
        assert (info.state, info.last) == ("running", None)
        trio.lowlevel.add_instrument(watcher := EndWatcher(supervisor, trees))
        await trio.sleep(1)
        trio.lowlevel.remove_instrument(watcher)
    (branch,) = trees[0].children
    assert (branch.state, branch.last and branch.last.kind) == ("stopped", "returned")


class EndWatcher(trio.abc.Instrument):
    """Takes a snapshot whenever a task has ended."""

    def __init__(self, supervisor: Supervisor, trees: list[Tree]) -> None:
        self.supervisor = supervisor
        self.trees = trees

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Look."""
        self.trees.append(snapshot(self.supervisor))


async def test_where_a_child_is_blocked(autojump_clock: Any) -> None:
    """The last frames of the user's, and what they wait in; nothing of what the library runs them in."""

    async def fourth() -> None:
        await trio.sleep_forever()

    async def third() -> None:
        await fourth()

    async def second() -> None:
        await third()

    async def first() -> None:
        await second()

    async def opens() -> None:
        async with open_supervisor(child("x")):
            await inner.run()

    inner = Supervisor(child("y"))
    async with open_supervisor(
        ChildSpec(id="deep", run=first),
        ChildSpec(id="bare", run=trio.sleep_forever),
        ChildSpec(id="opens", run=opens),
        Supervisor().as_child("supervisor"),
    ) as supervisor:
        await trio.testing.wait_all_tasks_blocked()
        tree = snapshot(supervisor)
    blocked = {
        one.id: [
            frame.function.rpartition(".")[2] if "<locals>" in frame.function else frame.function
            for frame in one.blocked
        ]
        for one in tree.children
    }
    assert blocked == {
        "deep": ["second", "third", "fourth", "sleep_forever"],
        "bare": ["sleep_forever"],
        "opens": ["opens", "Host.run"],
        "supervisor": [],
    }
    line = fourth.__code__.co_firstlineno + 1
    assert tree.children[0].blocked[2] == Frame(fourth.__qualname__, __file__, line)


async def test_a_child_may_look(autojump_clock: Any) -> None:
    """The task that looks is in the tree like the others, and so is one that has not begun."""
    inside: list[Tree] = []
    outside: list[Tree] = []

    async def look() -> None:
        inside.append(snapshot(supervisor))
        await trio.sleep_forever()

    def observe(event: Event) -> None:
        outside.append(snapshot(top))
        assert render(outside[-1])

    supervisor = Supervisor(ChildSpec(id="a", run=look), ChildSpec(id="b", run=trio.sleep_forever))
    top = Supervisor(supervisor.as_child("inner"), observer=observe)
    with trio.move_on_after(1):
        await top.run()
    assert [(one.id, one.state) for one in inside[0].children] == [("a", "running"), ("b", "running")]
    assert [tree.state for tree in outside] == ["starting"] * 2 + ["stopping"] * 4


async def test_the_channels_a_child_watches(autojump_clock: Any) -> None:
    """Their fill is shown under the names the child gave, until its incarnation ends."""

    async def consume(*, task_status: trio.TaskStatus[None]) -> None:
        send, receive = trio.open_memory_channel[int](2)
        current_child().watch(inbox=receive, results=send)
        if current_child().incarnation == 2:
            task_status.started()
            await trio.sleep_forever()
        unbounded, _ = trio.open_memory_channel[int](math.inf)
        current_child().watch(results=unbounded)
        with send, receive:
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(send.send, number)
                task_status.started()
                await trio.sleep(1)
                for _ in range(4):
                    await receive.receive()
                with trio.move_on_after(1):
                    await receive.receive()
        raise ValueError

    async with open_supervisor(ChildSpec(id="a", run=consume)) as supervisor:
        fills: list[tuple[ChannelFill, ...]] = []
        for _ in range(3):
            await trio.sleep(0.5)
            fills.append(snapshot(supervisor).children[0].channels)
            await trio.sleep(0.5)
    assert fills == [
        (ChannelFill("inbox", 2, 2, 2, 0), ChannelFill("results", 0, math.inf, 0, 0)),
        (ChannelFill("inbox", 0, 2, 0, 1), ChannelFill("results", 0, math.inf, 0, 0)),
        (ChannelFill("inbox", 0, 2, 0, 0), ChannelFill("results", 0, 2, 0, 0)),
    ]


async def test_tasks_that_end(autojump_clock: Any) -> None:
    """A task supervisor shows the tasks that run, and that it takes no more."""
    shots: list[Tree] = []

    async def look(supervisor: TaskSupervisor) -> None:
        for _ in range(2):
            await trio.sleep(1)
            shots.append(snapshot(supervisor))

    async with open_task_supervisor(name="tools") as tools:
        tools.start_soon(trio.sleep, 1.5)
        tools.start_soon(look, tools, name="look")
        await trio.sleep(1.25)
    assert [(tree.state, [one.id for one in tree.children]) for tree in shots] == [
        ("running", ["look", "sleep"]),
        ("stopping", ["look"]),
    ]


def parts(value: object) -> Iterator[object]:
    """Everything a frozen value is made of."""
    yield value
    if isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            yield from parts(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from parts(getattr(value, field.name))


async def test_a_snapshot_holds_nothing_that_lives(autojump_clock: Any) -> None:
    """It is made of plain values, and keeps no error of a child alive."""

    class Bad(Exception):
        """An error that can be followed."""

    errors: list[weakref.ref[Bad]] = []

    async def crash() -> None:
        error = Bad()
        errors.append(weakref.ref(error))
        raise error

    async with open_supervisor(
        ChildSpec(id="a", run=crash, restart="transient"),
        child("b"),
        restarts=RestartLimit(1),
        backoff=Backoff(initial=1),
    ) as supervisor:
        await trio.sleep(0.5)
        tree = snapshot(supervisor)
        await supervisor.stop_child("a")
    gc.collect()
    kinds = {type(part) for part in parts(tree)}
    assert kinds == {Tree, Branch, Frame, Exit, PastError, tuple, str, int, float, type(None)}
    del supervisor
    gc.collect()
    assert [ref() for ref in errors] == [None]
    assert tree.children[0].last is not None
    assert str(tree.children[0].last.error) == "Bad"
