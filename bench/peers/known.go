package main

// known are the differences that were looked at; the first that covers a finding counts.
// A class says as narrowly as it can what it covers: one that covers too much hides a loss.
var known = []class{
	{name: "one secret in several lines of a file", kind: secrets, side: lost, same: true},
	{name: "bill of materials in the tree", kind: vulnerabilities, side: lost, path: `\.(cdx|spdx)\.json(:|$)`},
	{name: "standard library of Go by go.mod", kind: vulnerabilities, side: extra, pkg: `^Go/stdlib@`},
	{name: "advisory with a range of commits", kind: vulnerabilities, side: extra, id: `^PYSEC-2022-304$`, pkg: `^PyPI/django@3\.2\.0$`},
	{name: "place of a finding in a plan", kind: misconfigurations, side: lost, id: `^AVD-AWS-0107$`, path: `^main\.tf(:5)?$`},
	{name: "place of a finding in a plan", kind: misconfigurations, side: extra, path: `(^|/)tfplan\.json(:0)?$`},
	{name: "rules of Verdict's own", kind: misconfigurations, side: extra, id: `^V[IP]-[A-Z]+-[0-9]{3}$`},
	{name: "project itself as its own component", kind: components, side: lost, pkg: `^pkg:[a-z]+/[^@]+$|^pkg:pypi/shop@0\.1\.0$`},
	{name: "standard library of Go by go.mod", kind: components, side: extra, pkg: `^pkg:golang/stdlib@`},
	{name: "base image of a Dockerfile", kind: components, side: extra, pkg: `^pkg:docker/`},
	{name: "default of a resource that stands nowhere", kind: misconfigurations, side: lost, path: `^\.(:0)?$`},
	{name: "default of a resource that stands nowhere", kind: misconfigurations, side: extra, id: `^AVD-AZU-0011$`, path: `\.json(:0)?$`},
}
