package iac

import (
	"strings"
	"testing"
)

func replaced(text, with string) string { return strings.ReplaceAll(text, "%s", with) }

func TestCloudRulesOfGoogle(t *testing.T) {
	inCloud(t, "VI-GCP-001", "google_secret_manager_secret_iam_member", []cloudCase{
		{"everybody", "", "role = \"r\"\nmember = \"allUsers\"", "high 4", 0},
		{"a group", "", "role = \"r\"\nmember = \"group:ops@example.com\"", "", 0},
		{"unknown", "", "role = \"r\"\nmember = var.x", "", 1},
		{"a web service", "a.tf", "resource \"google_cloud_run_v2_service_iam_binding\" \"r\" {\n  members = [\"user:a@example.com\", \"allAuthenticatedUsers\"]\n}\n", "medium 2", 0},
	})
	inCloud(t, "VI-GCP-002", "google_service_account_iam_member", []cloudCase{
		{"the whole pool", "", "role = \"roles/iam.workloadIdentityUser\"\nmember = \"principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.p.name}/*\"\n}\nresource \"google_iam_workload_identity_pool\" \"p\" {", "high 4", 1},
		{"one repository", "", "role = \"roles/iam.workloadIdentityUser\"\nmember = \"principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/attribute.repository/shop/api\"", "", 0},
		{"unknown", "", "role = \"roles/iam.workloadIdentityUser\"\nmember = var.x", "", 1},
	})
	inCloud(t, "VI-GCP-003", "google_service_account_key", []cloudCase{
		{"it is there", "", "service_account_id = \"a\"", "medium 2", 0},
		{"another resource", "a.tf", "resource \"google_service_account\" \"r\" {\n}\n", "", 0},
	})
	inCloud(t, "VI-GCP-004", "google_project_iam_member", []cloudCase{
		{"a group owns it", "", "role = \"roles/owner\"\nmember = \"group:ops@example.com\"", "medium 3", 0},
		{"of an organisation", "a.tf", "resource \"google_organization_iam_binding\" \"r\" {\n  role = \"roles/editor\"\n  members = [\"group:ops@example.com\"]\n}\n", "high 2", 0},
		{"what the library asks for", "", "role = \"roles/owner\"\nmember = \"serviceAccount:x@p.iam.gserviceaccount.com\"", "", 0},
		{"one service", "", "role = \"roles/run.viewer\"\nmember = \"group:ops@example.com\"", "", 0},
		{"unknown", "", "role = var.x\nmember = \"group:ops@example.com\"", "", 1},
	})
	inCloud(t, "VI-GCP-005", "google_project_iam_audit_config", []cloudCase{
		{"somebody is left out", "", "audit_log_config {\n  log_type = \"DATA_READ\"\n  exempted_members = [\"user:a@example.com\"]\n}", "medium 5", 0},
		{"nobody", "", "audit_log_config {\n  log_type = \"DATA_READ\"\n}", "", 0},
		{"unknown", "", "audit_log_config {\n  exempted_members = var.x\n}", "", 1},
		{"a sink that is off", "a.tf", "resource \"google_logging_project_sink\" \"r\" {\n  disabled = true\n}\n", "medium 2", 0},
	})
	inCloud(t, "VI-GCP-006", "google_redis_instance", []cloudCase{
		{"absent", "", "name = \"c\"", "medium 2", 0},
		{"safe", "", "transit_encryption_mode = \"SERVER_AUTHENTICATION\"", "", 0},
		{"unknown", "", "transit_encryption_mode = var.x", "", 1},
		{"a function", "a.tf", "resource \"google_cloudfunctions_function\" \"r\" {\n  trigger_http = true\n}\n", "medium 1", 0},
		{"a function of events", "a.tf", "resource \"google_cloudfunctions_function\" \"r\" {\n}\n", "", 0},
	})
	inCloud(t, "VI-GCP-007", "google_container_cluster", []cloudCase{
		{"absent", "", "name = \"c\"", "medium 2", 0},
		{"safe", "", "workload_identity_config {\n  workload_pool = \"p.svc.id.goog\"\n}", "", 0},
		{"it runs itself", "", "enable_autopilot = true", "", 0},
		{"unknown", "", "enable_autopilot = var.x", "", 1},
	})
}

