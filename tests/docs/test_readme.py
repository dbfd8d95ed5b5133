"""README.md's commands do what it says, typed word for word."""

from __future__ import annotations

from pathlib import Path

from tests.docs.blocks import commands
from tests.docs.typed import HOME, Session, readme_block, readme_commands
from tests.spaces import Space

REFUSED = "brca"


def test_the_tour_is_whole() -> None:
    lines = readme_commands()
    assert lines[0].startswith(f"export GBA_HOME={HOME} ")
    assert lines[1:3] == ["gba space init $GBA_HOME", "gba space up --detach"]
    assert lines[-1] == "gba space down"


def test_the_commands_do_what_the_readme_says(documented_space: Space) -> None:
    # Making, starting and stopping the space are the first and last commands: the fixture's.
    said = Session(documented_space.home).type(*readme_commands()[3:-1])
    for line, ran in said.items():
        assert ran.code == (4 if REFUSED in line else 0), f"{line}: {ran.err}"
    by_command = {line.split()[1]: ran for line, ran in said.items() if REFUSED not in line}
    assert "patients" in by_command["catalog"].out
    assert "verified" in by_command["query"].out
    assert "macao" in by_command["audit"].out
    (refusal,) = [ran.error for line, ran in said.items() if REFUSED in line]
    assert refusal["rule"]
    assert refusal["basis"]


def test_the_python_of_the_readme_prints_a_table(documented_space: Space, tmp_path: Path) -> None:
    script = tmp_path / "asking.py"
    text = readme_block("import dataspace").text
    script.write_text(text.replace(HOME, str(documented_space.home)))
    (ran,) = Session(documented_space.home).type(f"python {script}").values()
    assert ran.code == 0, ran.err
    assert "20000" in ran.out


def test_the_targets_that_the_readme_names_are_there() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    targets = [line.split()[1] for line in commands(readme_block("make demo"))]
    assert targets
    for target in targets:
        assert f"\n{target}:" in makefile
