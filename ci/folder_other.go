//go:build !unix

package ci

const unblocked = 0
