"""What the arguments of the command line become."""

import pytest

from streamd._cli_args import ChatCommand, ProvidersCommand, load_tool, parse
from streamd._version import __version__
from streamd.errors import ConfigError


def test_a_bare_chat_has_the_defaults():
    """`streamd chat` talks with the local model."""
    assert parse(["chat"]) == ChatCommand()


def test_every_option_of_chat_is_read():
    """Each option ends in its own field, with its type; tools keep their order."""
    given = "chat hello -m openai:gpt -s brief --tool a:b --tool c:d --max-tokens 5 --temperature 0.5 --json --stats"
    assert parse(given.split()) == ChatCommand(
        prompt="hello",
        model="openai:gpt",
        system="brief",
        tools=("a:b", "c:d"),
        max_tokens=5,
        temperature=0.5,
        as_json=True,
        statistics=True,
    )


def test_providers_takes_a_text_or_nothing():
    """`streamd providers` is a command of its own, and may be told which are wanted."""
    assert parse(["providers"]) == ProvidersCommand()
    assert parse(["providers", "azure"]) == ProvidersCommand("azure")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["chat", "--max-tokens", "0"], "'0' is not a positive whole number"),
        (["chat", "--max-tokens", "many"], "'many' is not a positive whole number"),
        (["chat", "--temperature", "warm"], "'warm' is not a number"),
        (["chat", "--temperature", "nan"], "'nan' is not a number"),
        (["sing"], "sing"),
    ],
)
def test_wrong_arguments_are_named(arguments, said, capsys):
    """Arguments that make no sense end the process with 2 and are named on standard error."""
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"), [("--version", f"streamd {__version__}"), ("--help", "usage: streamd")]
)
def test_help_and_version_are_printed(option, said, capsys):
    """`--help` and `--version` print to standard output and end well."""
    with pytest.raises(SystemExit) as caught:
        parse([option])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(said)


def test_a_tool_is_found_in_the_current_folder(tmp_path, monkeypatch):
    """A module of the current folder is imported, and a dotted path below it followed."""
    (tmp_path / "cli_tools_a.py").write_text(
        "class Box:\n    @staticmethod\n    def roll(sides: int) -> int:\n        return 4\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    assert load_tool("cli_tools_a:Box.roll")(6) == 4
    assert load_tool("cli_tools_a:Box.roll")(6) == 4


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("roll", "give it as module:function"),
        ("dice:", "give it as module:function"),
        (":roll", "give it as module:function"),
        ("no_such_module_at_all:roll", "'no_such_module_at_all' cannot be imported: ModuleNotFoundError"),
        ("cli_tools_b:roll", "'cli_tools_b' cannot be imported: ZeroDivisionError"),
        ("json:roll", "module 'json' has no attribute 'roll'"),
        ("json:__name__", "it is no function but a str"),
    ],
)
def test_a_bad_tool_reference_is_a_clear_error(reference, said, tmp_path, monkeypatch):
    """Whatever is wrong with a reference to a tool is a `ConfigError` that names it."""
    (tmp_path / "cli_tools_b.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        load_tool(reference)
    assert str(caught.value).startswith(f"--tool {reference}: ")
    assert said in str(caught.value)
