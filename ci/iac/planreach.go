package iac

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"verdict"
)

// What a plan reaches: which resources of which kind, in which account and region. Where the
// plan does not tell, nothing is made up.

// reachFile is what is read of a plan for that.
type reachFile struct {
	Variables map[string]struct {
		Value any `json:"value"`
	} `json:"variables"`
	Changes []struct {
		Address  string `json:"address"`
		Mode     string `json:"mode"`
		Type     string `json:"type"`
		Provider string `json:"provider_name"`
		Change   struct {
			Actions []string       `json:"actions"`
			Before  map[string]any `json:"before"`
			After   map[string]any `json:"after"`
		} `json:"change"`
	} `json:"resource_changes"`
	Configuration struct {
		Providers map[string]struct {
			Expressions map[string]setExpression `json:"expressions"`
		} `json:"provider_config"`
		Root reachModule `json:"root_module"`
	} `json:"configuration"`
}

type reachModule struct {
	Resources []struct {
		Address  string `json:"address"`
		Provider string `json:"provider_config_key"`
	} `json:"resources"`
	Calls map[string]struct {
		Module reachModule `json:"module"`
	} `json:"module_calls"`
}

// setExpression is a value of the configuration, as far as it is a constant or one reference.
type setExpression struct {
	Constant   any      `json:"constant_value"`
	References []string `json:"references"`
}

// UnmarshalJSON takes a block of settings for an expression that says nothing.
func (e *setExpression) UnmarshalJSON(b []byte) error {
	type plain setExpression
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, (*plain)(e)) != nil {
		*e = setExpression{}
	}
	return nil
}

// Reach reads what a plan changes and where. The plan was read by ReadPlan before, which
// tells what is wrong with one that is none.
func Reach(content []byte, read *Plan) (verdict.Plan, error) {
	var f reachFile
	if err := json.Unmarshal(content, &f); err != nil {
		return verdict.Plan{}, notAPlan("what it reaches cannot be read: "+err.Error(), again, err)
	}
	out := verdict.Plan{
		Tool: strings.TrimSpace("terraform " + read.Version), Create: read.Counts["create"], Update: read.Counts["update"], Replace: read.Counts["replace"],
		Delete: read.Counts["delete"], Forget: read.Counts["forget"], Partial: read.Partial, Resources: []verdict.PlannedResource{},
	}
	keys := map[string]string{}
	f.Configuration.Root.providers("", keys)
	for _, c := range f.Changes {
		what, err := planChange{Change: struct {
			Actions []string `json:"actions"`
		}{c.Change.Actions}}.what()
		if err != nil || what == "" || what == "read" || c.Mode == "data" {
			continue
		}
		provider := c.Provider[strings.LastIndexByte(c.Provider, '/')+1:]
		r := verdict.PlannedResource{Address: c.Address, Type: c.Type, Provider: provider, Action: what, Class: classOf(c.Type)}
		key := keys[index.ReplaceAllString(c.Address, "")]
		for _, values := range []map[string]any{c.Change.After, c.Change.Before} {
			r.Account, r.Region = cmp.Or(r.Account, accountIn(values)), cmp.Or(r.Region, regionIn(values))
		}
		r.Account = cmp.Or(r.Account, f.configured(key, "subscription_id"), f.configured(key, "project"), f.configured(key, "allowed_account_ids"))
		r.Region = cmp.Or(r.Region, f.configured(key, "region"))
		out.Resources = append(out.Resources, r)
		out.Providers, out.Accounts, out.Regions = with(out.Providers, provider), with(out.Accounts, r.Account), with(out.Regions, r.Region)
	}
	return out, nil
}

// with adds a word to a sorted list, once.
func with(list []string, word string) []string {
	i, found := slices.BinarySearch(list, word)
	if found || word == "" {
		return append([]string{}, list...)
	}
	return slices.Insert(list, i, word)
}

