//go:build !windows

package evidence

import (
	"errors"
	"fmt"
	"os"
)

// ownerOnly: the mode of a file says who may read it.
const ownerOnly = true

// syncFolder makes the name of a key survive a crash.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}
