#!/usr/bin/env python3
"""Holds every dependency against deny.toml: its licence, its source, and whether it is banned.

`cargo deny` does the same and more, but is a long build; this needs nothing but Python and cargo. Exit status 1 and a
line for each dependency that may not be there.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def rules(text):
    """The allowed licences and the banned crates of deny.toml (read as text: old Pythons have no TOML)."""
    allow = re.search(r"^allow = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    licences = set(re.findall(r'"([^"]+)"', allow.group(1)))
    banned = dict(re.findall(r'\{ crate = "([^"]+)", reason = "([^"]+)" \}', text))
    if not licences or not banned:
        sys.exit("deny.toml: found no allowed licences or no banned crates")
    return licences, banned


def permitted(expression, allowed):
    """Whether an SPDX expression can be met with allowed licences alone. AND binds tighter than OR, WITH tighter still."""
    # Old crates write MIT/Apache-2.0 for a choice.
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    place = 0

    def peek():
        return tokens[place] if place < len(tokens) else None

    def take():
        nonlocal place
        place += 1
        return tokens[place - 1]

    def one():
        if peek() == "(":
            take()
            met = either()
            take()
            return met
        licence = take()
        if peek() == "WITH":
            take()
            licence += " WITH " + take()
        return licence in allowed

    def both():
        met = one()
        while peek() == "AND":
            take()
            met = one() and met
        return met

    def either():
        met = both()
        while peek() == "OR":
            take()
            met = both() or met
        return met

    return either()


def main():
    allowed, banned = rules((ROOT / "deny.toml").read_text())
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    wrong = []
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        licence = package["license"]
        if not licence:
            wrong.append(f"{name}: says no licence")
        elif not permitted(licence, allowed):
            wrong.append(f"{name}: {licence} is not allowed")
        if package["name"] in banned:
            wrong.append(f"{name}: banned, {banned[package['name']]}")
        if package["source"] not in (None, CRATES_IO):
            wrong.append(f"{name}: comes from {package['source']}")
    for line in sorted(wrong):
        print(line, file=sys.stderr)
    if wrong:
        return 1
    print(f"dependencies: {len(metadata['packages'])} crates, all with an allowed licence")
    return 0


def self_check():
    """The expression reader decides what may be shipped, so it is checked each time."""
    allowed = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"}
    for expression, met in [
        ("MIT", True),
        ("GPL-3.0", False),
        ("MIT OR GPL-3.0", True),
        ("MIT AND GPL-3.0", False),
        ("(GPL-3.0 OR MIT) AND Apache-2.0", True),
        ("GPL-3.0 OR MIT AND AGPL-3.0", False),
        ("GPL-3.0/MIT", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT WITH LLVM-exception", False),
    ]:
        if permitted(expression, allowed) != met:
            sys.exit(f"dependencies.py reads {expression!r} wrongly")


if __name__ == "__main__":
    self_check()
    sys.exit(main())
