#!/bin/sh
# Compiles the locked requirements, with hashes, from pyproject.toml. Usage: requirements/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 pyproject.toml "$@"; }
# dev.txt is the union; the others are constrained by it, so that tests run what the images ship.
compile --group dev --extra run --extra operator -o requirements/dev.txt "$@"
for extra in run bot operator; do compile --extra $extra -c requirements/dev.txt -o requirements/$extra.txt "$@"; done
for group in bench mutants; do compile --group $group -c requirements/dev.txt -o requirements/$group.txt "$@"; done
grep -A3 '^uv==' requirements/dev.txt >/dev/null && awk '/^[a-z]/{on=/^uv==/} on && !/# via/' requirements/dev.txt > requirements/uv.txt
