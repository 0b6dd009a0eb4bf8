# What rules about the resources of clouds ask of a setting. An unknown one, and one that
# the type of resource does not have, is nothing of all this: a rule says nothing of it. What
# is unknown is counted and told elsewhere.
package verdict.cloud.lib

# The setting is written, with this value in whatever letters.
is(s, v) if {
	s.state == "value"
	same(s.value, v)
}

is_one_of(s, values) if {
	some v in values
	is(s, v)
}

# It has another value, or none and the default of the provider counts.
is_not(s, _) if s.state == "absent"

is_not(s, v) if {
	s.state == "value"
	not same(s.value, v)
}

is_absent(s) if s.state == "absent"

same(a, b) if a == b

same(a, b) if {
	is_string(a)
	is_string(b)
	lower(a) == lower(b)
}

same(a, b) if {
	is_string(a)
	is_boolean(b)
	lower(a) == sprintf("%v", [b])
}

# The members of a list; of a single setting itself.
items(s) := s.value if is_array(s.value)

items(s) := [s] if {
	s.state in {"value", "unknown"}
	not is_array(s.value)
}

items(s) := [] if s.state in {"absent", "nothing"}

member(s, name) := object.get(s.value, name, {"state": "absent", "name": s.name, "line": s.line}) if is_object(s.value)

member(s, _) := {"state": state, "name": s.name, "line": s.line} if {
	not is_object(s.value)
	state := {true: "unknown", false: "absent"}[s.state == "unknown"]
}

# The first of several names of a member that is there.
member_of(s, names) := [m | some n in names; m := member(s, n); m.state != "absent"][0]

# What is known of a text, also where the whole is not.
text(s) := s.value if is_string(s.value)

number(s) := s.value if {
	s.state == "value"
	is_number(s.value)
}

number(s) := to_number(s.value) if {
	s.state == "value"
	is_string(s.value)
	regex.match(`^-?[0-9]+$`, s.value)
}

everywhere := {"0.0.0.0/0", "::/0"}

# Ports by which machines are managed and data bases are asked.
sensitive_ports := {22, 23, 135, 445, 1433, 1521, 2375, 2379, 3306, 3389, 5432, 5984, 5985, 6379, 6443, 9042, 9200, 10250, 11211, 27017}

ports_within(from, to) := {p | some p in sensitive_ports; from <= p; p <= to}

# Documents of rights, as AWS and Alibaba write them.
allows(document) := [s |
	some s in items(member(document, "Statement"))
	is(member(s, "Effect"), "Allow")
]

unconditional(statement) if is_absent(member(statement, "Condition"))

for_everybody(statement) if is(member(statement, "Principal"), "*")

for_everybody(statement) if {
	some kind in ["AWS", "RAM", "*"]
	some who in items(member(member(statement, "Principal"), kind))
	is(who, "*")
}

# The statements that allow one of some actions on everything.
allows_everywhere(document, actions) := [s |
	some s in allows(document)
	unconditional(s)
	some a in items(member(s, "Action"))
	is_one_of(a, actions)
	some r in items(member(s, "Resource"))
	is(r, "*")
]

at(s, message) := {"at": s, "message": message}

less(finding, severity) := object.union(finding, {"severity": severity})
