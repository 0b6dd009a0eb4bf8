package main

import (
	"context"
	"net/http"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/report"
)

func logWitnessCommand() command {
	return command{
		use: "witness", short: "Have the latest checkpoint signed by a witness",
		long: "Speaks C2SP tlog-witness: the witness remembers the log and signs only what continues it, so that a log that was rewritten or set back is refused there too. " +
			"He must know this log by its key: verdict log key prints it. The text is the checkpoint with both signatures; it is kept, and verdict log checkpoint shows it while it is the latest.",
		example: "verdict log witness --url https://witness.example/ --key witness.example+12345678+Ab…",
		formats: textOrJSON,
		setup: func(f *flags) runner {
			var url, key string
			f.add(addressValue(&url), "url", "", "address of the witness; /add-checkpoint is added")
			f.must("url")
			f.required(&key, "key", "VKEY", "the witness's verifier key, from a channel that is not the witness itself")
			return func(ctx context.Context, a *app, _ []string) (err error) {
				if a.config.Offline {
					return usage("verdict log witness --help", "--offline forbids the connection to a witness", "leave --offline out")
				}
				w, err := a.openExisting(ctx)
				if err != nil {
					return err
				}
				defer w.end(&err)
				own, err := w.local("asking a witness", "verdict log witness --url "+shellWord(url)+" --key "+shellWord(key))
				if err != nil {
					return err
				}
				a.progress.phase("asking the witness")
				c, err := own.Witness(ctx, ledger.Witness{URL: url, Key: key, Client: witnessClient()})
				a.progress.stop()
				if err != nil {
					return err
				}
				return a.emit(c, func(report.Style) string { return c.Note })
			}
		},
	}
}

// witnessClient follows no redirect: the request goes to the address that a person gave.
func witnessClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the witness sends us to another address", Remedy: "ask its operator for the right one, and give that with --url"}
	}}
}
