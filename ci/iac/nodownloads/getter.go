// Package getter takes the place of a library that downloads modules of infrastructure
// code. Verdict judges what is in the tree and fetches nothing, so the program holds
// nothing that could. It offers the names that the reader of Terraform asks for, and what
// is asked for is refused.
package getter

import (
	"context"
	"errors"
)

// ErrNoDownloads is what every download ends with.
var ErrNoDownloads = errors.New("modules are not downloaded")

// Getter would fetch by one protocol.
type Getter any

// FileGetter would copy files.
type FileGetter struct{ Copy bool }

// Getters is empty: there is no protocol.
var Getters = map[string]Getter{}

// ClientMode says what a download is expected to be.
type ClientMode uint

// ClientModeAny is for files and folders.
const ClientModeAny ClientMode = 1

// Client describes a download.
type Client struct {
	Ctx           context.Context
	Src, Dst, Pwd string
	Getters       map[string]Getter
	Mode          ClientMode
}

// Get refuses, always.
func (*Client) Get() error { return ErrNoDownloads }
