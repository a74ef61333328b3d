"""`supervisors/` could be published by itself: its tests pass where there is nothing else of the project."""

import re
import subprocess
from pathlib import Path

from tests.support.alone import command, environment, lay_out

ABSENT = ("h11", "httptools", "httpx", "httpx2", "msgspec", "openai", "rich", "xllamacpp", "providers")


def test_the_folder_alone_passes_its_tests(tmp_path: Path) -> None:
    """Copied into an empty package, with nothing of the project's other dependencies to import, it works."""
    tree, absent = tmp_path / "tree", tmp_path / "absent"
    lay_out(tree)
    absent.mkdir()
    for name in ABSENT:
        (absent / f"{name}.py").write_text(f"raise ModuleNotFoundError({name!r})\n", "utf-8")
    # An editable install would lend the package its other half.
    (tree / "streamd" / "providers.py").write_text(
        "raise ModuleNotFoundError('streamd.providers')\n", "utf-8"
    )
    done = subprocess.run(
        command("-q", "-W", "error"),
        cwd=tree,
        env=environment(tree, absent),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 200
    assert "skipped" not in done.stdout
