package blobtest

import (
	"testing"
	"time"

	"verdict"
	"verdict/blob"
)

func TestMemory(t *testing.T) {
	Run(t, Driver{
		Open: func(_ *testing.T, now func() time.Time, max int64) blob.Store { return NewMemory(now, max) },
		Damage: func(_ *testing.T, s blob.Store, d verdict.Digest) {
			s.(*Memory).Damage(d)
		},
	})
}
