package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"verdict"
	"verdict/artifact"
	"verdict/artifact/layers"
)

// isLayout reports whether a path is the folder of an OCI layout.
func isLayout(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = os.Lstat(filepath.Join(path, layers.LayoutFile))
	return err == nil
}

// openSaved finds the images in a file, or in the folder of an OCI layout. Links do not lead
// out of that: a layout that somebody handed over names no other file of this machine.
func openSaved(path string) (s *layers.Saved, end func() error, err error) {
	if isLayout(path) {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, nil, &verdict.Error{Code: verdict.CodeUnavailable, What: path + " cannot be opened", Remedy: "make the folder readable for this user", Err: errors.Unwrap(err)}
		}
		if s, err = layers.OpenLayout(root.FS()); err != nil {
			return nil, nil, errors.Join(err, root.Close())
		}
		return s, root.Close, nil
	}
	f, info, err := openRegular(path)
	if err != nil {
		return nil, nil, err
	}
	if s, err = layers.OpenSaved(f, info.Size()); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return s, f.Close, nil
}

// onlyImage is the image that a layout holds alone, by its digest in a registry too: the name
// that it was saved under, or that of the file.
func onlyImage(path string, s *layers.Saved) (verdict.Subject, error) {
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: filepath.Base(filepath.Clean(path))}
	if r, err := artifact.ParseReference(s.Name); s.Name != "" && err == nil {
		about.Name = r.Name
	}
	if len(s.Manifests) != 1 {
		return about, usage(seeArtifactSBOM, fmt.Sprintf("%s holds %d images", path, len(s.Manifests)), "save one image alone")
	}
	about.Digest = s.Manifests[0].Digest
	return about, nil
}

// layoutSubject is the image that the folder of an OCI layout holds: the digest of its
// manifest or index, as a registry names it.
func layoutSubject(ctx context.Context, path string) (verdict.Subject, error) {
	s, end, err := openSaved(path)
	if err != nil {
		return verdict.Subject{}, err
	}
	defer end()
	about, err := onlyImage(path, s)
	if err != nil {
		return about, err
	}
	_, err = s.Manifest(ctx, about.Digest) // it is there, and has the digest
	return about, err
}

// artifactHere is the artifact that a path names: the image of an OCI layout, or a file.
func (a *app) artifactHere(ctx context.Context, path string) (verdict.Subject, error) {
	if isLayout(path) {
		return layoutSubject(ctx, path)
	}
	d, err := a.digestFile(ctx, path)
	return verdict.Subject{Kind: verdict.SubjectArtifact, Name: filepath.Base(path), Digest: d}, err
}
