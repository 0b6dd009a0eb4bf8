package advisory

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/outward"
)

// Limits and patience of a download.
const (
	attempts     = 4
	longestPause = time.Minute      // that a server may ask for before we give up
	stallAfter   = 60 * time.Second // without a byte
	headersAfter = 30 * time.Second
)

// fetcher downloads one file, goes on where an earlier try ended, and checks what came.
type fetcher struct {
	client   *http.Client
	pause    time.Duration // before the second attempt; doubles
	stall    time.Duration
	now      func() time.Time
	progress func(done, total int64)
}

// fetched is a complete download, or the answer that there is nothing new.
type fetched struct {
	notModified        bool
	etag, lastModified string
	at                 time.Time // of the publisher's answer
	bytes              int64     // that travelled this time
	resumed            bool
}

// partState says what a partial file is a part of.
type partState struct {
	URL          string `json:"url"`
	ETag         string `json:"etag"`
	LastModified string `json:"last_modified"`
	Total        int64  `json:"total"` // -1 when unknown
}

// client refuses to leave the host that the operator named.
func newClient(c *http.Client) *http.Client {
	own := http.Client{}
	if c != nil {
		own = *c
	}
	if own.Transport == nil {
		if t, ok := http.DefaultTransport.(*http.Transport); ok {
			t = t.Clone()
			t.DisableCompression, t.ResponseHeaderTimeout = true, headersAfter
			own.Transport = t
		}
	}
	own.Jar = nil
	own.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme || len(via) >= 5 {
			return fmt.Errorf("%w to %s", errRedirect, req.URL.Redacted())
		}
		return nil
	}
	return &own
}

var errRedirect = errors.New("redirect refused")

// checkBase takes https, and http on this machine only.
func checkBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err == nil && outward.Safe(u) {
		return u, nil
	}
	return nil, &verdict.Error{
		Code: verdict.CodeUsage, What: fmt.Sprintf("advisories cannot be fetched from %.200q", base),
		Remedy: "give an https address without user, query or fragment, below which <ecosystem>/all.zip lies",
	}
}

// get fetches address into the file part, unless it is what old was imported from.
func (f *fetcher) get(ctx context.Context, address, part string, old Source) (fetched, error) {
	var out fetched
	pause := f.pause
	for try := 1; ; try++ {
		wait, err := f.once(ctx, address, part, old, &out)
		if err == nil {
			return out, nil
		}
		var final *verdict.Error
		if errors.As(err, &final) || ctx.Err() != nil {
			return out, err
		}
		if try == attempts || wait > longestPause {
			return out, &verdict.Error{
				Code: verdict.CodeUnavailable, What: fmt.Sprintf("%s cannot be fetched", address),
				Remedy: "try again later: what was fetched is kept and continued; the advisories of before stay in use until they are stale; without a network to the publisher: verdict advisories import FILE", Err: err,
			}
		}
		if err := outward.Pause(ctx, max(wait, pause)); err != nil {
			return out, err
		}
		pause *= 2
	}
}

// once makes one request. An error that is no *verdict.Error may be tried again, after
// the pause that the server asked for.
func (f *fetcher) once(ctx context.Context, address, part string, old Source, out *fetched) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(f.stall, func() { cancel(fmt.Errorf("nothing came for %v", f.stall)) })
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "verdict")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("Cache-Control", "no-cache")
	if old.ETag != "" {
		req.Header.Set("If-None-Match", old.ETag)
	} else if old.LastModified != "" {
		req.Header.Set("If-Modified-Since", old.LastModified)
	}
	have, size := readPart(part, address)
	if size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", size))
		req.Header.Set("If-Range", have.ETag)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, f.explain(address, errors.Join(err, context.Cause(ctx)))
	}
	defer resp.Body.Close()
	out.at = f.now().UTC().Truncate(time.Microsecond)
	switch code := resp.StatusCode; {
	case code == http.StatusNotModified && old.ETag+old.LastModified != "":
		out.notModified, out.etag, out.lastModified = true, old.ETag, old.LastModified
		return 0, dropPart(part)
	case code == http.StatusOK:
		have = partState{address, resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"), resp.ContentLength}
		size = 0
	case code == http.StatusPartialContent && size > 0 && continues(resp, have, size):
		out.resumed = true
	case code == http.StatusPartialContent || code == http.StatusRequestedRangeNotSatisfiable:
		return 0, errors.Join(errors.New("the server continues another file"), dropPart(part))
	default:
		return retryAfter(resp.Header), refusal(address, resp)
	}
	if have.Total > maxArchive {
		return 0, tooLong(address)
	}
	n, err := f.copy(ctx, watch, resp.Body, part, have, size)
	out.bytes += n
	if err != nil {
		return 0, err
	}
	out.etag, out.lastModified = have.ETag, have.LastModified
	return 0, checkPart(part, have, resp.Header)
}

