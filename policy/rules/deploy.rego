# METADATA
# title: What the rules of deployment share
# description: >-
#   A rule fails for what it found, passes where all that it rests on is known, and skips
#   otherwise. Conditions are written out in both directions, so that a member that is not
#   there leaves the rule silent.
package verdict.rules.deploy

import data.verdict.rules.ci.vulnerabilities as stated
import input.environment

# answer: what a rule reports. states are those of the facts that it rests on, by their
# names; said are its words.
answer(states, items, said) := {
	"status": "fail",
	"message": said.fail,
	"observed": said.observed,
	"expected": said.expected,
	"items": items,
} if {
	count(items) > 0
} else := {
	"status": "pass",
	"message": said.pass,
	"observed": said.observed,
	"expected": said.expected,
} if {
	every state in states {
		state in {"verified", "present"}
	}
} else := {
	"status": "skip",
	"message": sprintf("not judged: %s", [concat(", ", unknown)]),
	"observed": states,
	"expected": {"state": "verified"},
} if {
	unknown := [sprintf("%s is %s", [name, state]) | some name, state in states; not state in {"verified", "present"}]
}

# matched: how well it is known which vulnerabilities are in the artifact. A match that is
# not whole and found nothing is not a clean one.
matched := input.vulnerabilities.state if input.vulnerabilities.complete == true

matched := "failed" if input.vulnerabilities.complete == false

# open: the findings that nothing excuses. Where nobody states anything, these are all.
open := input.vulnerabilities.findings if count(stated.said) == 0

open := stated.open if count(stated.said) > 0

# grouped: the groups hold all findings.
grouped if sum([g.findings | some g in input.vulnerabilities.groups]) == count(input.vulnerabilities.findings)

# excuses: what a result says of those that something does.
excuses := "" if count(stated.said) == 0

excuses := stated.excuses if count(stated.said) > 0

# read and unread: the states in which something is there to be judged, and the others.
read := {"verified", "present", "stale", "failed"}

unread := {"missing", "unknown"}

# ref: how commands take what is judged. A remedy never keeps a rule from saying what it found.
default ref := "REF"

ref := input.subject.digest

item(key, message, fix) := {"key": key, "message": message, "fix": fix}

# frozen and closed: what holds changes of the environment back now, as items.
frozen := [x |
	some f in read_freezes
	f.holds == true
	x := item(sprintf("freeze:%s", [f.reason]), sprintf("%s is frozen from %s to %s: %s", [environment.name, f.from, f.to, f.reason]), "wait for its end")
] if {
	count(read_freezes) >= 0
}

read_freezes := list if {
	list := [{"from": f.from, "to": f.to, "reason": f.reason, "holds": f.holds} | some f in environment.freezes]
	count(list) == count(environment.freezes)
}

closed := [item("hours", sprintf("%s changes at %s only", [environment.name, environment.hours]), "wait for its hours")] if environment.open == false

closed := [] if environment.open == true

# undeclared: the service has no place in the environment, as items.
undeclared := [item("service", sprintf("the map does not let %q run in %s", [input.service.name, environment.name]), "add the environment to the service's `environments:` in the map, or name another service: --service")] if environment.declared == false

undeclared := [] if environment.declared == true

# stranger: nobody whom the map knows asks for a change of production, as items.
stranger := [item("requester", sprintf("%q asks, and is no account that the map knows", [input.requester.person]), "add the account to its person under people: in the map, or name who asks: --requester")] if {
	environment.tier == "prod"
	state := input.requester.state
	not state in {"verified", "present"}
}

stranger := [] if {
	environment.tier == "prod"
	input.requester.state in {"verified", "present"}
}

stranger := [] if environment.tier != "prod"

# asked: what the rule about who asks rests on.
asked := {"environment": environment.state} if environment.tier == "prod"

asked := {"environment": environment.state, "requester": input.requester.state} if environment.tier != "prod"

# matches: a word of a list that may end in * for the rest.
matches(pattern, word) if pattern == word

matches(pattern, word) if {
	endswith(pattern, "*")
	startswith(word, trim_suffix(pattern, "*"))
}
