package main

import (
	"context"
	"fmt"

	"verdict/identity"
	"verdict/report"
	"verdict/server/client"
	"verdict/server/wire"
)

const seeTokens = "verdict tokens --help"

func tokensCommand() command {
	return command{
		use: "tokens", short: "Make, list and revoke API tokens of a control plane",
		sub: []command{tokensCreateCommand(), heldListCommand(client.Tokens, "API tokens"), heldRevokeCommand(client.Tokens, "API token")},
	}
}

func sessionsCommand() command {
	return command{
		use: "sessions", short: "List and end sessions at a control plane",
		sub: []command{heldListCommand(client.Sessions, "sessions"), heldRevokeCommand(client.Sessions, "session")},
	}
}

func tokensCreateCommand() command {
	return command{
		use: "create LABEL", short: "Make an API token, which is shown once",
		long: "LABEL says what it is for. The token never gives more than its owner has when it is used, and one's own lasts at most 30 days. " +
			"With --machine it is of a machine with an actor and roles of its own, for up to a year; that takes a role that appoints. Pipelines need none: they sign in with the tokens that their platform gives them (docs/sign-in.md).",
		example: "verdict tokens create nightly --role viewer --service shop --days 30\nverdict tokens create mirror --machine --role auditor --service '*' --environment '*' --days 180",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var in identity.Scope
			var roles []string
			days, machine := int64(7), false
			f.list(&roles, "role", "ROLE", "role that it gives; repeatable")
			scopeFlags(f, &in)
			f.number(&days, "days", "N", "days until it expires", 1, 366)
			f.toggle(&machine, "machine", "for a machine with roles of its own")
			return func(ctx context.Context, a *app, args []string) error {
				if len(roles) == 0 {
					return usage(seeTokens, "the token would give nothing", "add --role ROLE, and --service NAME or --team NAME")
				}
				q := wire.TokenAsked{Label: args[0], Days: int(days), Machine: machine}
				for _, r := range roles {
					q.Grants = append(q.Grants, identity.Grant{Role: identity.Role(r), Scope: filled(in)})
				}
				return a.createToken(ctx, q)
			}
		},
	}
}

func (a *app) createToken(ctx context.Context, q wire.TokenAsked) error {
	c, err := a.access(ctx, seeTokens)
	if err != nil {
		return err
	}
	t, err := c.CreateToken(ctx, q)
	if err != nil {
		return err
	}
	doc := struct {
		Schema string `json:"schema"`
		wire.TokenMade
	}{"verdict.token/v1", t}
	fmt.Fprintf(a.stderr, "The token is shown this once. It ends at %s, or with verdict tokens revoke %s.\n", t.Expires.Format("2006-01-02 15:04 MST"), t.ID)
	return a.emit(doc, func(report.Style) string { return t.Token + "\n" })
}

func heldListCommand(kind, what string) command {
	return command{
		use: "list", short: "List " + what,
		long:    "The caller's own, or with --everybody those of all, which takes a role that manages access. No secret is among them: none is kept.",
		example: "verdict " + kind + " list --server https://verdict.acme.example\nverdict " + kind + " list --everybody -o json",
		args:    exactly(0), formats: textOrJSON,
		setup: func(f *flags) runner {
			var all bool
			f.toggle(&all, "everybody", "those of everybody")
			return func(ctx context.Context, a *app, _ []string) error {
				c, err := a.access(ctx, "verdict "+kind+" --help")
				if err != nil {
					return err
				}
				list, err := c.Held(ctx, kind, all)
				if err != nil {
					return err
				}
				doc := struct {
					Schema string      `json:"schema"`
					Items  []wire.Held `json:"items"`
				}{"verdict." + kind + "/v1", list}
				return a.emit(doc, func(report.Style) string { return heldText(list, all) })
			}
		},
	}
}

func heldText(list []wire.Held, all bool) string {
	if len(list) == 0 && !all {
		return "You have none. Those of others and of machines: --everybody\n"
	}
	if len(list) == 0 {
		return "There are none.\n"
	}
	rows := [][]string{{"id", "whose", "until", "state", "what"}}
	for _, h := range list {
		state := "holds"
		switch {
		case h.Revoked != nil:
			state = "revoked"
		case h.Current:
			state = "this one"
		}
		rows = append(rows, []string{h.ID, h.Actor, h.Expires.Format("2006-01-02 15:04"), state, report.Neutral(h.Label)})
	}
	return report.Table(rows, 110, "")
}

func heldRevokeCommand(kind, what string) command {
	return command{
		use: "revoke ID", short: "End one " + what,
		long:    "One's own, or anybody's with a role that manages access. It ends at once, and at other replicas within 250 ms.",
		example: "verdict " + kind + " revoke 5f0c2a7be1",
		args:    exactly(1), formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, args []string) error {
			c, err := a.access(ctx, "verdict "+kind+" --help")
			if err != nil {
				return err
			}
			if err := c.End(ctx, kind, args[0]); err != nil {
				return err
			}
			doc := struct {
				Schema  string `json:"schema"`
				Revoked string `json:"revoked"`
			}{"verdict.revoked/v1", args[0]}
			return a.emit(doc, func(report.Style) string { return "Revoked " + report.Neutral(args[0]) + ".\n" })
		}),
	}
}
