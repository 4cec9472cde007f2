#!/bin/sh
# Makes or updates a virtual environment of the locked requirements, with this working copy importable in it.
# Usage: requirements/environment.sh VENV run|dev
set -eu
cd "$(dirname "$0")/.."
venv=$1 lock=requirements/$2.txt

suits() { command -v "$1" >/dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
if [ ! -x "$venv/bin/python" ]; then
  for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if suits "$python"; then break; fi
    python=
  done
  [ -n "$python" ] || { echo "error: Python 3.11 or newer is needed (PYTHON=/path/to/python make …)" >&2; exit 1; }
  echo "Making $venv with $($python --version)"
  "$python" -m venv "$venv" || {
    rm -rf "$venv"
    echo "error: $python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
  }
fi
if [ ! -x "$venv/bin/uv" ]; then
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
fi
echo "Installing $lock"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r "$lock"

# No build back end is needed to import two folders and to have two commands.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$PWD/bot" "$PWD/operator" > "$site/opensqt.pth"
for command in opensqt=opensqt.cli.main opensqt-operator=opensqt_operator.main; do
  script=$venv/bin/${command%%=*}
  printf '#!%s\nfrom %s import main\n\nmain()\n' "$PWD/$venv/bin/python" "${command#*=}" > "$script"
  chmod +x "$script"
done
