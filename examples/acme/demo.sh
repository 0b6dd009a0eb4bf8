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
server= # the process of verdict serve, while there is one
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
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

# run CODE COMMAND…: shows the command and what it says; it must end with CODE. Verdict says
# with each command that the clock is pinned; that line is shown once.
run() {
  want=$1; shift
  printf '   $ %s\n' "$*" | sed "s#$scratch#…#g; s#$here#examples/acme#g"
  got=0; "$@" >"$scratch/said" 2>&1 || got=$?
  grep -v "$unsaid" "$scratch/said" | head -n "${most:-200}" | sed "s/^/   | /; s#$scratch#…#g; s#$here#examples/acme#g"
  if [ "$(wc -l <"$scratch/said")" -gt "${most:-200}" ]; then printf '   | …\n'; fi
  [ "$got" -eq "$want" ] || stop "it ended with exit code $got instead of $want"
}
unsaid='^$a' # nothing, until the pinned clock was told
# says TEXT: the last command must have said it.
says() { grep -qF -- "$1" "$scratch/said" || stop "it did not say \"$1\""; }
# at TIME: the hour of the pinned day.
at() { export VERDICT_CLOCK="2026-11-20T$1:00Z" GIT_AUTHOR_DATE="2026-11-20T$1:00Z" GIT_COMMITTER_DATE="2026-11-20T$1:00Z"; }
# decision FILE: the id of the first decision in a JSON answer.
decision() { sed -n 's/^ *"id": *"\(d-[^"]*\)".*/\1/p' "$1" | head -n 1; }
digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }
commit() { git add -A && git commit -q -m "$1" && git rev-parse HEAD; }

echo "Verdict's first journey. The clock is pinned to 2026-11-20. Everything happens in $scratch, below: …"

step "A team has a repository with a Go service in it."
at 08:00
cp -R "$here/payments-api" "$scratch/payments-api"
cd "$scratch/payments-api"
git init -q -b main .
git add verdict.yaml CODEOWNERS && git commit -q -m "Who owns what"
commit "Payments API" >/dev/null
run 0 git show --stat --format=%s

step "The security team imports dated facts about known vulnerabilities: no network needed."
at 08:30
run 0 verdict advisories import "$here/advisories" --as-of 2026-11-15T00:00:00Z
says "THE CLOCK IS PINNED"
unsaid='^verdict: THE CLOCK IS PINNED'

step "The clean commit is judged: every path has an owner and nothing is provably unsafe, so it passes (exit 0). No forge could be asked who reviewed it, and that is said, not passed over."
at 09:00
run 0 verdict ci
says "ALLOWED"
says "change-review is missing"

step "A change leaks a key and locks a dependency with a known vulnerability: blocked (exit 3)."
at 10:00
git checkout -q -b retries
cp -R "$here/change-leak/." .
bad=$(commit "Retry settlements")
run 3 verdict ci -o text -o json="$scratch/decision.json"
says "config/settlement.yaml:3"
says "lodash"
id=$(sed -n 's/^ *"id": *"\(d-[^"]*\)".*/\1/p; s/^ *"point": *"ci.secrets".*/here/p' "$scratch/decision.json" | sed -n '/^here$/{x;p;q;}; h')
[ -n "$id" ] || stop "its JSON holds no decision id"

step "Why? The explanation comes from what was recorded; nothing is scanned again."
run 0 verdict why "$id"
says "What would make it pass"

step "The trail of the commit: who owns it, evidence and decisions so far, and which links are still unknown."
run 0 verdict trail "$bad"
says "owned by"

step "The leaked key itself is nowhere in what Verdict keeps."
leaked=$(sed -n 's/^settlement_api_key: "\([^"]*\)".*/\1/p' config/settlement.yaml)
[ -n "$leaked" ] || stop "the example holds no key to look for"
if grep -rqF -- "$leaked" "$scratch/data" "$scratch/state" "$scratch/decision.json"; then stop "the key is in the record"; fi
printf '   | not found in the ledger, the anchor and the JSON\n'

