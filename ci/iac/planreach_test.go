package iac

import (
	"slices"
	"testing"
)

// What a gate judges is where a plan goes and what kind of thing it changes. Whoever relies on
// it would otherwise see a plan for one subscription applied to another.
func TestReachSaysWhatAPlanChangesAndWhere(t *testing.T) {
	content := []byte(`{"format_version":"1.2","terraform_version":"1.9.8","planned_values":{"root_module":{}},
	"variables":{"region":{"value":"eu-west-1"}},
	"resource_changes":[
	 {"address":"aws_iam_role.ci","mode":"managed","type":"aws_iam_role","provider_name":"registry.terraform.io/hashicorp/aws","change":{"actions":["create"],"before":null,"after":{"name":"ci"}}},
	 {"address":"module.net[\"a\"].aws_security_group.web","mode":"managed","type":"aws_security_group","provider_name":"registry.terraform.io/hashicorp/aws","change":{"actions":["update"],"before":{"arn":"arn:aws:ec2:eu-central-1:123456789012:security-group/sg-1"},"after":{}}},
	 {"address":"azurerm_mssql_database.shop","mode":"managed","type":"azurerm_mssql_database","provider_name":"registry.opentofu.org/hashicorp/azurerm","change":{"actions":["delete","create"],"before":{"id":"/subscriptions/0B1F6471-1BF0-4DDA-AEC3-CB9272F09590/resourceGroups/x","location":"West Europe"},"after":null}},
	 {"address":"google_compute_disk.d","mode":"managed","type":"google_compute_disk","provider_name":"registry.terraform.io/hashicorp/google","change":{"actions":["delete"],"before":{"project":"shop","zone":"europe-west4-a"},"after":null}},
	 {"address":"data.aws_ami.x","mode":"data","type":"aws_ami","provider_name":"x/aws","change":{"actions":["read"],"after":{}}},
	 {"address":"aws_lambda_function.f","mode":"managed","type":"aws_lambda_function","provider_name":"x/aws","change":{"actions":["no-op"],"after":{}}}],
	"configuration":{"provider_config":{"aws":{"expressions":{"region":{"references":["var.region"]},"allowed_account_ids":{"constant_value":["999999999999"]},"assume_role":[{"role_arn":{}}]}}},
	 "root_module":{"resources":[{"address":"aws_iam_role.ci","provider_config_key":"aws"}],"module_calls":{"net":{"module":{"resources":[{"address":"aws_security_group.web","provider_config_key":"aws"}]}}}}}}`)
	read, err := ReadPlan(content)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Reach(content, read)
	if err != nil {
		t.Fatal(err)
	}
	want := [][6]string{
		{"aws_iam_role.ci", "aws", "create", "identity", "999999999999", "eu-west-1"},
		{`module.net["a"].aws_security_group.web`, "aws", "update", "network", "123456789012", "eu-central-1"},
		{"azurerm_mssql_database.shop", "azurerm", "replace", "data", "0b1f6471-1bf0-4dda-aec3-cb9272f09590", "westeurope"},
		{"google_compute_disk.d", "google", "delete", "data", "shop", "europe-west4"},
	}
	var got [][6]string
	for _, r := range p.Resources {
		got = append(got, [6]string{r.Address, r.Provider, r.Action, r.Class, r.Account, r.Region})
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if !slices.Equal(p.Providers, []string{"aws", "azurerm", "google"}) || len(p.Accounts) != 4 || len(p.Regions) != 4 || p.Create != 1 || p.Replace != 1 || p.Delete != 1 || p.Update != 1 {
		t.Errorf("%+v", p)
	}
}

// A plan that does not say where it goes is told as one: nothing is guessed.
func TestWhereAPlanDoesNotTellNothingIsMadeUp(t *testing.T) {
	content := []byte(`{"format_version":"1.2","planned_values":{},"resource_changes":[{"address":"aws_lb.x","type":"aws_lb","provider_name":"aws","change":{"actions":["create"],"after":{"name":"x"}}}],
	"configuration":{"provider_config":{"aws":{"expressions":{"region":{"references":["local.region"]},"allowed_account_ids":{"constant_value":["1","2"]}}}},"root_module":{"resources":[{"address":"aws_lb.x","provider_config_key":"aws"}]}}}`)
	read, err := ReadPlan(content)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Reach(content, read)
	if err != nil || len(p.Resources) != 1 || p.Resources[0].Account != "" || p.Resources[0].Region != "" || len(p.Accounts) != 0 {
		t.Errorf("%v %+v", err, p)
	}
}

func FuzzReach(f *testing.F) {
	f.Add([]byte(`{"format_version":"1.2","planned_values":{},"resource_changes":[{"address":"a.b","change":{"actions":["create"],"after":{"arn":"arn:aws:x:y:1"}}}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		read, err := ReadPlan(content)
		if err != nil {
			return
		}
		if p, err := Reach(content, read); err == nil && int64(len(p.Resources)) > p.Create+p.Update+p.Replace+p.Delete+p.Forget {
			t.Errorf("%d resources, and fewer are counted: %+v", len(p.Resources), p)
		}
	})
}
