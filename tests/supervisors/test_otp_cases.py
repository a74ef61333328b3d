"""Which cases of other suites are here: OTP's `supervisor_SUITE`, Elixir's, and trio's own tests of what this rests on.

Of the 93 cases of `supervisor_SUITE` (stdlib, 2025), 75 are ported and 4 adapted, under `test_` and their own names.
The other 14 have no subject here:

    sup_start_ignore_init, sup_start_error_return    a supervisor is an object, with no init callback
    get_callback_module                              so there is no callback module either
    code_change, code_change_map, code_change_simple, code_change_simple_map
                                                     no code is replaced while it runs
    significant_upgrade_never_any, significant_upgrade_any_never, significant_upgrade_never_all,
    significant_upgrade_all_never, significant_upgrade_any_all, significant_upgrade_all_any, significant_upgrade_child
                                                     these change a supervisor's options by a code change
"""

import re
from pathlib import Path

PORTED = """
sup_start_normal sup_start_ignore_child sup_start_ignore_temporary_child sup_start_ignore_temporary_child_start_child
sup_start_ignore_temporary_child_start_child_simple sup_start_ignore_permanent_child_start_child_simple sup_start_fail
sup_start_child_returns_error sup_start_restart_child_returns_error sup_start_child_returns_error_simple
sup_start_map sup_start_map_simple sup_start_map_faulty_specs
sup_stop_infinity sup_stop_timeout sup_stop_timeout_dynamic sup_stop_brutal_kill sup_stop_brutal_kill_dynamic
sup_stop_race sup_stop_non_shutdown_exit_dynamic
child_adm child_adm_simple extra_return child_specs child_specs_map sup_flags multiple_restarts
one_for_one one_for_one_escalation
one_for_all one_for_all_escalation one_for_all_other_child_fails_restart
simple_one_for_one simple_one_for_one_shutdown simple_one_for_one_extra simple_one_for_one_escalation
simple_one_for_one_corruption simple_one_for_one_restart_ignore
rest_for_one rest_for_one_escalation rest_for_one_other_child_fails_restart
permanent_normal transient_normal temporary_normal
permanent_shutdown transient_shutdown temporary_shutdown faulty_application_shutdown
permanent_abnormal transient_abnormal temporary_abnormal
tree temporary_bystander
nonsignificant_temporary nonsignificant_transient significant_temporary significant_transient significant_simple
significant_bystander significant_escalation
count_children count_children_supervisor count_restarting_children which_children which_children_simple
do_not_save_start_parameters_for_temporary_children do_not_save_child_specs_for_temporary_children
simple_one_for_one_scale_many_temporary_children scale_start_stop_many_children order_of_children
hanging_restart_loop hanging_restart_loop_rest_for_one hanging_restart_loop_simple
format_log_1 format_log_2
""".split()  # noqa: SIM905 - a table

ADAPTED = {
    "child_unlink": "there are no links: the naughty child shields itself",
    "simple_global_supervisor": "there are no global names: a restarted child in a registry",
    "already_started_outside_supervisor": "there are no process names: an id that is taken",
    "external_start_no_progress_log": "there is no progress log: starts are told to the observer alone",
}

DROPPED = """
sup_start_ignore_init sup_start_error_return get_callback_module
code_change code_change_map code_change_simple code_change_simple_map
significant_upgrade_never_any significant_upgrade_any_never significant_upgrade_never_all
significant_upgrade_all_never significant_upgrade_any_all significant_upgrade_all_any significant_upgrade_child
""".split()  # noqa: SIM905 - a table

ELIXIR = """
temporary_child_is_not_restarted_regardless_of_reason
transient_child_is_restarted_unless_it_returned
permanent_child_is_restarted_regardless_of_reason
child_is_restarted_with_different_values
child_is_restarted_when_trying_again
child_triggers_maximum_intensity_when_trying_again
start_child_with_max_children
restarting_on_init_children_counted_in_max_children
restarting_on_exit_children_counted_in_max_children
terminates_restarting_child
terminates_with_mixed_children
async_nolink_spawns_tasks_without_link
raises_when_max_children_is_reached
async_stream_without_leaking_tasks
shuts_down_unused_tasks
await_on_task_throw
await_on_task_error
await_on_task_exit
demonitors_and_unalias_on_timeout
""".split()  # noqa: SIM905 - a table

TRIO = """
misnesting
start_with_cancelled_nursery
does_not_create_cyclic_garbage
""".split()  # noqa: SIM905 - a table


def defined(pattern: str) -> list[str]:
    """The names of the tests in the files beside this one."""
    return [
        name
        for path in sorted(Path(__file__).parent.glob(pattern))
        for name in re.findall(r"^(?:async )?def test_(\w+)", path.read_text("utf-8"), re.MULTILINE)
    ]


def test_every_case_of_otp_is_here_or_dropped_for_a_reason() -> None:
    """All 93 are accounted for once; each that applies has one test of its name, and each other stands in the table."""
    names = [*PORTED, *ADAPTED, *DROPPED]
    assert (len(PORTED), len(ADAPTED), len(DROPPED), len(set(names))) == (75, 4, 14, 93)
    tests = defined("test_otp_*.py")
    assert [name for name in (*PORTED, *ADAPTED) if tests.count(name) != 1] == []
    assert [name for name in DROPPED if name in tests or name not in str(__doc__)] == []


def test_every_case_of_elixir_and_trio_is_here() -> None:
    """Those that say what OTP's do not."""
    tests = defined("test_elixir.py") + defined("test_trio_core.py")
    assert [name for name in (*ELIXIR, *TRIO) if tests.count(name) != 1] == []
