#!/usr/bin/env bash
# Goes through what the README tells, in a copy and an environment of its own:
#   bash check.sh [REQUIREMENT]    what pip is to install as sessionproof; its newest version else
# Needs Python 3.11 or later (PYTHON names another one) and git, and takes about two minutes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirement=${1:-sessionproof}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

expect() { # CODE WHAT COMMAND…: run the command; it must end with this code
  local code=0 expected=$1 what=$2
  shift 2
  printf '\n== %s\n$ %s\n' "$what" "$*"
  "$@" >"$work/printed" 2>&1 || code=$?
  if [ "$code" -ne "$expected" ]; then
    cat "$work/printed"
    echo "it ended with $code instead of $expected" >&2
    exit 1
  fi
  tail -n 4 "$work/printed"
}

printed() { # TEXT: it was in what the last command printed
  grep -qF -- "$1" "$work/printed" || {
    cat "$work/printed"
    echo "this was not printed: $1" >&2
    exit 1
  }
}

change() { # FILE EXPRESSION: change a file of the product by sed; it must differ then
  cp "chatlog/$1" "$work/before"
  sed "$2" "$work/before" >"chatlog/$1"
  if cmp -s "chatlog/$1" "$work/before"; then
    echo "nothing was changed by $2" >&2
    exit 1
  fi
}

commit() { # MESSAGE: commit the product as somebody
  git add chatlog pyproject.toml
  git -c user.name=somebody -c user.email=somebody@example.com commit -q -m "$1"
}

cp -R "$here" "$work/chatlog"
cd "$work/chatlog"
rm -rf sessionproof-report .venv
"${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install --disable-pip-version-check -q "$requirement" .
judge=(.venv/bin/sessionproof run --profile smoke)
some=("${judge[@]}" --only CORE --only SEC)  # where the breaks of the bad store are
files=chatlog.adapters:FilesStore

expect 0 "the good store is green" "${judge[@]}" chatlog.adapters:DatabaseStore

expect 1 "the bad store is red" "${some[@]}" "$files"
printed "CORE-07"
test -s sessionproof-report/index.html
reproducer=sessionproof-report/repro/CORE-07.py
test -s "$reproducer"

expect 1 "its reproducer fails without the harness" .venv/bin/python "$reproducer"
printed "AssertionError"
cp "$reproducer" "$work/reproducer.py"  # the next run has its own, or none

expect 0 "with a baseline it is green" "${some[@]}" "$files" --baseline baseline.toml
printed "known break"

printf 'CORE-04 = "it never had pages"\n' >>baseline.toml
expect 1 "a stale entry is red" "${some[@]}" "$files" --baseline baseline.toml
printed "CORE-04, which the store does not claim"
cp "$here/baseline.toml" .

expect 0 "both in the project's own pytest" .venv/bin/python -m pytest -q
printed "xfailed"

# A commit that is to keep the files small.
change files.py 's/kept = \[\*self.history(session), \*turns\]/&[-20:]/'
expect 1 "a new break is red" "${some[@]}" "$files" --baseline baseline.toml
printed "known break"
printed "CORE-01"

expect 1 "and in pytest" .venv/bin/python -m pytest -q -n 2 -k "TestFiles and read_back"
printed "FAILED tests/test_stores.py::TestFiles::test_"
printed "1 guarantee broken"

# A commit that gives each id a file of its own.
cp "$here/chatlog/files.py" chatlog/files.py
change files.py 's/re.sub(.*, session) + /session.encode("utf-8", "surrogatepass").hex() + /'
expect 0 "once the bug is mended, the baseline says so" \
  "${some[@]}" "$files" --baseline baseline.toml
printed "CORE-07 is listed as broken in baseline.toml, and holds now"
expect 0 "and the reproducer, too" .venv/bin/python "$work/reproducer.py"
printed "holds now"

# A commit that looks through the session before each append.
git init -q .
commit "the product as it is"
change database.py '/executemany(/i\            self.history(session)'
commit "each append reads the session"
expect 3 "a commit that makes the good store slower is red" \
  .venv/bin/sessionproof bench compare HEAD^ HEAD --store chatlog.adapters:DatabaseStore \
  --profile smoke
printed "slower: append"

printf '\nall as the README tells, after %d s\n' "$SECONDS"
