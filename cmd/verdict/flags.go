package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flags declares the flags of one command. Every flag is also a variable and a key of
// the configuration file.
type flags struct {
	set   *pflag.FlagSet
	needs []need // what must be given, in the order in which it is declared
}

func (f *flags) add(v *value, name, short, help string) *pflag.Flag {
	flag := f.set.VarPF(v, name, short, help)
	if v.kind == "" {
		flag.NoOptDefVal = "true"
	}
	flag.DefValue = v.String()
	return flag
}

// text declares a flag with one value; kind is the word for it in help, such as FILE.
func (f *flags) text(p *string, name, kind, help string) { f.add(textValue(p, kind), name, "", help) }

// toggle declares a flag that is true or false.
func (f *flags) toggle(p *bool, name, help string) { f.add(toggleValue(p), name, "", help) }

// number declares a flag that is a whole number from low to high.
func (f *flags) number(p *int64, name, kind, help string, low, high int64) {
	f.add(numberValue(p, kind, low, high), name, "", help)
}

// choice declares a flag that is one of a few words.
func (f *flags) choice(p *string, name, help string, choices ...string) {
	f.add(choiceValue(p, choices...), name, "", help)
}

// list declares a flag that may be given repeatedly.
func (f *flags) list(p *[]string, name, kind, help string) { f.add(listValue(p, kind), name, "", help) }

// secret declares a flag that refers to a secret.
func (f *flags) secret(p *secret, name, help string) { f.add(secretValue(p), name, "", help) }

// sharedFlag is the annotation of a flag whose variable and key have no command in them.
const sharedFlag = "verdict_shared"

// global declares the flags that every command takes.
func (c *config) global(root *cobra.Command, file *string) {
	f := &flags{set: root.PersistentFlags()}
	f.text(&c.Data, "data", "DIR", "directory of the local ledger, keys and indexes")
	f.secret(&c.Database, "database", "reference (file:PATH or env:NAME) to the URL of a PostgreSQL database that holds the ledger")
	f.add(blobsValue(&c.Blobs), "blobs", "", "object store for the ledger's large files: s3://BUCKET/PREFIX?region=REGION, azblob://ACCOUNT/CONTAINER/PREFIX or gs://BUCKET/PREFIX; default: a folder in --data")
	f.add(keyValue(&c.Signer), "signer", "", "where this machine's signing key is, when it is not in --data: file:PATH, or azurekv:, awskms:, gcpkms: or vault: with the key's name there (docs/keys.md)")
	f.add(keyValue(&c.LogKey), "log-key", "", "where the key that signs checkpoints is, when it is not in --data: file:PATH, awskms:, gcpkms: or vault:")
	f.add(addressValue(&c.Server), "server", "", "control plane that decides and records; without one the local ledger does")
	f.secret(&c.Token, "token", "reference (file:PATH or env:NAME) to the token to sign in to the control plane with; default: the pipeline's identity, an enrolled key, or what verdict login kept")
	f.text(&c.ServerCA, "server-ca", "FILE", "certificates in PEM of who may vouch for the control plane, beside the system's")
	f.text(&c.Map, "map", "FILE", "decision map that a command looks at; default: verdict.yaml in this folder, else the built-in one. A change is never judged by it")
	f.toggle(&c.Offline, "offline", "make no network connection; what is missing then is reported as missing")
	f.add(outputsValue(&c.Output), "output", "o", "what to write: a format for standard output, FORMAT=FILE for a file; repeatable")
	f.toggle(&c.Verbose, "verbose", "tell on standard error what is done")
	f.text(&c.As, "as", "KEY", "enrolled key to sign with")
	f.text(file, "config", "FILE", "configuration file; default: $XDG_CONFIG_HOME/verdict/config.yaml")
	root.PersistentFlags().VisitAll(share)
}

// reading declares --at, for commands that read the ledger.
func (c *config) reading(cmd *cobra.Command) {
	f := &flags{set: cmd.Flags()}
	share(f.add(momentValue(&c.At), "at", "", "answer as of this time, as of so long ago (2h, 7d), or as of this many log entries"))
}

// judging declares --report-only, for commands that decide before deployment.
func (c *config) judging(cmd *cobra.Command) {
	f := &flags{set: cmd.Flags()}
	share(f.add(toggleValue(&c.ReportOnly), "report-only", "", "end with 0 instead of 3 or 5, and say so; the recorded outcome stays"))
}

// share marks a flag as shared.
func share(f *pflag.Flag) {
	f.Annotations = map[string][]string{sharedFlag: {"true"}}
}
