package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"verdict"
)

// FoldedPrefix begins the key of the one item that stands for all beyond the limit. A
// digest of their keys follows, so that one finding more or less is another fact. No
// exception can name it before it is there.
const FoldedPrefix = "folded:"

const contract = "return {\"status\": \"pass\", \"fail\" or \"skip\", \"message\": text, \"observed\", \"expected\", \"items\": [{\"key\": text, \"message\": text}]} and nothing else"

// checkResult reads the value of a rule's `check`. Anything that is not exactly a result
// is a fault: a word misspelled must not turn a failure into a pass.
func checkResult(x *rule, v ast.Value, limit int) (*Result, *verdict.Fault) {
	res := &Result{Rule: x.Rule, Items: []verdict.Item{}}
	if err := res.read(v, limit); err != nil {
		return nil, faultOf(x, FaultResult, err.Error(), contract)
	}
	return res, nil
}

func (r *Result) read(v ast.Value, limit int) error {
	o, ok := v.(ast.Object)
	if !ok {
		return fmt.Errorf("the result is %s, not an object", ast.ValueName(v))
	}
	var items ast.Value
	err := eachMember(o, func(name string, v ast.Value) (err error) {
		switch name {
		case "rule":
			var id string
			if id, err = text(v); err == nil && id != r.Rule.ID {
				err = fmt.Errorf("the result says that it is of rule %q", id)
			}
		case "status":
			var s string
			s, err = text(v)
			r.Status = verdict.RuleStatus(s)
		case "message":
			r.Message, err = text(v)
		case "observed":
			r.Observed, err = rendered(v)
		case "expected":
			r.Expected, err = rendered(v)
		case "items":
			items = v
		default:
			err = fmt.Errorf("a result has no member %q", name)
		}
		return err
	})
	if err != nil {
		return err
	}
	if items != nil {
		if r.Items, err = readItems(items, limit); err != nil {
			return err
		}
	}
	switch {
	case r.Status != verdict.RulePass && r.Status != verdict.RuleFail && r.Status != verdict.RuleSkip:
		return fmt.Errorf("status is %q, not pass, fail or skip", r.Status)
	case r.Status != verdict.RuleFail && len(r.Items) > 0:
		return fmt.Errorf("status is %s, and yet there are %d items", r.Status, len(r.Items))
	case r.Message == "":
		return fmt.Errorf("the message is missing")
	}
	return nil
}

func readItems(v ast.Value, limit int) ([]verdict.Item, error) {
	var list []*ast.Term
	switch v := v.(type) {
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { list = append(list, t) })
	case ast.Set:
		list = v.Slice()
	default:
		return nil, fmt.Errorf("items is %s, not a list", ast.ValueName(v))
	}
	items := make([]verdict.Item, 0, len(list))
	for _, t := range list {
		item, err := readItem(t.Value)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", len(items)+1, err)
		}
		items = append(items, item)
	}
	return fold(items, limit), nil
}

func readItem(v ast.Value) (verdict.Item, error) {
	var i verdict.Item
	o, ok := v.(ast.Object)
	if !ok {
		return i, fmt.Errorf("is %s, not an object", ast.ValueName(v))
	}
	err := eachMember(o, func(name string, v ast.Value) (err error) {
		switch name {
		case "key":
			i.Key, err = text(v)
		case "message":
			i.Message, err = text(v)
		case "evidence":
			i.Evidence, err = text(v)
		case "path":
			i.Path, err = text(v)
		case "fix":
			i.Fix, err = text(v)
		case "line":
			i.Line, err = integer(v)
		case "old":
			i.Old, err = boolean(v)
		default:
			err = fmt.Errorf("an item has no member %q", name)
		}
		return err
	})
	switch {
	case err != nil:
		return i, err
	case i.Key == "" || len(i.Key) > maxKey:
		return i, fmt.Errorf("the key is missing or longer than %d bytes", maxKey)
	case strings.HasPrefix(i.Key, FoldedPrefix):
		return i, fmt.Errorf("the key starts with %q, which stands for items beyond the limit", FoldedPrefix)
	}
	return i, nil
}