step "The log proves itself: each leaf, each signature, each index row, and the anchor outside."
run 0 verdict log verify
says "The log holds"

step "The decision is taken again from what it rested on, and comes out bit for bit the same."
run 0 verdict policy replay "$id"

step "The change is repaired, and the new commit passes (exit 0). The old decision stays on record."
at 11:00
git revert --no-edit HEAD >/dev/null
run 0 verdict ci
says "ALLOWED"
run 0 verdict log verify
verdict why "$bad" -o json >"$scratch/said" 2>&1 || stop "the old decision is gone"
says "$id"

step "Another change opens a host to everybody. Its code is blocked before anything is built, and its plan before anything is applied (exit 3 each)."
at 11:30
git checkout -q -b network
cp -R "$here/change-infra/infra" . && cp "$here/change-infra/tfplan.json" "$scratch/tfplan.json"
commit "Reach the settlement host" >/dev/null
run 3 verdict ci
says "infra/network.tf:11"
run 3 verdict plan check "$scratch/tfplan.json" --source infra
says "aws_security_group.settlement"

step "The plan is mended and allowed. An apply goes through for exactly that plan, and for no other."
run 3 verdict plan check --apply-guard "$scratch/tfplan.json"
sed 's|0\.0\.0\.0/0|10.20.0.0/16|' "$scratch/tfplan.json" >"$scratch/mended.json"
run 0 verdict plan check "$scratch/mended.json" --source infra
run 0 verdict plan check --apply-guard "$scratch/mended.json"
says "may be applied"
git checkout -q retries

step "A release is packed, and its build is attested: anyone's evidence about a file goes the same way."
at 12:00
git archive -o "$scratch/payments-api.tar" HEAD
cat >"$scratch/build.json" <<END
{"buildDefinition": {"buildType": "https://acme.example/make/v1", "externalParameters": {"commit": "$(git rev-parse HEAD)"}}, "runDetails": {"builder": {"id": "https://acme.example/builder"}}}
END
run 0 verdict attest provenance --subject "$scratch/payments-api.tar" "$scratch/build.json"

