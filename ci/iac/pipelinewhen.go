package iac

import (
	"slices"
	"strings"
)

// condition is an if: of GitHub, asked whether it can hold for an event that a stranger
// brought about. What it cannot tell may be so.
type condition struct {
	expressionText
	event string
}

// known is a value of an expression, as far as it is known before the run.
type known struct {
	text string // of a text, as it is compared: in lower letters
	is   tri    // whether it counts as true
	form byte   // 't' for a text, 'b' for true or false, 's' what is the stranger's, 'o' what is of this repository; 0 where nothing is known
}

// tri is true, false, or neither.
type tri int8

const (
	no    tri = -1
	maybe tri = 0
	yes   tri = 1
)

func truth(b bool) known {
	if b {
		return known{is: yes, form: 'b'}
	}
	return known{is: no, form: 'b'}
}

// strangers are the events of which conditions are asked whether they can hold.
var strangers = []string{"pull_request", "pull_request_target", "workflow_run", "issue_comment"}

// never gives the events for which none of the conditions of a job and its step can hold,
// where a stranger brought the event about.
func never(conditions ...string) object {
	out := object{}
	for _, event := range strangers {
		for _, text := range conditions {
			if !canHold(text, event) {
				out[event] = true
			}
		}
	}
	return out
}

// canHold reports whether an if: can be true. Text around an expression makes a text of all
// of it, and a text that is not empty is true, whatever the expression says.
func canHold(text, event string) bool {
	if inner, ok := strings.CutPrefix(text, "${{"); ok {
		found := expressions(text)
		if len(found) != 1 || "${{"+found[0].raw+"}}" != text {
			return true
		}
		text = strings.TrimSuffix(inner, "}}")
	} else if strings.Contains(text, "${{") {
		return true
	}
	if strings.TrimSpace(text) == "" {
		return true
	}
	c := &condition{expressionText{text: text}, event}
	v, ok := c.or(0)
	c.space()
	return !ok || c.at != len(c.text) || v.is != no
}

func (c *condition) or(depth int) (out known, ok bool) {
	if depth > maxExpressionDepth {
		return known{}, false
	}
	for out.is = no; ; {
		v, ok := c.and(depth)
		if !ok {
			return known{}, false
		}
		switch {
		case out.is == no:
			out = v
		case out.is == maybe:
			out = known{}
			if v.is == yes {
				out.is = yes
			}
		}
		if !c.take("||") {
			return out, true
		}
	}
}

func (c *condition) and(depth int) (out known, ok bool) {
	for out.is = yes; ; {
		v, ok := c.comparison(depth)
		if !ok {
			return known{}, false
		}
		switch {
		case out.is == yes:
			out = v
		case out.is == maybe:
			out = known{}
			if v.is == no {
				out.is = no
			}
		}
		if !c.take("&&") {
			return out, true
		}
	}
}

func (c *condition) comparison(depth int) (known, bool) {
	left, ok := c.operand(depth)
	for ok {
		switch {
		case c.take("=="):
			var right known
			right, ok = c.operand(depth)
			left = same(left, right)
		case c.take("!="):
			var right known
			right, ok = c.operand(depth)
			left = not(same(left, right))
		case c.take("<=") || c.take(">=") || c.take("<") || c.take(">"):
			_, ok = c.operand(depth)
			left = known{}
		default:
			return left, true
		}
	}
	return known{}, false
}

// same compares as GitHub does: letters count alike. What is of a stranger is neither of
// this repository nor a text that somebody wrote down.
func same(a, b known) known {
	switch {
	case a.form == 0 || b.form == 0 || a.form == 'o' && b.form != 's' || b.form == 'o' && a.form != 's':
		return known{}
	case a.form == 's' && b.form == 's' || a.form == 'b' && b.form != 'b' || b.form == 'b' && a.form != 'b':
		return known{}
	case a.form != b.form:
		return truth(false)
	}
	return truth(a.text == b.text && a.is == b.is)
}

func not(v known) known {
	if v.is == maybe {
		return known{}
	}
	return truth(v.is == no)
}

func (c *condition) operand(depth int) (known, bool) {
	if c.space(); c.at == len(c.text) || depth > maxExpressionDepth {
		return known{}, false
	}
	switch {
	case c.text[c.at] == '!':
		c.at++
		v, ok := c.operand(depth + 1)
		return not(v), ok
	case c.text[c.at] == '(':
		c.at++
		v, ok := c.or(depth + 1)
		return v, ok && c.take(")")
	case c.text[c.at] == '\'':
		text, ok := c.quoted()
		return word(text), ok
	}
	start := c.at
	name := strings.ToLower(contextName.FindString(c.text[c.at:]))
	if name == "contains" || name == "startswith" || name == "endswith" {
		c.at += len(name)
		return c.search(name, depth)
	}
	// Everything else is read as all expressions are.
	flows, ok := c.value(depth)
	read := strings.TrimSpace(c.text[start:c.at])
	switch {
	case !ok:
		return known{}, false
	case read == "true" || read == "false":
		return truth(read == "true"), true
	case len(flows) == 1 && !strings.Contains(read, "("):
		return c.fact(flows[0]), true
	case strings.EqualFold(strings.ReplaceAll(read, " ", ""), "always()"):
		return truth(true), true
	}
	return known{}, true
}

func word(text string) known {
	v := known{text: strings.ToLower(text), is: yes, form: 't'}
	if text == "" {
		v.is = no
	}
	return v
}

// search tells what looks for one text in another, where both are known.
func (c *condition) search(name string, depth int) (known, bool) {
	if !c.take("(") {
		return known{}, false
	}
	in, ok := c.or(depth + 1)
	if !ok || !c.take(",") {
		return known{}, false
	}
	what, ok := c.or(depth + 1)
	if !ok || !c.take(")") {
		return known{}, false
	}
	if in.form != 't' || what.form != 't' {
		return known{}, true
	}
	switch name {
	case "contains":
		return truth(strings.Contains(in.text, what.text)), true
	case "startswith":
		return truth(strings.HasPrefix(in.text, what.text)), true
	}
	return truth(strings.HasSuffix(in.text, what.text)), true
}

// fact is what is known of a context where a stranger opened a request out of a copy of
// the repository.
func (c *condition) fact(context string) known {
	if context == "github.event_name" {
		return word(c.event)
	}
	if slices.Contains([]string{"github.repository", "github.repository_owner", "github.repository_id", "github.event.repository.full_name", "github.event.repository.id",
		"github.event.repository.owner.login", "github.event.pull_request.base.repo.full_name", "github.event.pull_request.base.repo.id", "github.event.pull_request.base.repo.owner.login"}, context) {
		return known{is: yes, form: 'o'}
	}
	theirs := ""
	switch c.event {
	case "pull_request", "pull_request_target":
		theirs = behind(context, "github.event.pull_request.head.repo.")
		if context == "github.event.pull_request.user.login" || context == "github.event.pull_request.head.user.login" {
			return known{is: yes, form: 's'}
		}
	case "workflow_run":
		theirs = behind(context, "github.event.workflow_run.head_repository.")
		if context == "github.event.workflow_run.event" {
			return word("pull_request")
		}
	}
	switch theirs {
	case "full_name", "id", "owner.login", "owner.id":
		return known{is: yes, form: 's'}
	case "fork":
		return truth(true)
	}
	return known{}
}

// behind is what follows a beginning; "" where the text begins otherwise.
func behind(text, beginning string) string {
	rest, ok := strings.CutPrefix(text, beginning)
	if !ok {
		return ""
	}
	return rest
}