func TestCloudRulesOfAlibaba(t *testing.T) {
	inCloud(t, "VI-ALI-001", "alicloud_oss_bucket", []cloudCase{
		{"absent", "", "bucket = \"b\"", "", 0},
		{"read", "", "acl = \"public-read\"", "high 3", 0},
		{"written", "", "acl = \"public-read-write\"", "critical 3", 0},
		{"unknown", "", "acl = var.x", "", 1},
	})
	all := "policy_document = \"{\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"%s\\\",\\\"Resource\\\":\\\"*\\\"}],\\\"Version\\\":\\\"1\\\"}\""
	inCloud(t, "VI-ALI-002", "alicloud_ram_policy", []cloudCase{
		{"all", "", replaced(all, "*"), "high 3", 0},
		{"one service", "", replaced(all, "oss:*"), "", 0},
		{"unknown", "", "policy_document = var.x", "", 1},
		{"by its older form", "", "statement {\n  effect = \"Allow\"\n  action = [\"*\"]\n  resource = [\"*\"]\n}", "high 3", 0},
		{"attached", "a.tf", "resource \"alicloud_ram_user_policy_attachment\" \"r\" {\n  policy_name = \"AdministratorAccess\"\n  policy_type = \"System\"\n}\n", "high 2", 0},
		{"a role for anybody", "a.tf", "resource \"alicloud_ram_role\" \"r\" {\n  document = jsonencode({Statement = [{Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = {RAM = [\"*\"]}}]})\n}\n", "high 2", 0},
	})
	open := func(ports, network string) string {
		return "type = \"ingress\"\nip_protocol = \"tcp\"\nport_range = \"" + ports + "\"\ncidr_ip = " + network
	}
	inCloud(t, "VI-ALI-003", "alicloud_security_group_rule", []cloudCase{
		{"SSH", "", open("22/22", `"0.0.0.0/0"`), "high 6", 0},
		{"all", "", open("1/65535", `"0.0.0.0/0"`), "high 6", 0},
		{"the web", "", open("443/443", `"0.0.0.0/0"`), "", 0},
		{"a network", "", open("22/22", `"10.0.0.0/8"`), "", 0},
		{"dropped", "", open("22/22", `"0.0.0.0/0"`) + "\npolicy = \"drop\"", "", 0},
		{"unknown", "", open("22/22", `var.x`), "", 1},
	})
	inCloud(t, "VI-ALI-004", "alicloud_db_instance", []cloudCase{
		{"absent", "", "engine = \"MySQL\"", "", 0},
		{"everybody", "", "security_ips = [\"10.0.0.0/8\", \"0.0.0.0/0\"]", "high 3", 0},
		{"unknown", "", "security_ips = var.x", "", 1},
	})
	inCloud(t, "VI-ALI-005", "alicloud_actiontrail_trail", []cloudCase{
		{"a part", "", "event_rw = \"Write\"", "medium 3", 0},
		{"one region", "", "event_rw = \"All\"\ntrail_region = \"cn-hangzhou\"", "medium 4", 0},
		{"off", "", "event_rw = \"All\"\nstatus = \"Disable\"", "high 4", 0},
		{"all", "", "event_rw = \"All\"", "", 0},
		{"absent", "", "trail_name = \"t\"", "", 0},
		{"unknown", "", "event_rw = var.x", "", 1},
	})
	inCloud(t, "VI-ALI-006", "alicloud_ram_access_key", []cloudCase{
		{"it is there", "", "user_name = \"u\"", "medium 2", 0},
		{"it is off", "", "status = \"Inactive\"", "", 0},
		{"unknown", "", "status = var.x", "", 1},
	})
}

