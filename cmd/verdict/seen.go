package main

import (
	"encoding/json"
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

// keepSeen keeps what was seen of the logs of a server.
func (a *app) keepSeen(server string, seen []ledger.Seen) error {
	all, err := a.allSeen()
	if err != nil || slices.Equal(all[server], seen) {
		return err
	}
	all[server] = seen
	path, err := a.seenFile()
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = keepSecret(path, content)
	}
	if err != nil {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "what was seen of the log cannot be kept in " + path, Remedy: "make its folder writable for you, and run the command again", Err: err}
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