// fold sorts items and turns what is beyond the limit into one that says how many.
func fold(items []verdict.Item, limit int) []verdict.Item {
	slices.SortFunc(items, func(a, b verdict.Item) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Message, b.Message), strings.Compare(a.Fix, b.Fix), strings.Compare(a.Evidence, b.Evidence))
	})
	items = slices.Compact(items)
	if len(items) <= limit {
		return items
	}
	h := sha256.New()
	for _, i := range items[limit:] {
		fmt.Fprintf(h, "%d %s\n", len(i.Key), i.Key)
	}
	n := len(items) - limit
	return append(items[:limit:limit], verdict.Item{
		Key:     FoldedPrefix + hex.EncodeToString(h.Sum(nil)[:16]),
		Message: fmt.Sprintf("%d further items are not listed; the first %d are", n, limit),
	})
}

// partialResult reads a conftest-style set: one item per message. An empty set passes,
// which is why such rules are marked: nothing tells "all is well" from "said nothing".
func partialResult(x *rule, v ast.Value, limit int) (*Result, *verdict.Fault) {
	res := &Result{Rule: x.Rule, Status: verdict.RulePass, Items: []verdict.Item{}, Message: "reported nothing"}
	set, ok := v.(ast.Set)
	if v != nil && !ok {
		return nil, faultOf(x, FaultResult, "the value is "+ast.ValueName(v)+", not a set", "write the rule as a set: `deny contains msg if …`")
	}
	if v == nil || set.Len() == 0 {
		return res, nil
	}
	items := make([]verdict.Item, 0, set.Len())
	for _, t := range set.Slice() {
		item, err := partialItem(t.Value)
		if err != nil {
			return nil, faultOf(x, FaultResult, err.Error(), "add text, or an object with a text `msg`, to the set")
		}
		items = append(items, item)
	}
	res.Status, res.Items = verdict.RuleFail, fold(items, limit)
	res.Message = res.Items[0].Message
	if n := len(items); n > 1 {
		res.Message = fmt.Sprintf("%d findings; the first: %s", n, res.Message)
	}
	res.Message = clip(res.Message, maxText)
	return res, nil
}

func partialItem(v ast.Value) (verdict.Item, error) {
	message, key := "", ""
	switch v := v.(type) {
	case ast.String:
		message = string(v)
	case ast.Object:
		message, _ = stringAt(v, "msg")
		key, _ = stringAt(v, "key")
	}
	if message == "" {
		return verdict.Item{}, fmt.Errorf("one of its values is %s without a message", ast.ValueName(v))
	}
	message = clip(message, maxText)
	if key == "" {
		key = message
	}
	if len(key) > maxKey || strings.HasPrefix(key, FoldedPrefix) {
		key = "message:" + sha256Digest([]byte(key)).Hex()
	}
	return verdict.Item{Key: key, Message: message}, nil
}

func stringAt(o ast.Object, name string) (string, bool) {
	t := o.Get(ast.InternedTerm(name))
	if t == nil {
		return "", false
	}
	s, ok := t.Value.(ast.String)
	return string(s), ok
}

func eachMember(o ast.Object, f func(string, ast.Value) error) error {
	return o.Iter(func(k, v *ast.Term) error {
		name, ok := k.Value.(ast.String)
		if !ok {
			return fmt.Errorf("a name is %s, not text", ast.ValueName(k.Value))
		}
		if err := f(string(name), v.Value); err != nil {
			return fmt.Errorf("%s: %w", string(name), err)
		}
		return nil
	})
}

func text(v ast.Value) (string, error) {
	s, ok := v.(ast.String)
	if !ok {
		return "", fmt.Errorf("is %s, not text", ast.ValueName(v))
	}
	return clip(string(s), maxText), nil
}

func boolean(v ast.Value) (bool, error) {
	b, ok := v.(ast.Boolean)
	if !ok {
		return false, fmt.Errorf("is %s, not true or false", ast.ValueName(v))
	}
	return bool(b), nil
}

func integer(v ast.Value) (int64, error) {
	n, ok := v.(ast.Number)
	if !ok || !isPlainInteger(string(n)) {
		return 0, fmt.Errorf("is %s, not a plain integer", clip(v.String(), 80))
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || i < 0 {
		return 0, fmt.Errorf("is %s, not a line", n)
	}
	return i, nil
}

// clip makes text valid and bounds it. What is cut leaves its digest, so that two texts
// that differ behind the cut stay two.
func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= limit {
		return s
	}
	note := fmt.Sprintf("… (%d bytes, sha256 %s)", len(s), sha256Digest([]byte(s)).Short())
	return strings.ToValidUTF8(s[:max(0, limit-len(note))], "") + note
}
