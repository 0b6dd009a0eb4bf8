package layers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// errBomb is for what unpacks to more than anybody packs.
var errBomb = errors.New("it unpacks to far more than a layer holds")

// ratioFrom is from how many unpacked bytes the ratio is looked at: zeros pack well.
const ratioFrom = 64 << 20

// counted counts what comes in packed.
type counted struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// unpacked gives the archive in a layer, whatever it is packed with, and ends it where it
// becomes too large. The type that a manifest states is not asked: the bytes say it.
func (x *reading) unpacked(c *counted) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(c, 256<<10)
	head, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	out := &bounded{x: x, packed: c}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		out.r, out.close = z, z.Close
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		out.r, out.close = z, func() error { z.Close(); return nil }
	default:
		out.r, out.close = in, func() error { return nil }
	}
	return out, nil
}

// bounded is an unpacked layer within the limits.
type bounded struct {
	x      *reading
	r      io.Reader
	packed *counted
	n      int64
	close  func() error
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.x.left <= 0 {
		return 0, fmt.Errorf("%w: the image has more than %d bytes", errBomb, b.x.limits.Bytes)
	}
	if int64(len(p)) > b.x.left {
		p = p[:b.x.left]
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.x.left -= int64(n)
	if b.n > ratioFrom && b.n/b.x.limits.Ratio > b.packed.n {
		return n, fmt.Errorf("%w: %d bytes from %d", errBomb, b.n, b.packed.n)
	}
	return n, err
}

// Close implements io.Closer.
func (b *bounded) Close() error { return b.close() }
