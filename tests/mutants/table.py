"""The mutants: what each breaks, and why that matters."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault, as an exact substitution in one file of `supervisors/`."""

    name: str
    guard: str  # what the text that is replaced guards against
    file: str
    old: str
    new: str


MUTANTS = (
    # Order, joining, and who is cancelled when
    Mutant(
        "no shield",
        "a cancellation from outside reaches the loop alone, so that children end in their order",
        "_child.py",
        "trio.CancelScope = trio.CancelScope(shield=True)",
        "trio.CancelScope = trio.CancelScope()",
    ),
    Mutant(
        "no generation check",
        "a child may end by itself, or fail to start, and be settled with its group before the loop comes to its exit",
        "_restarts.py",
        "if slot is None or slot.child is not child:",
        "if slot is None:",
    ),
    Mutant(
        "no exit after forgetting",
        "the slot of a temporary child that was stopped with its group is gone when the loop comes to its exit",
        "_restarts.py",
        "if slot is None or slot.child is not child:",
        "if slot.child is not child:",
    ),
    Mutant(
        "no join",
        "a stop returns only when the child has ended",
        "_stop.py",
        "    await _join(children, signal, journal)",
        "    await trio.lowlevel.checkpoint()",
    ),
    Mutant(
        "revive temporary",
        "a temporary child that was stopped with its group is not started with it again",
        "_run.py",
        'if slot.restart == "temporary" and not final:',
        "if False:",
    ),
    Mutant(
        "restart temporary",
        "a temporary child is never restarted",
        "_policy.py",
        'case "temporary":\n            return False',
        'case "temporary":\n            return failed',
    ),
    Mutant(
        "forward stop",
        "the last child started is the first stopped",
        "_run.py",
        "for slot in reversed(list(self.slots.values())):",
        "for slot in list(self.slots.values()):",
    ),
    Mutant(
        "forward group stop",
        "a group that is restarted is stopped in reverse order too",
        "_restarts.py",
        "for id_ in reversed(group) if",
        "for id_ in group if",
    ),
    Mutant(
        "limit + 1",
        "restart number max_restarts + 1 is one too many",
        "_limit.py",
        "if self.count(now) > self.limit.max_restarts:",
        "if self.count(now) > self.limit.max_restarts + 1:",
    ),
    Mutant(
        "mask failure",
        "a failure is never replaced by Cancelled",
        "_verdict.py",
        "return failure or interruption",
        "return interruption or failure",
    ),
    Mutant(
        "shield grace",
        "a cancellation from outside cuts a grace that is running short",
        "_stop.py",
        "with trio.CancelScope(deadline=now + grace):",
        "with trio.CancelScope(deadline=now + grace, shield=True):",
    ),
    Mutant(
        "full grace when cancelled",
        "a timeout around a supervisor stays a timeout",
        "_run.py",
        "self.verdict.attempt(self._stop_all, self.plan.cancel_grace)",
        "self.verdict.attempt(self._stop_all, math.inf)",
    ),
    Mutant(
        "grace unasked",
        "only a child that opted in gets grace",
        "_stop.py",
        "grace = min(child.spec.shutdown, longest) if child.traps else 0.0",
        "grace = min(child.spec.shutdown, longest)",
    ),
    Mutant(
        "one grace after the other",
        "children that stop together have one deadline",
        "_stop.py",
        "with trio.CancelScope(deadline=now + grace):",
        "with trio.CancelScope(deadline=trio.current_time() + grace):",
    ),
    Mutant(
        "stuck unseen",
        "a child that goes on after its cancellation is reported",
        "_stop.py",
        "                journal.stuck(child)",
        "                pass",
    ),
    # Restarts and backoff
    Mutant(
        "rest without the rest",
        "rest_for_one restarts those started after the failed child with it",
        "_policy.py",
        "return ids[ids.index(failed) :]",
        "return [failed]",
    ),
    Mutant(
        "one for all goes on",
        "when one of all fails to start again, those already up are stopped and all begin anew",
        "_policy.py",
        'return group if strategy == "one_for_all" else group[group.index(failed) :]',
        "return group[group.index(failed) :]",
    ),
    Mutant(
        "lost restart",
        "a failure while a group waits for its restart joins that group, and loses none of it",
        "_restarts.py",
        "waiting.update(due.ids)",
        "pass",
    ),
    Mutant(
        "free retries",
        "a failed try is charged again, so that a child that cannot start does not spin",
        "_limit.py",
        "        self._times.append(now)",
        "        if failure.incarnation == 1 or healthy:\n            self._times.append(now)",
    ),
    Mutant(
        "window without its end",
        "the window of the limit holds both its ends",
        "_limit.py",
        "self._times[0] < now - self.limit.per",
        "self._times[0] <= now - self.limit.per",
    ),
    Mutant(
        "stop keeps the restart",
        "stop_child calls off a restart that waits for its time",
        "_desk.py",
        "    run.restarts.cancel(slot.spec.id)",
        "    pass",
    ),
    Mutant(
        "endless streak",
        "a child that was healthy for a while begins its backoff anew",
        "_limit.py",
        "self.count = 1 if healthy >= backoff.reset_after else self.count + 1",
        "self.count = self.count + 1",
    ),
    Mutant(
        "backoff without maximum",
        "the delay never grows beyond the backoff's maximum",
        "_spec.py",
        "base = min(self.maximum, self.initial * self.factor ** (consecutive - 1))",
        "base = self.initial * self.factor ** (consecutive - 1)",
    ),
    Mutant(
        "jitter below",
        "jitter only ever adds to a delay",
        "_spec.py",
        "return base * (1 + spread * self.jitter)",
        "return base * (1 + (spread - 0.5) * self.jitter)",
    ),
    Mutant(
        "unreachable limit",
        "a limit that the backoff keeps from ever being reached is refused",
        "_spec.py",
        "        if spread > limit.per:",
        "        if False:",
    ),
    Mutant(
        "stale epoch",
        "each epoch of a pipeline gets fresh channels",
        "_restarts.py",
        "                run.rebuild()",
        "                pass",
    ),
    # Starts and calls
    Mutant(
        "patient handshake",
        "a start lasts start_timeout at the most",
        "_run.py",
        "with trio.CancelScope(deadline=trio.current_time() + spec.start_timeout) as scope:",
        "with trio.CancelScope() as scope:",
    ),
    Mutant(
        "abandoned start",
        "what start_child began is undone when its caller is cancelled",
        "_run.py",
        "abandoned = call is not None and call.abandoned",
        "abandoned = False",
    ),
    Mutant(
        "stop waits for the start",
        "stop_child interrupts a start that goes on",
        "_run.py",
        " or self.calls.calls_off(child.spec.id):",
        ":",
    ),
    Mutant(
        "failed start kept",
        "the spec of a child that could not be started is forgotten",
        "_desk.py",
        "        run.slots.pop(call.id, None)",
        "        pass",
    ),
    Mutant(
        "call left unanswered",
        "whoever waits for an answer when the supervisor stops is told",
        "_run.py",
        "        self.calls.refuse_all()",
        "        pass",
    ),
    Mutant(
        "current call left unanswered",
        "so is the one whose call is being obeyed: its caller may be a child that is stopped next",
        "_calls.py",
        "            self.current.refuse()",
        "            pass",
    ),
    Mutant(
        "self-stop",
        "a child that would wait for its own graceful stop is refused",
        "_calls.py",
        "(child.stop_requested and outermost.stop_requested) or (stops_itself and child.traps)",
        "child.stop_requested and outermost.stop_requested",
    ),
    Mutant(
        "overtaken call",
        "a call that waits when the supervisor begins to wait for its caller is refused then",
        "_calls.py",
        "            call.answer(_own_stop(call, child))",
        "            pass",
    ),
    Mutant(
        "any is all",
        'auto_shutdown="all" waits for the last significant child',
        "_restarts.py",
        'if run.plan.auto_shutdown == "any" or not alive:',
        "if True:",
    ),
    # Contexts
    Mutant(
        "context of the loop",
        "a child runs with the context variables its spec was added with",
        "_child.py",
        'context.run(partial(nursery.start_soon, self._main, name=f"{self.path}#{self.number}"))',
        'nursery.start_soon(self._main, name=f"{self.path}#{self.number}")',
    ),
    Mutant(
        "context of the supervisor",
        "start_child captures the variables of its caller",
        "_supervisor.py",
        'Call("start", spec.id, spec, copy_context())',
        'Call("start", spec.id, spec, self._plan.context.copy())',
    ),
    Mutant(
        "context of run",
        "the first children have the variables of where the supervisor was made, not of where it runs",
        "_run.py",
        "Slot(spec, plan.context, ",
        "Slot(spec, __import__('contextvars').copy_context(), ",
    ),
    # KeyboardInterrupt and foreign cancellations
    Mutant(
        "interrupt is a crash",
        "KeyboardInterrupt in a child stops everything instead of restarting it",
        "_exits.py",
        "return not isinstance(error, Exception) or isinstance(error,",
        "return isinstance(error,",
    ),
    Mutant(
        "interrupted loop",
        "KeyboardInterrupt in the loop leaves no child behind",
        "_verdict.py",
        "        except BaseException as exc:",
        "        except Exception as exc:",
    ),
    Mutant(
        "interrupt in the machinery",
        "KeyboardInterrupt is raised in the child's own code, never in the book-keeping around it",
        "_child.py",
        "    @trio.lowlevel.enable_ki_protection\n    async def _main",
        "    async def _main",
    ),
    Mutant(
        "deaf child",
        "KeyboardInterrupt can be raised in a child's own code",
        "_child.py",
        "@trio.lowlevel.disable_ki_protection\nasync def _invoke",
        "async def _invoke",
    ),
    Mutant(
        "leaked cancellation",
        "a Cancelled of some other scope that leaves a child is an error of the child, and never passed on",
        "_child.py",
        "            if _leaks(error):",
        "            if False:",
    ),
    # DynamicSupervisor
    Mutant(
        "no number check",
        "the timeout of a start that has failed meanwhile does not hit the next incarnation",
        "_pool.py",
        "if place not in self.places or place.number != number:",
        "if place not in self.places:",
    ),
    Mutant(
        "restart of the stopped",
        "a child that stop_child ended is not restarted",
        "_pool.py",
        "elif child.expected or (not child.ready and (child.number == 1 or error is None)):",
        "elif not child.ready and (child.number == 1 or error is None):",
    ),
    Mutant(
        "crash before the stop",
        "a child that stop_child removes while its restart waits to be decided is not restarted",
        "_pool.py",
        "            return  # stop_child was faster",
        "            pass",
    ),
    Mutant(
        "queue jumped",
        "a place given to one who waited is not taken by another who comes just then",
        "_admission.py",
        "len(pool.places) + pool.promised < most",
        "len(pool.places) < most",
    ),
    Mutant(
        "place lost",
        "a place that becomes free wakes one who waits for it",
        "_pool.py",
        "                self.room.unpark()",
        "                pass",
    ),
    Mutant(
        "pool keeps its finished",
        "a child that ended for good is forgotten",
        "_pool.py",
        "            del self.places[place]",
        "            pass",
    ),
    # TaskSupervisor
    Mutant(
        "task swallows an interrupt",
        "KeyboardInterrupt in a task ends all tasks",
        "_tasks.py",
        "leaving = error if is_fatal(error) else cancelled",
        "leaving = cancelled",
    ),
    Mutant(
        "task drops its cancellation",
        "a cancellation from outside goes on outwards",
        "_tasks.py",
        "leaving = error if is_fatal(error) else cancelled",
        "leaving = error if is_fatal(error) else None",
    ),
    Mutant(
        "tasks never end",
        "a finished task makes room for another",
        "_tasks.py",
        "        self._count -= 1",
        "        pass",
    ),
    Mutant(
        "late tasks",
        "no task is started while the others are waited for",
        "_tasks.py",
        "self._nursery is None or self._shutdown is None or self._shutdown.is_set()",
        "self._nursery is None or self._shutdown is None",
    ),
    # Events
    Mutant(
        "observer hurts",
        "what an observer raises is logged and goes no further",
        "_events.py",
        "        except Exception as exc:  # noqa: BLE001 - told to the log, and goes no further\n",
        "        except KeyError as exc:\n",
    ),
    Mutant(
        "one sequence number",
        "events are numbered",
        "_events.py",
        "        self._seq += 1",
        "        self._seq = 1",
    ),
    Mutant(
        "silent failure",
        "an error that nobody else will tell of is logged",
        "_restarts.py",
        "                run.journal.dropped(child, end.error)",
        "                pass",
    ),
    Mutant(
        "bottomless log",
        "a log of events keeps the last ones only",
        "_ring.py",
        "deque(maxlen=size)",
        "deque()",
    ),
    Mutant(
        "log keeps errors",
        "a log of events keeps no error alive, nor the frames it passed through",
        "_ring.py",
        "event = replace(event, exit=past_exit(end))",
        "pass",
    ),
    # Actor
    Mutant(
        "caller left waiting",
        "every caller that waits gets ActorDown before a restart",
        "_mailbox.py",
        "            call.settle(None, self.down())",
        "            pass",
    ),
    Mutant(
        "caster left waiting",
        "so does whoever waits for a place",
        "_mailbox.py",
        "            if isinstance(letter, PendingCast):\n                letter.wake()",
        "            pass",
    ),
    Mutant(
        "late reply",
        "the answer to a call whose caller has left, or was told of the end, is dropped",
        "_reply.py",
        "        if self._settled:\n            return False",
        "        pass",
    ),
    Mutant(
        "dropped reply",
        "the caller of a call that is dropped unanswered is told",
        "_reply.py",
        "        if not (self._used or call.settled):",
        "        if False:",
    ),
    Mutant(
        "calling self",
        "an actor that calls itself, directly or through others, is refused",
        "_mailbox.py",
        "        if at is caller:",
        "        if False:",
    ),
    Mutant(
        "calling a partner",
        "two actors that call each other are found out, not only one that calls itself",
        "_mailbox.py",
        "        at = at.waits_for",
        "        at = None",
    ),
    Mutant(
        "mailbox without bound",
        "a mailbox holds no more than its capacity",
        "_mailbox.py",
        "        return len(self._inside) >= self._capacity",
        "        return False",
    ),
    Mutant(
        "unbounded calls",
        "a call waits for its place like a cast",
        "_mailbox.py",
        "        if len(self._inside) < self._capacity:",
        "        if True:",
    ),
    Mutant(
        "message taken back late",
        "a caller that leaves before its message has a place takes it back",
        "_reply.py",
        "            self.to.withdraw(self)\n",
        "",
    ),
    Mutant(
        "old mailbox",
        "an actor that ended takes no more messages",
        "_actor_ref.py",
        "        self._mailbox = None\n        lifetime",
        "        lifetime",
    ),
    # Registry
    Mutant(
        "name of the dead",
        "a name is gone in the step in which its child ends",
        "_registry.py",
        "            holder.at_exit(self._forget)",
        "            pass",
    ),
    Mutant(
        "name after the news",
        "nobody who hears of a child's end finds its name",
        "_child.py",
        "        if self._at_exit is not None:\n"
        "            for callback in self._at_exit:\n"
        "                callback(self)\n"
        "            self._at_exit = None\n"
        "        if self._done is not None:\n"
        "            self._done.set()\n"
        "        self.owner.child_changed(self)\n",
        "        if self._done is not None:\n"
        "            self._done.set()\n"
        "        self.owner.child_changed(self)\n"
        "        for callback in self._at_exit or ():\n"
        "            callback(self)\n",
    ),
    Mutant(
        "name taken over",
        "a name in use is given to nobody else",
        "_registry.py",
        "        if name in self._entries:\n            raise NameTaken",
        "        if False:\n            raise NameTaken",
    ),
    Mutant(
        "name waited for in vain",
        "a registration wakes who waits for the name",
        "_registry.py",
        "            self._awaited.pop(name).unpark_all()",
        "            pass",
    ),
)