// explain tells a refused redirect, which is final, from a failed connection.
func (f *fetcher) explain(address string, err error) error {
	if errors.Is(err, errRedirect) {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("%s sends us to another place, and that is not followed", address),
			Remedy: "if the advisories moved, name their new address with --url", Err: err,
		}
	}
	return err
}

// refusal is final for answers that asking again does not change.
func refusal(address string, resp *http.Response) error {
	code := resp.StatusCode
	if code == http.StatusTooManyRequests || code >= 500 || code == http.StatusRequestTimeout {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	e := &verdict.Error{
		Code: verdict.CodeUnavailable, What: fmt.Sprintf("%s answered %s", address, resp.Status),
		Remedy: "look at the address in a browser, and at the proxy between; or import a file with verdict advisories import",
	}
	if code == http.StatusNotFound {
		e.Code, e.Remedy = verdict.CodeNotFound, "write the ecosystem as OSV does, with its case: Go, npm, PyPI, crates.io, Maven …"
	}
	return e
}

func tooLong(address string) error {
	return &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("%s is longer than %d bytes", address, int64(maxArchive)),
		Remedy: "fetch one ecosystem at a time, and check that the address is right",
	}
}

func retryAfter(h http.Header) time.Duration {
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || s < 0 {
		return 0
	}
	return time.Duration(min(s, 86400)) * time.Second
}

// continues reports whether a 206 is exactly the rest of what we have.
func continues(resp *http.Response, have partState, size int64) bool {
	var from, to, total int64
	n, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total)
	etag := resp.Header.Get("ETag")
	return err == nil && n == 3 && from == size && to == total-1 && total == have.Total && (etag == "" || etag == have.ETag)
}

// readPart gives what an earlier try left, if it can be continued: only a strong ETag
// vouches that the rest belongs to it.
func readPart(part, address string) (partState, int64) {
	var s partState
	b, err := os.ReadFile(part + ".json")
	if err != nil || json.Unmarshal(b, &s) != nil || s.URL != address || !strings.HasPrefix(s.ETag, `"`) || s.Total <= 0 {
		return partState{}, 0
	}
	fi, err := os.Lstat(part)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() >= s.Total {
		return partState{}, 0
	}
	return s, fi.Size()
}

func dropPart(part string) error { return errors.Join(remove(part), remove(part+".json")) }

// copy writes the body behind the first size bytes of the partial file. Each byte sets
// back the watch, which ends the attempt.
func (f *fetcher) copy(ctx context.Context, watch *time.Timer, body io.Reader, part string, have partState, size int64) (n int64, err error) {
	flags := os.O_WRONLY | os.O_CREATE | unfollowed | unblocked
	if size == 0 {
		if err := dropPart(part); err != nil {
			return 0, err
		}
		state, err := json.Marshal(have)
		if err == nil {
			err = os.WriteFile(part+".json", state, 0o600)
		}
		if err != nil {
			return 0, noRoom(part, err)
		}
	} else {
		flags |= os.O_APPEND
	}
	file, err := os.OpenFile(part, flags, 0o600)
	if err != nil {
		return 0, noRoom(part, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buf := make([]byte, 1<<16)
	for {
		got, readErr := body.Read(buf)
		watch.Reset(f.stall)
		if got > 0 {
			if _, err := file.Write(buf[:got]); err != nil {
				return n, noRoom(part, err)
			}
			if n += int64(got); size+n > maxArchive {
				return n, tooLong(have.URL)
			}
			f.progress(size+n, max(have.Total, 0))
		}
		if errors.Is(readErr, io.EOF) {
			return n, nil
		}
		if readErr != nil {
			return n, errors.Join(readErr, context.Cause(ctx))
		}
	}
}

// checkPart compares length and, where the server states one (Google Cloud Storage
// does), the checksum. A file that is short can be continued; a wrong one is dropped.
func checkPart(part string, have partState, h http.Header) error {
	fi, err := os.Lstat(part)
	if err != nil {
		return err
	}
	if have.Total >= 0 && fi.Size() < have.Total {
		return fmt.Errorf("%d of %d bytes came", fi.Size(), have.Total)
	}
	if have.Total >= 0 && fi.Size() > have.Total {
		return errors.Join(fmt.Errorf("%d bytes came in place of %d", fi.Size(), have.Total), dropPart(part))
	}
	for _, v := range h.Values("X-Goog-Hash") {
		for item := range strings.SplitSeq(v, ",") {
			stated, ok := strings.CutPrefix(strings.TrimSpace(item), "crc32c=")
			if !ok {
				continue
			}
			want, err := base64.StdEncoding.DecodeString(stated)
			got, err2 := crcOfFile(part)
			if err != nil || err2 != nil || len(want) != 4 || binary.BigEndian.Uint32(want) != got {
				return errors.Join(errors.New("the checksum that the server states does not match"), err, err2, dropPart(part))
			}
		}
	}
	return nil
}

func crcOfFile(path string) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	_, err = io.Copy(h, f)
	return h.Sum32(), err
}
