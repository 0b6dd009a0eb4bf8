// Package policy compiles, runs, tests and explains rules.
//
// Rules are Rego and the engine is OPA, used as a library. Plain Rego fails open: a
// member that is missing makes a rule undefined, and an undefined rule denies nothing.
// Three conditions take that away. The input is a closed document of Go types ([Input])
// in which every group says how well it is known. Every rule that runs reports pass,
// fail or skip, and one that reports nothing is named in [Evaluation.Silent], which the
// decision counts as an error. And [Prove] removes each member and worsens each state
// of the inputs of a bundle's tests, and shows that no reason is lost without a word.
//
// A [Bundle] is immutable and safe for concurrent use; callers swap it as a whole.
package policy
