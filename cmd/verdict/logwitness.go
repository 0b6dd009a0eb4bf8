package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

const seeWitness = "verdict log witness --help"

func logWitnessCommand() command {
	return command{
		use: "witness", short: "Have the latest checkpoint signed by a witness",
		long: "Speaks C2SP tlog-witness: the witness remembers the log and signs only what continues it, so that a log that was rewritten or set back is refused there too. " +
			"He must know this log by its key: verdict log key prints it. The text is the checkpoint with both signatures; it is kept, and verdict log checkpoint shows it while it is the latest.\n\n" +
			"With --server, and without --url and --key, the server asks now the witnesses that it was started with (verdict serve --witness), for who may manage it (admins). It asks them each hour by itself. " +
			"It never asks at an address that a caller names.",
		example: "verdict log witness --url https://witness.example/ --key witness.example+12345678+Ab…\nverdict log witness --server https://verdict.acme.example",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var url, key string
			f.add(addressValue(&url), "url", "", "address of the witness; /add-checkpoint is added; needed without --server")
			f.text(&key, "key", "VKEY", "the witness's verifier key, from a channel that is not the witness itself; needed without --server")
			return func(ctx context.Context, a *app, _ []string) error {
				if a.config.Offline {
					return usage(seeWitness, "--offline forbids the connection to a witness", "leave --offline out")
				}
				if a.config.Server != "" {
					return a.witnessAtServer(ctx, url, key)
				}
				if url == "" || key == "" {
					return usage(seeWitness, "verdict log witness needs --url and --key", "add --url URL and --key VKEY of the witness")
				}
				return a.witness(ctx, ledger.Witness{URL: url, Key: key, Client: witnessClient()})
			}
		},
	}
}

func (a *app) witness(ctx context.Context, by ledger.Witness) (err error) {
	w, err := a.openExisting(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	a.progress.phase("asking the witness")
	c, err := w.own.Witness(ctx, by)
	a.progress.stop()
	if err != nil {
		return err
	}
	return a.emit(c, func(report.Style) string { return c.Note })
}

// witnessed is the document verdict.witnessed/v1: what came of asking the witnesses of a server.
type witnessed struct {
	Schema string            `json:"schema"`
	Signed []ledger.Cosigned `json:"signed"`
	Failed []failedWitness   `json:"failed"`
}

type failedWitness struct {
	Witness string       `json:"witness"`
	Code    verdict.Code `json:"code"`
	What    string       `json:"what"`
	Remedy  string       `json:"remedy"`
}

func (a *app) witnessAtServer(ctx context.Context, url, key string) error {
	if url != "" || key != "" {
		return usage(seeWitness, "a server asks no witness at an address that a caller names", "leave --url and --key out, to have it ask its own; a new one is named to it by who starts it: verdict serve --witness URL=KEY")
	}
	doc := witnessed{}
	if err := a.atServer(ctx, seeWitness, "/log/witnesses", nil, &doc); err != nil {
		return err
	}
	err := a.emit(doc, func(report.Style) string {
		var out strings.Builder
		for _, c := range doc.Signed {
			out.WriteString(neutralLines(c.Note))
		}
		return out.String()
	})
	if err != nil {
		return err
	}
	code := 0
	for _, f := range doc.Failed {
		x := explain(ctx, &verdict.Error{Code: f.Code, What: f.Witness + ": " + f.What, Remedy: f.Remedy})
		tell(a.stderr, x, a.screen)
		code = max(code, x.Exit)
	}
	return exit(code)
}

// witnessClient follows no redirect: the request goes to the address that a person gave.
func witnessClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the witness sends us to another address", Remedy: "ask its operator for the right one, and give that with --url"}
	}}
}
