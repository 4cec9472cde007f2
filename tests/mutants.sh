#!/bin/sh
# Mutation testing of what [tool.mutmut] in pyproject.toml names, at low priority; then what survived.
# mutmut takes a module's name from its path, and knows src/ but not bot/: so it works on a copy, which it leaves there.
# Usage: tests/mutants.sh [mutmut run's options]
set -eu
cd "$(dirname "$0")/.."
copy=${TMPDIR:-/tmp}/opensqt-mutants
rm -rf "$copy"
mkdir "$copy"
cp -R bot "$copy/src"
cp -R tests operator "$copy"
sed 's/pythonpath = \["bot",/pythonpath = ["src",/' pyproject.toml > "$copy/pyproject.toml"
cd "$copy"
nice -n 19 mutmut run "$@"
mutmut results
echo "To see one: cd $copy && mutmut show NAME"