func TestCloudRulesOfOracle(t *testing.T) {
	inCloud(t, "VI-OCI-001", "oci_objectstorage_bucket", []cloudCase{
		{"absent", "", "name = \"b\"", "", 0},
		{"public", "", "access_type = \"ObjectReadWithoutList\"", "high 3", 0},
		{"unknown", "", "access_type = var.x", "", 1},
	})
	rule := func(protocol, source, options string) string {
		return "ingress_security_rules {\n  protocol = \"" + protocol + "\"\n  source = " + source + "\n" + options + "}"
	}
	inCloud(t, "VI-OCI-002", "oci_core_security_list", []cloudCase{
		{"all", "", rule("all", `"0.0.0.0/0"`, ""), "high 5", 0},
		{"all of TCP", "", rule("6", `"0.0.0.0/0"`, ""), "high 5", 0},
		{"SSH", "", rule("6", `"0.0.0.0/0"`, "  tcp_options {\n    min = 22\n    max = 22\n  }\n"), "high 5", 0},
		{"the web", "", rule("6", `"0.0.0.0/0"`, "  tcp_options {\n    min = 443\n    max = 443\n  }\n"), "", 0},
		{"a ping", "", rule("1", `"0.0.0.0/0"`, ""), "", 0},
		{"a network", "", rule("all", `"10.0.0.0/8"`, ""), "", 0},
		{"unknown", "", rule("all", `var.x`, ""), "", 1},
		{"a group", "a.tf", "resource \"oci_core_network_security_group_security_rule\" \"r\" {\n  direction = \"INGRESS\"\n  protocol = \"6\"\n  source = \"0.0.0.0/0\"\n  tcp_options {\n    destination_port_range {\n      min = 3000\n      max = 4000\n    }\n  }\n}\n", "high 4", 0},
		{"a group for the web", "a.tf", "resource \"oci_core_network_security_group_security_rule\" \"r\" {\n  direction = \"INGRESS\"\n  protocol = \"6\"\n  source = \"0.0.0.0/0\"\n  tcp_options {\n    destination_port_range {\n      min = 443\n      max = 443\n    }\n  }\n}\n", "", 0},
	})
	inCloud(t, "VI-OCI-003", "oci_identity_policy", []cloudCase{
		{"all", "", "statements = [\"Allow group a to read buckets in compartment b\", \"Allow group ops to manage all-resources in tenancy\"]", "high 3", 0},
		{"anybody", "", "statements = [\"Allow any-user to use keys in tenancy\"]", "critical 3", 0},
		{"anybody with a condition", "", "statements = [\"Allow any-user to use keys in tenancy where request.principal.type = 'workload'\"]", "", 0},
		{"unknown", "", "statements = [var.x]", "", 1},
	})
	inCloud(t, "VI-OCI-004", "oci_core_instance", []cloudCase{
		{"absent", "", "shape = \"s\"", "medium 2", 0},
		{"safe", "", "instance_options {\n  are_legacy_imds_endpoints_disabled = true\n}", "", 0},
		{"unknown", "", "instance_options {\n  are_legacy_imds_endpoints_disabled = var.x\n}", "", 1},
	})
	inCloud(t, "VI-OCI-005", "oci_containerengine_cluster", []cloudCase{
		{"absent", "", "name = \"b\"", "", 0},
		{"public", "", "endpoint_config {\n  is_public_ip_enabled = true\n}", "medium 4", 0},
		{"unknown", "", "endpoint_config {\n  is_public_ip_enabled = var.x\n}", "", 1},
	})
	inCloud(t, "VI-OCI-006", "oci_identity_api_key", []cloudCase{
		{"it is there", "", "user_id = \"u\"", "medium 2", 0},
		{"another resource", "a.tf", "resource \"oci_identity_user\" \"r\" {\n}\n", "", 0},
	})
}