step "The log leaves for people who do not run Verdict: tiles, bundles, keys, trusted root."
out=$scratch/export
run 0 verdict log export --out "$out"
type=https://slsa.dev/provenance/v1
for bundle in "$out"/*.sigstore.json; do
  if verdict verify "$scratch/payments-api.tar" --bundle "$bundle" --key "$out/key.pub" --trusted-root "$out/trusted_root.json" --type "$type" >/dev/null 2>&1; then break; fi
done
run 0 verdict verify "$scratch/payments-api.tar" --bundle "$bundle" --key "$out/key.pub" --trusted-root "$out/trusted_root.json" --type "$type"
if command -v cosign >/dev/null 2>&1; then
  run 0 cosign verify-blob-attestation --key "$out/key.pub" --bundle "$bundle" --trusted-root "$out/trusted_root.json" --type "$type" "$scratch/payments-api.tar"
  says "Verified OK"
  outside="cosign verified the exported evidence without knowing Verdict"
else
  printf '   | cosign is not on PATH. With cosign 3.1.3, "make test-peers" runs, on such an export:\n'
  printf '   |   cosign verify-blob-attestation --key D/key.pub --bundle D/N.sigstore.json --trusted-root D/trusted_root.json --type TYPE FILE\n'
  outside="the evidence was exported in the formats that cosign verifies (cosign is not here; make test-peers shows it)"
fi

step "Somebody changes the packed file: the same evidence does not hold for it any more (exit 3)."
printf 'x' >>"$scratch/payments-api.tar"
run 3 verdict verify "$scratch/payments-api.tar" --bundle "$bundle" --key "$out/key.pub" --trusted-root "$out/trusted_root.json" --type "$type"

step "The team releases from its own machine: its map says whom it trusts to build, and what is at stake in dev, staging and production."
at 12:30
cp -R "$here/payments-api" "$scratch/release" && cd "$scratch/release"
git init -q -b main . && git remote add origin https://github.com/acme/payments-api
cp "$here/release/verdict.yaml" verdict.yaml
commit "How we release" >/dev/null
printf 'Answers who owes what.\n' >>README.md
commit "Say what it does" >/dev/null
run 0 verdict map lint
run 0 verdict people enroll noor
most=12
run 0 verdict ci -o text -o cyclonedx="$scratch/bom.json"
most=

step "An artifact earns trust once, by its digest. Nobody has stated anything of this one: blocked (exit 3), with what is missing."
git archive -o "$scratch/app.tar" HEAD
run 3 verdict artifact trust "$scratch/app.tar"
says "provenance is missing"
says "sbom is missing"

step "Its bill of materials and its provenance are bound to the digest, and it is trusted (exit 0)."
run 0 verdict attest sbom "$scratch/bom.json" --subject "$scratch/app.tar"
cat >"$scratch/release.json" <<END
{"buildDefinition": {"buildType": "https://acme.example/make/v1", "externalParameters": {"repository": "https://github.com/acme/payments-api", "ref": "refs/heads/main"}, "resolvedDependencies": [{"uri": "git+https://github.com/acme/payments-api@refs/heads/main", "digest": {"gitCommit": "$(git rev-parse HEAD)"}}]}, "runDetails": {"builder": {"id": "https://acme.example/builder"}, "metadata": {"finishedOn": "2026-11-20T12:00:00Z"}}}
END
run 0 verdict attest provenance "$scratch/release.json" --subject "$scratch/app.tar"
run 0 verdict artifact trust "$scratch/app.tar"
says "SLSA_BUILD_LEVEL_1"

step "The same digest goes from dev to staging; nobody is asked. Production waits for the soak time (exit 3), and a first deployment there for a person (exit 5)."
at 13:00
run 0 verdict gate --env dev "$scratch/app.tar"
run 0 verdict gate --env staging "$scratch/app.tar"
run 3 verdict gate --env production "$scratch/app.tar"
says "soak time"
at 14:30
run 5 verdict gate --env production "$scratch/app.tar" -o text -o json="$scratch/gate.json"
says "first deployment"
id=$(decision "$scratch/gate.json")

step "Noor, who had no part in it, approves exactly these facts, with scope, rationale and expiry. Now it is let in (exit 0), and is deployed."
run 0 verdict approve "$id" --as noor --scope "release 1" --rationale "looked at it, and at the way back" --expires 12h
run 0 verdict gate --env production "$scratch/app.tar" -o text -o json="$scratch/gate.json"
id=$(decision "$scratch/gate.json")
run 0 verdict attest deployment --env production --decision "$id" "$scratch/app.tar"
run 0 verdict environments production
says "allowed by"

step "The same ledger is served to others. With a server the commands stay what they were, and the server verifies and decides: whoever is judged does not judge."
verdict serve --listen 127.0.0.1:0 --ops-listen off >"$scratch/served" 2>"$scratch/served.log" &
server=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  address=$(sed -n 's#^ *api *\(http://[0-9.:]*\).*#\1#p' "$scratch/served")
  [ -z "$address" ] || break
  sleep 0.25
done
[ -n "$address" ] || { cat "$scratch/served.log" >&2; stop "verdict serve does not listen"; }
sed "s/^/   | /; s#$scratch#…#g; s#code=.*#code=…#" "$scratch/served"
export VERDICT_SERVER="$address"
most=12
run 0 verdict ci
run 0 verdict gate --env production "$scratch/app.tar"
run 0 verdict why "$id"
most=
run 0 verdict environments production
says "allowed by"

step "A cluster asks before it runs something, and is answered from the decisions of the gate. A file can be tried without a cluster: a tag (exit 3, with the digest to use), other bytes under the same name (exit 3), and what was promoted (exit 0)."
image=registry.acme.example/payments-api
digest=$(digest "$scratch/app.tar")
run 0 verdict gate --env production "$image@sha256:$digest" # in the registry it is the same digest, by its name there
sed "s#IMAGE#$image:1.4#" "$here/release/deployment.yaml" >"$scratch/deployment.yaml"
run 3 verdict admission try "$scratch/deployment.yaml"
says "names a tag"
says "image: $image@sha256:$digest"
sed "s#IMAGE#$image@sha256:$(digest "$scratch/payments-api.tar")#" "$here/release/deployment.yaml" >"$scratch/deployment.yaml"
run 3 verdict admission try "$scratch/deployment.yaml"
says "was not promoted to production"
sed "s#IMAGE#$image@sha256:$digest#" "$here/release/deployment.yaml" >"$scratch/deployment.yaml"
run 0 verdict admission try "$scratch/deployment.yaml"
says "LET IN"
unset VERDICT_SERVER
kill "$server" && wait "$server" || stop "verdict serve did not end as it should"
server=
run 0 verdict log verify

step "Next morning something becomes known about a component. Nothing is rescanned: Verdict says at once what runs with it, where, and whose it is."
export VERDICT_CLOCK="2026-11-21T07:00:00Z"
cp -R "$here/advisories" "$scratch/advisories" && cp "$here"/advisories-later/*.json "$scratch/advisories/"
run 0 verdict advisories import "$scratch/advisories" --as-of 2026-11-21T06:00:00Z
run 0 verdict where GHSA-acme-demo-0001
says "production"
says "payments-leads@acme.example"
run 0 verdict where 'pkg:golang/golang.org/x/text@<0.44.0' --running

step "What came of the promotion, who let it in, and what it rested on, is on its page; it can be taken again, and the log holds."
most=30
run 0 verdict why "$id"
most=
run 0 verdict policy replay "$id"
run 0 verdict log verify

step "All that is known of the digest stands on one page, and what ran at an earlier hour is still told."
most=30
run 0 verdict artifact show "$scratch/app.tar"
most=
run 0 verdict environments production --at 2026-11-20T14:15:00Z
says "no deployment was ever stated"
run 0 verdict environments production --at 2h
says "resting on approval"

step "A stricter rule is tried on what was decided before it decides anything: what would flip is listed, with the rule that turns it."
run 0 verdict policy test "$here/stricter"
run 0 verdict policy backtest --policy "$here/stricter"
says "NEVER ASKED: acme.gate.level"
sed 's/  - id: deploy.gate/&\n    policy: [verdict.rules.deploy.gate, acme.gate]/' verdict.yaml >"$scratch/stricter.yaml"
run 0 verdict policy backtest --policy "$here/stricter" --map "$scratch/stricter.yaml" --point deploy.gate
says "allow → deny by acme.gate.level"
cd "$scratch/payments-api"

step "Acme's decision map is linted, and drawn from the very file that is executed."
run 0 verdict map lint --map "$here/verdict.yaml"
most=20
run 0 verdict map draw --map "$here/verdict.yaml" -o svg="$scratch/map.svg"
grep -q '</svg>' "$scratch/map.svg" || stop "there is no drawing"

cat <<END

This demo proved, on $(uname -sm) in $(($(date +%s) - began)) s, without network:
  - a clean commit passes; a leaked key and a vulnerable dependency with a fix are blocked; the repair passes;
  - the block is explained from the record: what was found, where, what would make it pass, and who owns it;
  - infrastructure open to everybody is blocked as code and as a plan, and only a plan that was allowed may be applied;
  - an artifact is trusted by its digest, goes from dev to production by gates that ask a person once, and only whom the map allows;
  - what becomes known later is told of what runs, with its owner and the decision that let it in;
  - a server answers the same commands over HTTP, decides itself, and stops without losing anything;
  - a cluster that asks the server runs what was promoted, by its digest, and is told why it runs nothing else;
  - a stricter rule is tried on what was decided, and what it never was asked is told;
  - the secret itself is not in the record;
  - the log holds from its first entry, and the decision comes out the same when it is taken again;
  - $outside;
  - evidence about a file does not hold for another file.
Next, in a repository of your own: verdict advisories update, verdict init, verdict ci.
END
