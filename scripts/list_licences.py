#!/usr/bin/env python3
"""List the licence of every package that rtnmf needs, directly or through another one, with all extras but `test`.

`.venv/bin/python scripts/list_licences.py`, in an environment where rtnmf is installed. It prints the name, the version
and the licence of each as the package itself states it, and ends with code 1 if one states none. Extras that are not
installed are named on stderr.
"""

import re
import sys
from importlib import metadata

LONGEST = 60  # some packages give the whole text of their licence


def plain(name):
    """Return a name of a package as all are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(package):
    """Yield what a package requires on this system: of rtnmf with all extras but `test`, of others with none."""
    from packaging.requirements import Requirement

    facts = metadata.metadata(package)
    extras = [extra for extra in facts.get_all("Provides-Extra", []) if extra != "test"] if package == "rtnmf" else []
    for text in metadata.requires(package) or []:
        requirement = Requirement(text)
        if any(requirement.marker is None or requirement.marker.evaluate({"extra": e}) for e in ["", *extras]):
            yield plain(requirement.name)


def licence(package):
    """Return the licence that a package states: as an expression, in its classifiers, in words, or in a file of it."""
    facts = metadata.metadata(package)
    kinds = [text.rpartition(" :: ")[2] for text in facts.get_all("Classifier", []) if text.startswith("License ::")]
    words = " ".join((facts.get("License") or "").split())
    texts = [metadata.distribution(package).read_text(f"licenses/{name}") for name in facts.get_all("License-File", [])]
    first_lines = [line.strip() for text in texts if text for line in text.splitlines() if line.strip()][:1]
    return facts.get("License-Expression") or ", ".join(kinds) or words[:LONGEST] or "".join(first_lines)[:LONGEST]


def main():
    """Print the list."""
    waiting, found, missing = ["rtnmf"], {}, []
    while waiting:
        package = waiting.pop()
        if package in found or package in missing:
            continue
        try:
            found[package] = licence(package)
            waiting += needed(package)
        except metadata.PackageNotFoundError:
            missing.append(package)
    for package in sorted(set(found) - {"rtnmf"}):
        print(f"{package:24} {metadata.version(package):12} {found[package] or 'NONE STATED'}")
    if missing:
        print(f"not installed, and not listed: {', '.join(sorted(missing))}", file=sys.stderr)
    sys.exit(0 if all(found.values()) else 1)


if __name__ == "__main__":
    main()
