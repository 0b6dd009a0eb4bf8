// Command container builds Verdict's container image without a container engine: one
// static program, the certificates that it trusts, and a user without rights, for both
// architectures in one index. It writes an OCI layout, and pushes it where it is told to.
// The same commit, Go and certificates give the same digest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "container:", err)
		os.Exit(1)
	}
}

// options is what the command line says.
type options struct {
	out          string // folder of the layout
	push         string // reference; empty: the layout alone
	version      string
	certificates string // PEM bundle of the certificate authorities that the image trusts
	programs     string // folder with verdict-ARCH, built elsewhere; empty: built here
}

func run(ctx context.Context, w io.Writer, args []string) error {
	var o options
	flags := flag.NewFlagSet("container", flag.ContinueOnError)
	flags.StringVar(&o.out, "out", "bin/image", "folder of the OCI layout; it is replaced")
	flags.StringVar(&o.push, "push", "", "also push it as this reference, with the credentials of docker login")
	flags.StringVar(&o.version, "version", "unknown", "what the image says that it is")
	flags.StringVar(&o.certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "certificate authorities that the image trusts, as PEM")
	flags.StringVar(&o.programs, "programs", "", "folder that holds verdict-amd64 and verdict-arm64; they are built when it is left out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	commit, created, err := source(ctx)
	if err != nil {
		return err
	}
	if o.programs == "" {
		dir, err := os.MkdirTemp("", "verdict-image-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := compile(ctx, w, dir, o.version); err != nil {
			return err
		}
		o.programs = dir
	}
	trusted, err := os.ReadFile(o.certificates)
	if err != nil {
		return fmt.Errorf("certificate authorities: %w; name a bundle with -certificates FILE (Debian package ca-certificates)", err)
	}
	index, err := build(recipe{
		Version: o.version, Commit: commit, Created: created, Certificates: trusted,
		Program: func(arch string) ([]byte, error) { return os.ReadFile(filepath.Join(o.programs, "verdict-"+arch)) },
	})
	if err != nil {
		return err
	}
	if err := save(index, o.out, o.version); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n  layout  %s\n  shows   verdict artifact show %s\n", digest, o.out, o.out)
	if o.push == "" {
		return nil
	}
	return send(ctx, w, index, o.push)
}

// send pushes the index with everything in it. A name that stands for the registry's latest
// is never given: what runs is named by its digest.
func send(ctx context.Context, w io.Writer, index v1.ImageIndex, to string) error {
	ref, err := name.ParseReference(to, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("%w; write REGISTRY/REPOSITORY:TAG", err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "  pushed  %s@%s\n", ref.Context(), digest)
	return nil
}

// source is the commit that is checked out, and its time: what the image says about itself
// may not depend on when it was built.
func source(ctx context.Context) (commit string, at time.Time, err error) {
	out, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%H %ct").Output()
	if err != nil {
		return "", at, fmt.Errorf("which commit this is: %w", err)
	}
	f := strings.Fields(string(out))
	if len(f) != 2 {
		return "", at, errors.New("which commit this is: git log says something else")
	}
	seconds, err := strconv.ParseInt(f[1], 10, 64)
	return f[0], time.Unix(seconds, 0).UTC(), err
}

// compile builds the program for every architecture, as make build does.
func compile(ctx context.Context, w io.Writer, dir, version string) error {
	for _, arch := range architectures {
		fmt.Fprintf(w, "building the program for linux/%s\n", arch)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.release="+version,
			"-o", filepath.Join(dir, "verdict-"+arch), "./cmd/verdict")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0")
		cmd.Stdout, cmd.Stderr = w, w
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go build for linux/%s: %w", arch, err)
		}
	}
	return nil
}
