// Package iac finds what is wrong with infrastructure code and with the definitions of
// pipelines: files that cannot be what they claim to be, and settings that are unsafe
// whoever runs them.
package iac

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"verdict"
)

// File is one file of the tree that was walked.
type File struct {
	Path    string // below the folder that was walked, with slashes
	Content []byte // not to be changed
}

// Checker judges all files of some formats together: a module needs its callers, an
// overlay its base.
type Checker interface {
	// Wants reports whether a file is one to hand in, by its path alone. Whether it really
	// is what its name says is for Check.
	Wants(path string) bool
	// Keeps reports whether a file that is wanted has to be kept for Check, by what it
	// holds: most files of YAML and JSON are of other formats.
	Keeps(f File) bool
	// Names reports whether the name alone says that a file is of a format of the checker.
	Names(path string) bool
	// Check judges the files. What a file does wrong is in the result; an error means that
	// nothing can be said of any of them.
	Check(ctx context.Context, files []File) (Result, error)
}

// Result is what one Checker found out.
type Result struct {
	// Judged are the paths of the files that turned out to be of a format of the checker.
	Judged   []string
	Problems []Problem
	// Open is what was not judged and why.
	Open []verdict.NotChecked
	// Absent is what was needed and not handed in: a gap, but where by intent only a part of
	// a tree is judged.
	Absent []verdict.NotChecked
}

// Problem is one thing that is wrong at one place.
type Problem struct {
	// Check is the check's id for people, which does not change: AVD-AWS-0086, VP-GHA-001.
	// A file that cannot be read has the check Invalid.
	Check    string
	Title    string // what is asked of every such resource
	Message  string // what is wrong here, in one sentence; text of the file is in it
	Fix      string // what to write instead
	Severity verdict.Severity
	Path     string
	Line     int64 // from 1; 0 when it is not known
	Column   int64 // from 1; 0 when it is not known
	// Format is the language of the file: terraform, cloudformation, azure-arm, kubernetes,
	// dockerfile, github-actions, azure-pipelines, gitlab-ci, terraform-plan.
	Format string
	// Type is what kind of thing is wrong: aws_s3_bucket, Deployment, job. Resource is its
	// address as the file's language writes it: aws_s3_bucket.logs, Deployment/web.
	Type     string
	Resource string
	// Cause is the setting that is wrong, without the names that the author chose:
	// acl = "public-read", permissions: write-all. Empty where a setting is missing.
	Cause string
	// About tells this problem from another one of the same check and resource, where what
	// is wrong can become another wrong without becoming right: a digest of what it is.
	About string
}

// Invalid is the check of files that cannot be what they claim to be.
const Invalid = "invalid"

// Pattern is equal for the same risk under another name and in another place: it covers
// the check, the format, the kind of resource and the setting, and neither names nor lines.
func (p Problem) Pattern() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"ci.iac pattern v1", p.Check, p.Format, p.Type, strings.Join(strings.Fields(p.Cause), " ")}, "\x00")))
	return fmt.Sprintf("%x", sum[:8])
}
