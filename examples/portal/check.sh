#!/usr/bin/env bash
# Runs the tour on SQLite, and on a PostgreSQL server of its own where there is one:
#   bash check.sh    with sessionproof and its extras portal and postgres (PYTHON names one with it)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset DATABASE_URL

echo "== SQLite"
"$python" "$here/tour.py" "sqlite:///$work/portal.db" | tee "$work/sqlite"

if ! "$python" -c 'from sessionproof.faults.servers.binaries import find_binaries as found
raise SystemExit(found() is None)'; then
  echo "== PostgreSQL is not there: no tour on it"
  exit 0
fi
echo "== PostgreSQL"
"$python" "$here/on_server.py" | tee "$work/postgresql"

cmp "$work/sqlite" "$work/postgresql" || {
  echo "both databases should tell the same" >&2
  exit 1
}
echo "== both told the same"
