package main

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"

	"verdict/advisory"
	"verdict/report"
)

func advisoriesRemoveCommand() command {
	return command{
		use: "remove NAME", short: "Take a source out of the advisories, for good",
		long:    "For a source that another one replaced: as long as it is there, the whole is as old as this part. Ecosystems that no other source is complete for are unknown from then on.",
		example: "verdict advisories remove go-vulndb",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var there bool
			atServerFlag(f, &there)
			return func(ctx context.Context, a *app, args []string) error {
				c, err := a.advisoriesAt(ctx, there, "verdict advisories remove --help")
				if err != nil {
					return err
				}
				if c == nil {
					return a.removeAdvisories(ctx, args[0])
				}
				var l advisoryList
				if err := c.Remove(ctx, advisoryPath, url.Values{"source": {args[0]}}, &l); err != nil {
					return err
				}
				return a.emit(l, func(s report.Style) string { return l.text(s) })
			}
		},
	}
}

func (a *app) removeAdvisories(ctx context.Context, name string) error {
	index, err := a.indexFile(false)
	if err != nil {
		return err
	}
	if _, err := os.Stat(index); errors.Is(err, fs.ErrNotExist) {
		_, err := a.openAdvisories(index) // it says what to do
		return err
	}
	if err := a.beforeChange(ctx, index); err != nil {
		return err
	}
	if err := advisory.Forget(ctx, index, name); err != nil {
		return advisoryError(name, err)
	}
	if _, err := a.rematch(ctx, index); err != nil {
		return err
	}
	return a.listAdvisories(ctx)
}
