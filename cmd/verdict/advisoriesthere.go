package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"verdict"
	"verdict/advisory"
	"verdict/server/client"
)

// With a server there are two sets of vulnerability data: verdict ci scans on this machine with
// that of this machine, and the server matches again what was built, and answers where, with its
// own. The first is what these commands are about; --at-server makes it the second.

const advisoryPath = "/advisories"

const atServerHelp = "With --server the command is still about this machine, by whose data verdict ci scans, and what is new is matched with what the server has; --at-server is about the server's own data, by which it answers where and matches again what was built."

func atServerFlag(f *flags, there *bool) {
	f.toggle(there, "at-server", "the data of the control plane that --server names, by which it answers where and matches again; without it: that of this machine, by which verdict ci scans")
}

// advisoriesAt gives the control plane that a command is about; nil: this machine. That it is not
// the server, though one is named, is told.
func (a *app) advisoriesAt(ctx context.Context, there bool, see string) (*client.Client, error) {
	switch {
	case !there && a.config.Server != "":
		fmt.Fprintln(a.stderr, "verdict: this is about the vulnerability data of this machine, by which verdict ci scans here; --at-server is about that of "+a.config.Server)
		return nil, nil
	case !there:
		return nil, nil
	case a.config.Server == "":
		return nil, usage(see, "--at-server is about the data of a control plane, and none is named", "add --server URL, or leave --at-server out")
	}
	return a.access(ctx, see)
}

// advisoryUpdate is what a server is asked to fetch. Where from is not for a caller to say.
type advisoryUpdate struct {
	Ecosystems []string `json:"ecosystems,omitempty" maxItems:"64" doc:"in OSV's words; none: those that were fetched before"`
	Force      bool     `json:"force,omitempty" doc:"take an archive that lost over 10 % of its records"`
}

func (a *app) updateAdvisoriesThere(ctx context.Context, c *client.Client, o advisory.UpdateOptions) error {
	if o.Base != "" {
		return usage(seeUpdate, "a server fetches from no address that a caller names", "leave --url out; who starts the server names another publisher: verdict serve --advisories-url URL")
	}
	a.progress.phase("waiting for the server")
	doc := newAdvisoryChange("")
	err := c.Work(ctx, advisoryPath+"/updates", advisoryUpdate{o.Ecosystems, o.Force}, doc)
	a.progress.stop()
	if err != nil {
		return err
	}
	return a.tellAdvisories(ctx, doc)
}

// send has a server take in what was planned, one after the other.
func (x *importing) send(ctx context.Context, a *app, c *client.Client, files []planned) error {
	all := newAdvisoryChange("")
	for _, t := range files {
		if t.err == nil {
			var done advisoryChange
			if done, t.err = x.sendOne(ctx, a, c, t); t.err == nil {
				all.merge(done)
				continue
			}
		}
		all.fail(t.path, t.err)
	}
	a.progress.stop()
	if len(all.Sources) == 0 && len(all.Failed) == 1 && all.Failed[0].err != nil {
		return all.Failed[0].err
	}
	return a.tellAdvisories(ctx, all)
}

func (x *importing) sendOne(ctx context.Context, a *app, c *client.Client, t planned) (done advisoryChange, err error) {
	info, err := os.Stat(t.path)
	if err != nil {
		return done, err
	}
	if info.IsDir() {
		return done, &verdict.Error{Code: verdict.CodeUsage, What: t.path + " is a folder, and a server is sent files", Remedy: "pack it first: tar czf advisories.tar.gz -C " + shellWord(t.path) + " ."}
	}
	q := url.Values{"file": {filepath.Base(t.path)}, "modified": {info.ModTime().UTC().Format(time.RFC3339)}}
	if x.asOf != "" {
		q.Set("as_of", x.asOf)
	}
	if x.force {
		q.Set("force", "true")
	}
	if t.family == advisory.FamilyOSV {
		if x.name != "" {
			q.Set("name", x.name)
		}
		q["covers"] = x.covers
	}
	a.progress.phase("sending " + filepath.Base(t.path))
	return done, c.Upload(ctx, advisoryPath, q, func() (io.ReadCloser, error) { return os.Open(t.path) }, &done)
}

// merge adds what another import of the same call did.
func (c *advisoryChange) merge(o advisoryChange) {
	c.Index, c.Sources, c.Failed = o.Index, append(c.Sources, o.Sources...), append(c.Failed, o.Failed...)
	switch r := o.Rematched; {
	case r == nil:
	case c.Rematched == nil:
		c.Rematched = r
	default:
		c.Rematched.Packages += r.Packages
		c.Rematched.Artifacts += r.Artifacts
		c.Rematched.Opened += r.Opened
		c.Rematched.Closed += r.Closed
		c.Rematched.Approvals = append(c.Rematched.Approvals, r.Approvals...)
	}
}
