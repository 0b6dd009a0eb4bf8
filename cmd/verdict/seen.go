package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/ledger"
)

// seenFile is where is kept what was seen of the logs of servers, by server: outside of the
// data directory, beside the anchors of logs of one's own, whose part it plays.
func (a *app) seenFile() (string, error) {
	state := a.env.stateDir()
	if state == "" {
		return "", &verdict.Error{
			Code: verdict.CodeUsage, What: "there is no place to keep what was seen of a log: neither HOME nor XDG_STATE_HOME is set", Remedy: "set XDG_STATE_HOME to a folder of yours",
		}
	}
	return filepath.Join(state, "verdict", "seen.json"), nil
}

// maxSeen bounds the file.
const maxSeen = 1 << 20

func (a *app) allSeen() (map[string][]ledger.Seen, error) {
	path, err := a.seenFile()
	if err != nil {
		return nil, err
	}
	all := map[string][]ledger.Seen{}
	content, err := secretFile(path, maxSeen)
	if err == nil && content != nil {
		err = json.Unmarshal(content, &all)
	}
	if err == nil && all == nil {
		err = errors.New("it says null")
	}
	if err != nil {
		return nil, &verdict.Error{
			Code: verdict.CodeInvalid, What: "what was seen of logs of servers, in " + path + ", cannot be read",
			Remedy: "put it back from a backup; or remove it, and give a checkpoint that was kept elsewhere: verdict log verify --against FILE", Err: err,
		}
	}
	return all, nil
}

// seen is what was seen of the logs of a server.
func (a *app) seen(server string) ([]ledger.Seen, error) {
	all, err := a.allSeen()
	return all[server], err
}

// keepSeen keeps what was seen of the logs of a server, where before was known when it was asked.
// What another process was shown meanwhile stays beside it: two who are shown two logs at the same
// time would else each forget that of the other.
func (a *app) keepSeen(server string, before, seen []ledger.Seen) error {
	if slices.Equal(before, seen) {
		return nil
	}
	path, err := a.seenFile()
	if err != nil {
		return err
	}
	noPlace := func(err error) error {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "what was seen of the log cannot be kept in " + path, Remedy: "make its folder writable for you, and run the command again", Err: err}
	}
	release, err := ledger.Hold(path + ".lock")
	if err != nil {
		return noPlace(err)
	}
	defer release()
	all, err := a.allSeen()
	if err != nil {
		return err
	}
	for _, s := range all[server] {
		if !slices.Contains(before, s) && !slices.Contains(seen, s) {
			seen = append(seen, s)
		}
	}
	all[server] = seen
	content, err := json.MarshalIndent(all, "", "  ")
	if err == nil && len(content) > maxSeen { // it could not be read again
		err = fmt.Errorf("it would be larger than %d bytes", maxSeen)
	}
	if err == nil {
		err = keepSecret(path, content)
	}
	if err != nil {
		return noPlace(err)
	}
	return nil
}

// trustedLog reads --trust-log: a verifier key, or a file with one. Nil: none was given.
func (a *app) trustedLog(given, see string) ([]string, error) {
	if given == "" {
		return nil, nil
	}
	if a.config.Server == "" {
		return nil, usage(see, "--trust-log names the key of a server's log, and no --server is given", "leave it out: the key of a log on this machine is in its data directory; or name the server with --server URL")
	}
	if !strings.Contains(given, "+") {
		content, err := a.readInput(given, "the key of the log", maxCheckpoint)
		if err != nil {
			return nil, err
		}
		given = strings.TrimSpace(string(content))
	}
	if _, err := note.NewVerifier(given); err != nil {
		return nil, usage(see, "--trust-log is not the key of a log", "give the line that verdict log key prints on the machine of that log: name+hash+base64")
	}
	return []string{given}, nil
}
