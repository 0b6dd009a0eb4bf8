package iac

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A case of a rule about cloud resources. Without a file its text is the body of the
// resource of Terraform that the table is about.
type cloudCase struct {
	name, file, text string
	want             string // "severity line" of each problem of the rule, with " | " between them
	unknown          int    // settings of which nobody knows the value
}

// otherThings are checks of the library that say something else of the same line.
var otherThings = []string{"AVD-AWS-0124", "AVD-AWS-0345"}

var notKnown = regexp.MustCompile(`^(\d+) settings? of cloud resources`)

// ofRule is what one rule says of files, and how many settings are told as unknown.
func ofRule(t *testing.T, r Result, id string) (found []Problem, unknown int) {
	t.Helper()
	for _, p := range r.Problems {
		if !strings.HasPrefix(p.Check, "VI-") {
			continue
		}
		if p.Title == "" || p.Message == "" || p.Fix == "" || p.Type == "" || p.Resource == "" || p.Path == "" || p.Format == "" {
			t.Errorf("a person cannot act on it: %+v", p)
		}
		if p.Check == id {
			found = append(found, p)
		}
		for _, q := range r.Problems { // one thing that is wrong is told once
			if !strings.HasPrefix(q.Check, "VI-") && p.Line > 0 && q.Line == p.Line && p.Cause != "" && !slices.Contains(otherThings, q.Check) {
				t.Errorf("%s says of line %d what %s says of it: %s, and %s", p.Check, p.Line, q.Check, p.Message, q.Message)
			}
		}
	}
	for _, o := range r.Open {
		if o.Blocks {
			t.Errorf("not judged: %s: %s", o.Path, o.Reason)
		}
		if m := notKnown.FindStringSubmatch(o.Reason); m != nil {
			n, _ := strconv.Atoi(m[1])
			unknown += n
		}
	}
	return found, unknown
}

func inCloud(t *testing.T, id, kind string, cases []cloudCase) {
	t.Helper()
	fired, quiet := false, false
	for _, c := range cases {
		t.Run(id+" "+c.name, func(t *testing.T) {
			if c.file == "" {
				c.file, c.text = "main.tf", "variable \"x\" {}\nresource \""+kind+"\" \"r\" {\n"+c.text+"\n}\n"
			}
			found, unknown := ofRule(t, checked(t, map[string]string{c.file: c.text}), id)
			var got []string
			for _, p := range found {
				got = append(got, fmt.Sprintf("%s %d", p.Severity, p.Line))
			}
			if strings.Join(got, " | ") != c.want {
				t.Errorf("got  %q\nwant %q", strings.Join(got, " | "), c.want)
			}
			if unknown != c.unknown {
				t.Errorf("%d settings are told as unknown, and not %d", unknown, c.unknown)
			}
		})
		fired, quiet = fired || c.want != "", quiet || c.want == ""
	}
	if !fired || !quiet {
		t.Errorf("%s: nothing shows that it fires and that it is quiet", id)
	}
}

