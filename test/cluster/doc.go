// Package cluster runs the real program as an operator does, several replicas on one
// PostgreSQL and one alone on its file, kills parts of it under load, and counts what was
// acknowledged against what is there. `make test-cluster` runs it; VERDICT_LONG=1 kills as
// often as the product promises to survive.
package cluster
