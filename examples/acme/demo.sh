#!/bin/sh
# The first journey through Verdict, on the example organisation beside this file.
#
#   sh examples/acme/demo.sh [PATH-TO-VERDICT]      (make demo builds it first)
#
# It works in a scratch folder with a home of its own, needs git and no network, and pins
# the clock, so that the dated facts never go stale. Each step says in one line what it
# shows; a step that ends otherwise than it should stops the demo.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
verdict=${1:-$here/../../bin/verdict}
[ -x "$verdict" ] || { echo "demo: there is no program at $verdict" >&2; echo "  fix: make build" >&2; exit 1; }
verdict=$(cd "$(dirname "$verdict")" && pwd)/$(basename "$verdict")

scratch=$(mktemp -d "${TMPDIR:-/tmp}/verdict-demo.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

for name in $(env | sed -n 's/^\(VERDICT_[A-Z_]*\)=.*/\1/p') CI GITHUB_ACTIONS TF_BUILD GITLAB_CI; do unset "$name"; done
export HOME="$scratch" XDG_DATA_HOME="$scratch/data" XDG_STATE_HOME="$scratch/state" XDG_CONFIG_HOME="$scratch/config" XDG_CACHE_HOME="$scratch/cache"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME="Ada Acme" GIT_AUTHOR_EMAIL=ada@acme.example
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
mkdir "$scratch/bin" && ln -s "$verdict" "$scratch/bin/verdict"
export PATH="$scratch/bin:$PATH"
began=$(date +%s)

number=0
step() { number=$((number + 1)); printf '\n%d. %s\n' "$number" "$*"; }
stop() { printf '\ndemo: step %d went wrong: %s\n  fix: run the command above by hand with --verbose, and report what it prints\n' "$number" "$*" >&2; exit 1; }

# run CODE COMMAND…: shows the command and what it says; it must end with CODE.
run() {
  want=$1; shift
  printf '   $ %s\n' "$*"
  got=0; "$@" >"$scratch/said" 2>&1 || got=$?
  sed 's/^/   | /' "$scratch/said"
  [ "$got" -eq "$want" ] || stop "it ended with exit code $got instead of $want"
}
# says TEXT: the last command must have said it.
says() { grep -qF -- "$1" "$scratch/said" || stop "it did not say \"$1\""; }
# at TIME: the hour of the pinned day.
at() { export VERDICT_CLOCK="2026-11-20T$1:00Z" GIT_AUTHOR_DATE="2026-11-20T$1:00Z" GIT_COMMITTER_DATE="2026-11-20T$1:00Z"; }
commit() { git add -A && git commit -q -m "$1" && git rev-parse HEAD; }

echo "Verdict's first journey. Clock pinned to 2026-11-20; everything happens in $scratch."

step "A team has a repository with a Go service in it."
at 08:00
cp -R "$here/payments-api" "$scratch/payments-api"
cd "$scratch/payments-api"
git init -q -b main .
clean=$(commit "Payments API")
run 0 git log --oneline --stat

step "The security team imports dated facts about known vulnerabilities: no network needed."
at 08:30
run 0 verdict advisories import "$here/advisories"

step "The clean commit is judged: nothing provably unsafe, so it passes (exit 0)."
at 09:00
run 0 verdict ci

step "A change leaks a key and locks a dependency with a known vulnerability: blocked (exit 3)."
at 10:00
cp -R "$here/change-leak/." .
bad=$(commit "Retry payments")
run 3 verdict ci
run 3 verdict ci -o json="$scratch/decision.json"
id=$(sed -n 's/^ *"id": *"\([^"]*\)".*/\1/p' "$scratch/decision.json" | head -n 1)
[ -n "$id" ] || stop "there is no decision id in its JSON"

step "Why? The explanation comes from what was recorded; nothing is scanned again."
run 0 verdict why "$bad"

step "The trail: every piece of evidence and decision that the commit belongs to."
run 0 verdict trail "$bad"

step "The log proves itself: each leaf, each index row and the anchor outside the database."
run 0 verdict log verify

step "The decision is taken again from what it rested on, and comes out bit for bit the same."
run 0 verdict policy replay "$id"

step "The evidence leaves for people who do not run Verdict: tiles, bundles, keys, trusted root."
run 0 verdict log export --out "$scratch/export"

step "The change is taken back, and the new commit passes (exit 0). The old decision stays."
at 11:00
git revert --no-edit HEAD >/dev/null
run 0 verdict ci

step "The file that names the decision points is linted, and drawn from what is executed."
run 0 verdict map lint --map verdict.yaml
run 0 verdict map draw --map verdict.yaml -o svg="$scratch/map.svg"

cat <<END

This demo showed, on $(uname -sm) in $(($(date +%s) - began)) s, offline:
  - a clean commit passed, a commit with a leaked key and a vulnerable dependency was blocked, its repair passed;
  - the block was explained from the record, and its trail was shown;
  - the log was verified from its first entry, and the decision was replayed to the same digest;
  - the evidence was exported in formats that public tools verify.
Next: ./bin/verdict init in a repository of your own, then ./bin/verdict ci.
END