// providers notes by which configuration of its provider each resource is made.
func (m reachModule) providers(at string, into map[string]string) {
	for _, r := range m.Resources {
		into[at+r.Address] = r.Provider
	}
	for name, call := range m.Calls {
		call.Module.providers(at+"module."+name+".", into)
	}
}

// configured is a setting of a provider, where it is a constant or a variable of the plan.
func (f *reachFile) configured(key, setting string) string {
	e := f.Configuration.Providers[key].Expressions[setting]
	value := e.Constant
	if len(e.References) > 0 {
		if name, ok := strings.CutPrefix(e.References[0], "var."); ok {
			value = f.Variables[name].Value
		}
	}
	switch v := value.(type) {
	case string:
		return v
	case []any: // allowed_account_ids: one that is alone is the one
		if len(v) == 1 {
			text, _ := v[0].(string)
			return text
		}
	}
	return ""
}

var (
	subscription = regexp.MustCompile(`(?i)^/subscriptions/([0-9a-f-]{36})(/|$)`)
	arn          = regexp.MustCompile(`^arn:aws[a-z-]*:[a-z0-9-]*:([a-z0-9-]*):([0-9]{12}):`)
	zoneSuffix   = regexp.MustCompile(`^([a-z]+(?:-[a-z]+)+-?[0-9]+)-?[a-z]$`)
)

// accountIn finds the account in a resource's own values.
func accountIn(values map[string]any) string {
	for _, key := range []string{"subscription_id", "project", "account_id", "owner_id"} {
		if text, _ := values[key].(string); text != "" {
			return text
		}
	}
	for _, key := range []string{"id", "arn", "resource_group_id", "scope", "virtual_network_id", "subnet_id"} {
		text, _ := values[key].(string)
		if m := subscription.FindStringSubmatch(text); m != nil {
			return strings.ToLower(m[1])
		}
		if m := arn.FindStringSubmatch(text); m != nil {
			return m[2]
		}
	}
	return ""
}

// regionIn finds the region in a resource's own values.
func regionIn(values map[string]any) string {
	for _, key := range []string{"region", "location"} {
		if text, _ := values[key].(string); text != "" {
			return strings.ToLower(strings.ReplaceAll(text, " ", ""))
		}
	}
	for _, key := range []string{"availability_zone", "zone"} {
		text, _ := values[key].(string)
		if m := zoneSuffix.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	text, _ := values["arn"].(string)
	if m := arn.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// classes are words of types of resources by what a change of them touches. The first class
// with a word in it counts: a key vault's access policy is about rights, and not about data.
var classes = []struct {
	class string
	words []string
}{
	{"identity", []string{
		"_iam_", "_iam", "role_assignment", "role_definition", "user_assigned_identity", "azuread_", "service_account", "access_policy", "_policy_attachment",
		"cognito", "identity_pool", "kubernetes_role", "cluster_role", "organizations_policy", "permission_set", "federated_identity",
	}},
	{"data", []string{
		"database", "_db_", "_rds_", "sql", "dynamodb", "s3_bucket", "storage_", "bigquery", "redis", "elasticache", "memorydb", "cosmosdb", "_efs_", "ebs_volume",
		"_disk", "backup", "key_vault", "_kms_", "secret", "persistent_volume", "elasticsearch", "opensearch", "spanner", "filestore", "mongodb", "firestore", "redshift", "docdb", "neptune",
	}},
	{"network", []string{
		"security_group", "_vpc", "subnet", "route", "network", "firewall", "_lb", "load_balancer", "nat_gateway", "internet_gateway", "_gateway", "peering", "dns",
		"_eip", "public_ip", "private_endpoint", "vpn", "ingress", "_cdn_", "cloudfront", "frontdoor", "_waf", "compute_address", "forwarding_rule",
	}},
}

// classOf is what a change of a type of resources touches.
func classOf(kind string) string {
	for _, c := range classes {
		if slices.ContainsFunc(c.words, func(w string) bool { return strings.Contains(kind, w) }) {
			return c.class
		}
	}
	return "other"
}