// A rule without a case is one of which nobody knows whether it holds.
func TestEveryRuleAboutCloudsHasCases(t *testing.T) {
	files, err := filepath.Glob("resources*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, f := range files {
		more, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	count, about := 0, map[string]bool{}
	for _, prefix := range []string{"azurerm_", "aws_", "google_", "alicloud_", "oci_"} {
		c := cloudOf(prefix + "x")
		if err := c.load(); err != nil {
			t.Fatal(err)
		}
		for _, rule := range c.set.checks {
			count++
			if !strings.Contains(string(text), `inCloud(t, "`+rule.id+`"`) {
				t.Errorf("%s has no cases", rule.id)
			}
			for kind := range c.asks[rule.id] {
				if cloudOf(kind) != c {
					t.Errorf("%s asks about %s, which is of another provider", rule.id, kind)
				}
			}
			about[rule.id[:strings.LastIndex(rule.id, "-")]] = true
		}
	}
	if count < 30 || len(about) != 5 {
		t.Errorf("%d rules about %v", count, about)
	}
}

// arm is a template of which the resource begins in line 7 and its properties in line 11.
func arm(kind, properties string) string {
	return `{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
"contentVersion": "1.0.0.0",
"parameters": {"on": {"type": "bool", "defaultValue": true},
"any": {"type": "bool"}},
"variables": {"off": false},
"resources": [
{
"type": "` + kind + `",
"apiVersion": "2023-01-01",
"name": "r",
"properties": {
` + properties + `}}]}`
}

func cfnOf(kind, properties string) string {
	return "AWSTemplateFormatVersion: '2010-09-09'\nParameters:\n  Any: {Type: String}\n  None: {Type: String, Default: NONE}\nResources:\n  R:\n    Type: " + kind + "\n    Properties:\n" + properties
}

func TestCloudRulesOfAzureIdentity(t *testing.T) {
	inCloud(t, "VI-AZ-001", "azurerm_kubernetes_cluster", []cloudCase{
		{"absent", "", "name = \"k\"", "high 2", 0},
		{"unsafe", "", "local_account_disabled = false", "high 3", 0},
		{"safe", "", "local_account_disabled = true", "", 0},
		{"unknown", "", "local_account_disabled = var.x", "", 1},
		{"null is absent", "", "local_account_disabled = null", "high 3", 0},
		{"a template without it", "a.json", arm("Microsoft.ContainerService/managedClusters", `"aadProfile": {"enableAzureRBAC": true}, "apiServerAccessProfile": {"enablePrivateCluster": true}`), "high 11", 0},
		{"a template with it", "a.json", arm("microsoft.containerservice/ManagedClusters", `"disableLocalAccounts": true, "aadProfile": {"enableAzureRBAC": true}`), "", 0},
		{"a parameter's default", "a.json", arm("Microsoft.ContainerService/managedClusters", `"disableLocalAccounts": "[parameters('on')]"`), "", 0},
		{"a variable", "a.json", arm("Microsoft.ContainerService/managedClusters", `"disableLocalAccounts": "[variables('off')]"`), "high 12", 0},
		{"a parameter without a value", "a.json", arm("Microsoft.ContainerService/managedClusters", `"disableLocalAccounts": "[parameters('any')]"`), "", 1},
		{"an expression", "a.json", arm("Microsoft.ContainerService/managedClusters", `"disableLocalAccounts": "[not(parameters('on'))]"`), "", 1},
	})
	inCloud(t, "VI-AZ-002", "azurerm_kubernetes_cluster", []cloudCase{
		{"absent", "", "role_based_access_control_enabled = true", "medium 2", 0},
		{"absent, as the library says too", "", "name = \"k\"", "", 0},
		{"the block without it", "", "azure_active_directory_role_based_access_control {\n  tenant_id = \"t\"\n}\nrole_based_access_control_enabled = true", "medium 3", 0},
		{"a template without it", "a.json", arm("Microsoft.ContainerService/managedClusters", `"disableLocalAccounts": true`), "medium 11", 0},
		{"safe", "", "azure_active_directory_role_based_access_control {\n  azure_rbac_enabled = true\n}", "", 0},
		{"unknown", "", "azure_active_directory_role_based_access_control {\n  azure_rbac_enabled = var.x\n}\nrole_based_access_control_enabled = true", "", 1},
		{"a block of which nobody knows whether it is there", "", "dynamic \"azure_active_directory_role_based_access_control\" {\n  for_each = var.x\n  content {\n    azure_rbac_enabled = true\n  }\n}", "", 1},
		{"a block that is made", "", "dynamic \"azure_active_directory_role_based_access_control\" {\n  for_each = [1]\n  content {\n    azure_rbac_enabled = true\n  }\n}", "", 0},
	})
	inCloud(t, "VI-AZ-004", "azurerm_container_registry", []cloudCase{
		{"absent", "", "name = \"k\"", "", 0},
		{"unsafe", "", "admin_enabled = true", "high 3", 0},
		{"as text", "", "admin_enabled = \"true\"", "high 3", 0},
		{"unknown", "", "admin_enabled = var.x", "", 1},
		{"a template", "a.json", arm("Microsoft.ContainerRegistry/registries", `"adminUserEnabled": true`), "high 12", 0},
	})
	inCloud(t, "VI-AZ-006", "azurerm_storage_account", []cloudCase{
		{"absent", "", "name = \"k\"\nallow_nested_items_to_be_public = false", "medium 2", 0},
		{"safe", "", "shared_access_key_enabled = false", "", 0},
		{"unknown", "", "shared_access_key_enabled = var.x", "", 1},
		{"a template", "a.json", arm("Microsoft.Storage/storageAccounts", `"allowSharedKeyAccess": null`), "medium 12", 0},
	})
	inCloud(t, "VI-AZ-008", "azurerm_key_vault", []cloudCase{
		{"absent", "", "name = \"k\"", "medium 2", 0},
		{"unsafe", "", "enable_rbac_authorization = false", "medium 3", 0},
		{"safe by its older name", "", "enable_rbac_authorization = true", "", 0},
		{"safe", "", "rbac_authorization_enabled = true", "", 0},
		{"unknown", "", "rbac_authorization_enabled = var.x", "", 1},
		{"as Azure takes it", "a.tf", "resource \"azapi_resource\" \"v\" {\n  type = \"Microsoft.KeyVault/vaults@2023-02-01\"\n  body = {\n    properties = { enableRbacAuthorization = false }\n  }\n}\n", "medium 3", 0},
		{"as Azure takes it, as JSON", "a.tf", "resource \"azapi_resource\" \"v\" {\n  type = \"Microsoft.KeyVault/vaults@2026-02-01\"\n  body = jsonencode({ properties = {} })\n}\n", "", 0},
		{"as Azure takes it, unknown", "a.tf", "variable \"x\" {}\nresource \"azapi_resource\" \"v\" {\n  type = \"Microsoft.KeyVault/vaults@2023-02-01\"\n  body = var.x\n}\n", "", 1},
		{"a template without it", "a.json", arm("Microsoft.KeyVault/vaults", `"tenantId": "t"`), "medium 11", 0},
		{"a template of a version that has it by itself", "a.json", strings.Replace(arm("Microsoft.KeyVault/vaults", `"tenantId": "t"`), "2023-01-01", "2026-02-01", 1), "", 0},
	})
	inCloud(t, "VI-AZ-009", "azurerm_federated_identity_credential", []cloudCase{
		{"a pull request", "", "subject = \"repo:shop/api:pull_request\"", "medium 3", 0},
		{"an environment", "", "subject = \"repo:shop/api:environment:production\"", "", 0},
		{"of a repository that nobody knows", "", "subject = \"repo:${var.x}:pull_request\"", "medium 3", 1},
		{"unknown", "", "subject = var.x", "", 1},
		{"a whole organisation", "a.tf", "resource \"azuread_application_flexible_federated_identity_credential\" \"r\" {\n  claims_matching_expression = \"claims['sub'] matches 'repo:shop/*'\"\n}\n", "high 2", 0},
		{"branches of one repository", "a.tf", "resource \"azuread_application_flexible_federated_identity_credential\" \"r\" {\n  claims_matching_expression = \"claims['sub'] matches 'repo:shop/api:ref:refs/heads/*'\"\n}\n", "", 0},
		{"within its identity", "a.json", arm("Microsoft.ManagedIdentity/userAssignedIdentities", `}, "resources": [{"type": "federatedIdentityCredentials", "name": "f", "properties": {"subject": "repo:shop/api:pull_request"}}], "tags": {`), "medium 12", 0},
	})
	inCloud(t, "VI-AZ-010", "azurerm_role_assignment", []cloudCase{
		{"owner", "", "role_definition_name = \"Owner\"\nscope = \"/subscriptions/00000000-0000-0000-0000-000000000000\"", "high 3", 0},
		{"owner of what is looked up", "", "role_definition_name = \"owner\"\nscope = data.azurerm_subscription.s.id\n}\ndata \"azurerm_subscription\" \"s\" {", "high 3", 1},
		{"by its id", "", "role_definition_id = \"/providers/Microsoft.Authorization/roleDefinitions/18d7d88d-d35e-4fb5-a5c3-7773c20a72d9\"\nscope = \"/providers/Microsoft.Management/managementGroups/root\"", "high 3", 0},
		{"of a group of resources", "", "role_definition_name = \"Owner\"\nscope = \"/subscriptions/0/resourceGroups/g\"", "", 0},
		{"with a condition", "", "role_definition_name = \"User Access Administrator\"\nscope = \"/subscriptions/0\"\ncondition = \"x\"", "", 0},
		{"a template for a subscription", "a.json", strings.Replace(arm("Microsoft.Authorization/roleAssignments", `"roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '8e3af657-a8ff-443c-a75c-2fe8c4bcb635')]"`), "deploymentTemplate", "subscriptionDeploymentTemplate", 1), "high 12", 1},
		{"a template for a group", "a.json", arm("Microsoft.Authorization/roleAssignments", `"roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '8e3af657-a8ff-443c-a75c-2fe8c4bcb635')]"`), "", 1},
		{"a reader", "", "role_definition_name = \"Reader\"\nscope = \"/subscriptions/0\"", "", 0},
		{"unknown", "", "role_definition_name = var.x\nscope = \"/subscriptions/0\"", "", 1},
	})
	inCloud(t, "VI-AZ-011", "azuread_application_password", []cloudCase{
		{"it is there", "", "application_id = \"a\"", "medium 2", 0},
		{"another resource", "a.tf", "resource \"azuread_application\" \"r\" {\n}\n", "", 0},
	})
	inCloud(t, "VI-AZ-012", "azurerm_mssql_server", []cloudCase{
		{"absent", "", "name = \"s\"", "medium 2", 0},
		{"without the setting", "", "azuread_administrator {\n  login_username = \"a\"\n}", "medium 3", 0},
		{"safe", "", "azuread_administrator {\n  azuread_authentication_only = true\n}", "", 0},
		{"unknown", "", "azuread_administrator {\n  azuread_authentication_only = var.x\n}", "", 1},
		{"a managed instance that is told apart", "a.tf", "resource \"azurerm_mssql_managed_instance\" \"r\" {\n}\n", "", 0},
		{"a template", "a.json", arm("Microsoft.Sql/servers", `"administrators": {"azureADOnlyAuthentication": false}`), "medium 12", 0},
	})
	inCloud(t, "VI-AZ-016", "azurerm_servicebus_namespace", []cloudCase{
		{"absent", "", "name = \"s\"", "medium 2", 0},
		{"safe", "", "local_auth_enabled = false", "", 0},
		{"unknown", "", "local_auth_enabled = var.x", "", 1},
		{"a database", "a.tf", "resource \"azurerm_cosmosdb_account\" \"r\" {\n}\n", "medium 1", 0},
		{"a database of the next version of the provider", "a.tf", "resource \"azurerm_cosmosdb_account\" \"r\" {\n  local_authentication_enabled = false\n}\n", "", 0},
		{"a database that knows only keys", "a.tf", "resource \"azurerm_cosmosdb_account\" \"r\" {\n  kind = \"MongoDB\"\n}\n", "", 0},
		{"a database of another kind", "a.tf", "resource \"azurerm_cosmosdb_account\" \"r\" {\n  capabilities {\n    name = \"EnableGremlin\"\n  }\n}\n", "", 0},
		{"a database in a template", "a.json", arm("Microsoft.DocumentDB/databaseAccounts", `"locations": []`), "medium 11", 0},
		{"a template", "a.json", arm("Microsoft.CognitiveServices/accounts", `"disableLocalAuth": true`), "", 0},
		{"a template without it", "a.json", arm("Microsoft.CognitiveServices/accounts", `"customSubDomainName": "x"`), "medium 11", 0},
	})
}

func TestCloudRulesOfAzureNetworks(t *testing.T) {
	inCloud(t, "VI-AZ-003", "", []cloudCase{
		{"absent", "a.json", arm("Microsoft.ContainerService/managedClusters", `"disableLocalAccounts": true`), "high 11", 0},
		{"everybody", "a.json", arm("Microsoft.ContainerService/managedClusters", `"apiServerAccessProfile": {"authorizedIPRanges": ["0.0.0.0/0"]}`), "high 12", 0},
		{"private", "a.json", arm("Microsoft.ContainerService/managedClusters", `"apiServerAccessProfile": {"enablePrivateCluster": true}`), "", 0},
		{"networks", "a.json", arm("Microsoft.ContainerService/managedClusters", `"apiServerAccessProfile": {"authorizedIPRanges": ["10.0.0.0/8"]}`), "", 0},
		{"unknown", "a.json", arm("Microsoft.ContainerService/managedClusters", `"apiServerAccessProfile": "[parameters('any')]"`), "", 2},
		{"what the library asks for", "a.tf", "resource \"azurerm_kubernetes_cluster\" \"r\" {\n}\n", "", 0},
	})
	inCloud(t, "VI-AZ-005", "azurerm_container_registry", []cloudCase{
		{"absent", "", "name = \"k\"", "", 0},
		{"unsafe", "", "anonymous_pull_enabled = true", "high 3", 0},
		{"unknown", "", "anonymous_pull_enabled = var.x", "", 1},
	})
	inCloud(t, "VI-AZ-007", "azurerm_storage_account", []cloudCase{
		{"absent", "", "name = \"k\"", "medium 2", 0},
		{"safe", "", "allow_nested_items_to_be_public = false", "", 0},
		{"by its older name", "", "allow_blob_public_access = false", "", 0},
		{"unknown", "", "allow_nested_items_to_be_public = var.x", "", 1},
		{"a template without it is safe", "a.json", arm("Microsoft.Storage/storageAccounts", `"allowSharedKeyAccess": false`), "", 0},
		{"a template", "a.json", arm("Microsoft.Storage/storageAccounts", `"allowBlobPublicAccess": true`), "medium 12", 0},
	})
	inCloud(t, "VI-AZ-013", "azurerm_postgresql_flexible_server_firewall_rule", []cloudCase{
		{"everybody", "", "start_ip_address = \"0.0.0.0\"\nend_ip_address = \"255.255.255.255\"", "high 4", 0},
		{"all of Azure", "", "start_ip_address = \"0.0.0.0\"\nend_ip_address = \"0.0.0.0\"", "medium 4", 0},
		{"an office", "", "start_ip_address = \"198.51.100.1\"\nend_ip_address = \"198.51.100.9\"", "", 0},
		{"unknown", "", "start_ip_address = \"0.0.0.0\"\nend_ip_address = var.x", "", 1},
		{"a template", "a.json", arm("Microsoft.DBforMySQL/flexibleServers/firewallRules", `"startIpAddress": "0.0.0.0",`+"\n"+`"endIpAddress": "255.255.255.255"`), "high 13", 0},
	})
	inCloud(t, "VI-AZ-014", "azurerm_postgresql_flexible_server", []cloudCase{
		{"absent", "", "name = \"p\"", "medium 2", 0},
		{"safe", "", "public_network_access_enabled = false", "", 0},
		{"in a network", "", "delegated_subnet_id = \"s\"", "", 0},
		{"in a network of this code", "", "delegated_subnet_id = azurerm_subnet.s.id\n}\nresource \"azurerm_subnet\" \"s\" {", "", 0},
		{"unknown", "", "delegated_subnet_id = var.x", "", 1},
		{"of MySQL", "a.tf", "resource \"azurerm_mysql_flexible_server\" \"r\" {\n  public_network_access = \"Disabled\"\n}\n", "", 0},
		{"a template", "a.json", arm("Microsoft.DBforPostgreSQL/flexibleServers", `"network": {"publicNetworkAccess": "Enabled"}`), "medium 12", 0},
	})
	inCloud(t, "VI-AZ-015", "azurerm_storage_account", []cloudCase{
		{"unsafe", "", "https_traffic_only_enabled = false", "high 3", 0},
		{"safe by default", "", "name = \"k\"", "", 0},
		{"unknown", "", "https_traffic_only_enabled = var.x", "", 1},
	})
	inCloud(t, "VI-AZ-015", "azurerm_redis_cache", []cloudCase{
		{"absent", "", "name = \"p\"", "", 0},
		{"unsafe", "", "enable_non_ssl_port = true", "high 3", 0},
		{"unknown", "", "non_ssl_port_enabled = var.x", "", 1},
		{"a server", "a.tf", "resource \"azurerm_postgresql_flexible_server_configuration\" \"r\" {\n  name = \"require_secure_transport\"\n  value = \"off\"\n}\n", "high 3", 0},
		{"another configuration", "a.tf", "resource \"azurerm_postgresql_flexible_server_configuration\" \"r\" {\n  name = \"log_lines\"\n  value = \"off\"\n}\n", "", 0},
		{"a template", "a.json", strings.Replace(arm("Microsoft.DBforPostgreSQL/flexibleServers/configurations", `"value": "OFF"`), `"name": "r"`, `"name": "server/require_secure_transport"`, 1), "high 12", 0},
	})
}
