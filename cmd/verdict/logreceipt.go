package main

import (
	"context"
	"fmt"

	"verdict/ledger"
	"verdict/report"
)

// receipted is the document verdict.receipted/v1.
type receipted struct {
	Schema  string          `json:"schema"`
	Index   int64           `json:"index"`             // of the receipt; -1: there was nothing to sign for
	Receipt *ledger.Receipt `json:"receipt,omitempty"` // absent: every entry has one already
}

func logReceiptCommand() command {
	return command{
		use: "receipt", short: "Have the log sign the time of what was recorded since the last receipt",
		long: "A receipt proves later that entries were there at a time. The log signs one a minute after an entry while it is in use, and with the next entry otherwise: " +
			"run this after the last command of a day, where nothing follows. With --server the server signs it for who may manage it (admins).",
		formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, _ []string) error {
			doc, err := a.receipt(ctx)
			if err != nil {
				return err
			}
			return a.emit(doc, func(report.Style) string { return doc.text() })
		}),
	}
}

func (a *app) receipt(ctx context.Context) (doc receipted, err error) {
	if a.config.Server != "" {
		return doc, a.atServer(ctx, "verdict log receipt --help", "/log/receipts", nil, &doc)
	}
	if err := a.mustExist(); err != nil {
		return doc, err
	}
	w, err := a.open(ctx)
	if err != nil {
		return doc, err
	}
	defer w.end(&err)
	return w.receipt(ctx)
}

// receipt has the log in the data directory sign for what has no receipt.
func (w *workspace) receipt(ctx context.Context) (receipted, error) {
	doc := receipted{Schema: "verdict.receipted/v1", Index: -1}
	e, fresh, err := w.own.Receipt(ctx)
	if err != nil || !fresh {
		return doc, err
	}
	doc.Index, doc.Receipt = e.Index, &ledger.Receipt{}
	return doc, w.decode(ctx, e.Index, doc.Receipt)
}

func (d receipted) text() string {
	if d.Receipt == nil {
		return "Every entry has a receipt already.\n"
	}
	r := d.Receipt
	return fmt.Sprintf("Signed as entry %d: what was recorded in %s was there at %s.\n", d.Index, entriesText(r.From, r.To), r.At.Format("2006-01-02 15:04:05 MST"))
}

// atServer has the server do something that its operators do, and gives the document of it.
func (a *app) atServer(ctx context.Context, see, path string, body, into any) error {
	c, err := a.access(ctx, see)
	if err != nil {
		return err
	}
	a.progress.phase("waiting for the server")
	defer a.progress.stop()
	return c.Work(ctx, path, body, into)
}
