//go:build !windows

package evidence

// ownerOnly: the mode of a file says who may read it.
const ownerOnly = true
