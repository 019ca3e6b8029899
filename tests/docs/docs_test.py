#!/usr/bin/env python3
"""Checks that the docs and the programs say the same.

docs/programs.md holds every program's --help, word for word; every flag that a
command in the docs uses is in the help of its program; every link between docs
leads somewhere; every bench has its place among the figures. With --write,
docs/programs.md is made anew.

usage: docs_test.py SOURCE_DIR BIN_DIR [--write]
"""

import pathlib
import re
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(sys.argv[1])
BIN = pathlib.Path(sys.argv[2])
PROGRAMS_PAGE = SOURCE / "docs" / "programs.md"
FLAG = re.compile(r"(?<![\w-])--?[a-zA-Z][a-z0-9-]*")
# What a command in the docs may begin with.
COMMAND = re.compile(
    r"(?:^|\s|`)(?:\S*/)?(balancemoe[-a-z]*|\./run)(?=\s|$)([^`|;#)]*)")
PROGRAM_OF_RUN = {"demo": ["balancemoe-demo"], "bench": ["balancemoe-bench"]}
INTRODUCTION = """# Programs

What each program prints for `--help`, word for word. `./run docs` makes this page anew.
"""


def help_of(command):
    """The --help text of ["program", "subcommand"...]."""
    return subprocess.run([BIN / command[0], *command[1:], "--help"],
                          check=True, capture_output=True, text=True,
                          timeout=60).stdout.replace(str(BIN) + "/", "")


def subcommands(command):
    """Those that a command's help lists, each followed by its own."""
    section = re.search(r"^Subcommands:\n((?:  .*\n?)+)", help_of(command),
                        re.MULTILINE)
    found = []
    if section:
        for name in re.findall(r"^  (\S+)", section[1], re.MULTILINE):
            found += [[*command, name], *subcommands([*command, name])]
    return found


def commands():
    """All programs and their subcommands."""
    found = []
    for path in sorted(BIN.glob("balancemoe*")):
        found += [[path.name], *subcommands([path.name])]
    return found


def programs_page():
    sections = [INTRODUCTION]
    for command in commands():
        sections.append(
            f"## {' '.join(command)}\n\n```\n{help_of(command).strip()}\n```\n")
    return "\n".join(sections)


def pages():
    return sorted([*SOURCE.glob("*.md"), *SOURCE.glob("docs/**/*.md")])


def used_commands(page):
    """(line number, program, arguments) of the commands that a page shows."""
    in_block = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            in_block = not in_block
            continue
        shown = [line] if in_block or line.startswith("    ") else \
            re.findall(r"`[^`]+`", line)
        for text in shown:
            for program, arguments in COMMAND.findall(text):
                yield number, program, arguments.split()


def without_margin(text):
    return "\n".join(line.strip() for line in text.splitlines())


class DocsTest(unittest.TestCase):

    def test_programs_page_is_what_the_programs_print(self):
        self.assertEqual(PROGRAMS_PAGE.read_text(), programs_page(),
                         "docs/programs.md is out of date: ./run docs")

    def test_every_flag_in_a_command_exists(self):
        run_help = subprocess.run([SOURCE / "run", "help"], check=True,
                                  capture_output=True, text=True).stdout
        known = {tuple(command) for command in commands()}
        for page in pages():
            if page == PROGRAMS_PAGE:
                continue
            for number, program, arguments in used_commands(page):
                where = f"{page.relative_to(SOURCE)}:{number}"
                target = [program]
                if program == "./run" and arguments:
                    self.assertRegex(run_help, rf"(?m)^  {arguments[0]}\b",
                                     f"{where}: ./run has no such command")
                    target = PROGRAM_OF_RUN.get(arguments[0], ["./run"])
                    arguments = arguments[1:]
                while arguments and (*target, arguments[0]) in known:
                    target = [*target, arguments[0]]
                    arguments = arguments[1:]
                if target[0] != "./run" and (target[0],) not in known:
                    continue
                text = run_help if target[0] == "./run" else help_of(target)
                for argument in arguments:
                    for flag in FLAG.findall(argument)[:1]:
                        self.assertIn(flag, FLAG.findall(text),
                                      f"{where}: {' '.join(target)} --help "
                                      f"does not have {flag}")

    def test_every_link_between_pages_leads_somewhere(self):
        for page in pages():
            for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
                if "://" in target:
                    continue
                self.assertTrue((page.parent / target).exists(),
                                f"{page.relative_to(SOURCE)}: no {target}")

    def test_readme_quotes_the_attach_example(self):
        example = without_margin(
            (SOURCE / "docs/examples/attach.cc").read_text())
        readme = (SOURCE / "README.md").read_text()
        quotes = re.findall(r"```cpp\n(.*?)```", readme, re.DOTALL)
        self.assertTrue(quotes)
        for quote in quotes:
            self.assertIn(without_margin(quote), example)

    def test_readme_names_every_program(self):
        readme = (SOURCE / "README.md").read_text()
        for command in commands():
            self.assertIn(command[0], readme)

    def test_performance_page_has_every_bench(self):
        page = (SOURCE / "docs" / "performance.md").read_text()
        for program, bench in subcommands(["balancemoe-bench"]):
            self.assertRegex(page, rf"(\./run bench|{program}) {bench}\b")


if __name__ == "__main__":
    if "--write" in sys.argv:
        PROGRAMS_PAGE.write_text(programs_page())
    else:
        unittest.main(argv=sys.argv[:1])
