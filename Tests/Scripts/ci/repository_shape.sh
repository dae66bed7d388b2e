#!/usr/bin/env bash
# Checks what the repository may contain. Runs in the root of a clone.
#
#   repository_shape.sh
set -euo pipefail

fail() { printf 'repository_shape.sh: %s\n' "$1" >&2; exit 1; }

extra=$(git ls-tree --name-only HEAD |
    grep -vxE 'Package\.swift|Sources|Tests|README\.md|config\.example\.json|logs|\..*' || true)
[ -z "$extra" ] || fail "$extra: not allowed at the top level"
grep -q '^    dependencies: \[\],$' Package.swift || fail "Package.swift: dependencies must be []"
! grep -n '\.package(' Package.swift || fail "Package.swift: names a package"
! find Sources -name '*.c' -o -name '*.cpp' -o -name '*.m' -o -name '*.s' | grep . ||
    fail "Sources: contains C, Objective-C or assembly"
! grep -rnE 'TODO|FIXME|XXX' Sources Tests --exclude=repository_shape.sh ||
    fail "unfinished work is marked above"
python3 Tests/Scripts/unsafe_words.py Sources
