package iac

import "testing"

// trusted is a role of CloudFormation whose statement begins in line 11.
func trusted(principal, condition string) string {
	return cfnOf("AWS::IAM::Role", "      AssumeRolePolicyDocument:\n        Statement:\n        - Effect: Allow\n          Action: sts:AssumeRoleWithWebIdentity\n          Principal: "+principal+"\n"+condition)
}

// trusting is a role of Terraform with a statement of a document, which begins in line 5.
func trusting(action, principal, condition string) string {
	return "resource \"aws_iam_role\" \"r\" {\n  assume_role_policy = data.aws_iam_policy_document.d.json\n}\ndata \"aws_iam_policy_document\" \"d\" {\n  statement {\n    actions = [\"" + action + "\"]\n    principals {\n" + principal + "    }\n" + condition + "  }\n}\nresource \"aws_iam_openid_connect_provider\" \"g\" {\n}\n"
}

const github = "      type = \"Federated\"\n      identifiers = [aws_iam_openid_connect_provider.g.arn]\n"

func sub(test, value string) string {
	return "    condition {\n      test = \"" + test + "\"\n      variable = \"token.actions.githubusercontent.com:sub\"\n      values = [" + value + "]\n    }\n"
}

const audience = "    condition {\n      test = \"StringEquals\"\n      variable = \"token.actions.githubusercontent.com:aud\"\n      values = [\"sts.amazonaws.com\"]\n    }\n"

func TestCloudRulesOfTrustAtAWS(t *testing.T) {
	encoded := func(condition string) string {
		return "assume_role_policy = jsonencode({Statement = [{Effect = \"Allow\", Action = \"sts:AssumeRoleWithWebIdentity\", Principal = {Federated = \"arn:aws:iam::${data.aws_caller_identity.c.account_id}:oidc-provider/token.actions.githubusercontent.com\"}" + condition + "}]})"
	}
	web := "sts:AssumeRoleWithWebIdentity"
	inCloud(t, "VI-AWS-001", "aws_iam_role", []cloudCase{
		{"only the audience", "a.tf", trusting(web, github, audience), "critical 5", 0},
		{"no condition", "a.tf", trusting(web, github, ""), "critical 5", 0},
		{"any sub", "a.tf", trusting(web, github, sub("StringLike", `"*"`)), "critical 5", 0},
		{"a whole organisation", "a.tf", trusting(web, github, sub("StringLike", `"repo:shop/*"`)), "high 14", 0},
		{"any branch", "a.tf", trusting(web, github, sub("StringLike", `"repo:shop/api:*"`)), "medium 14", 0},
		{"one of several", "a.tf", trusting(web, github, sub("StringLike", `"repo:shop/api:ref:refs/heads/main", "repo:shop/*:ref:refs/heads/main"`)), "high 14", 0},
		{"a pull request", "a.tf", trusting(web, github, sub("StringEquals", `"repo:shop/api:pull_request"`)), "medium 14", 0},
		{"a star that is none", "a.tf", trusting(web, github, sub("StringEquals", `"repo:shop/*"`)), "", 0},
		{"an environment", "a.tf", trusting(web, github, audience+sub("StringEquals", `"repo:shop/api:environment:production"`)), "", 0},
		{"unknown", "a.tf", "variable \"x\" {}\n" + trusting(web, github, sub("StringEquals", "var.x")), "", 1},
		{"another provider", "a.tf", trusting(web, "      type = \"Federated\"\n      identifiers = [\"cognito-identity.amazonaws.com\"]\n", ""), "", 0},
		{"a service", "a.tf", trusting("sts:AssumeRole", "      type = \"Service\"\n      identifiers = [\"ec2.amazonaws.com\"]\n", ""), "", 0},
		{"a document as JSON", "", encoded(""), "critical 3", 1},
		{"a document as JSON that asks", "", encoded(", Condition = {StringEquals = {\"token.actions.githubusercontent.com:sub\" = \"repo:shop/api:ref:refs/heads/main\"}}"), "", 1},
		{"a document as text", "", "assume_role_policy = <<EOF\n{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"sts:AssumeRoleWithWebIdentity\", \"Principal\": {\"Federated\": \"${var.x}\"}}}\nEOF", "critical 3", 1},
		{"a document as JSON that asks by a name that nobody knows", "", encoded(", Condition = {StringEquals = {\"${var.x}:sub\" = \"system:serviceaccount:shop:api\"}}"), "", 1},
		{"a document as JSON whose questions nobody knows", "", encoded(", Condition = {StringEquals = var.x}"), "", 2},
		{"a stack with a document as text", "s.yaml", cfnOf("AWS::IAM::Role", "      AssumeRolePolicyDocument: !Sub '{\"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"sts:AssumeRoleWithWebIdentity\", \"Principal\": {\"Federated\": \"${Any}\"}, \"Condition\": {\"StringEquals\": {\"${Any}:sub\": \"system:serviceaccount:shop:api\"}}}]}'\n"), "", 1},
		{"a stack", "s.yaml", trusted("{Federated: !Sub 'arn:aws:iam::${AWS::AccountId}:oidc-provider/token.actions.githubusercontent.com'}", "          Condition: {StringEquals: {'token.actions.githubusercontent.com:aud': sts.amazonaws.com}}\n"), "critical 11", 0},
		{"a stack that asks", "s.yaml", trusted("{Federated: x}", "          Condition: {StringEquals: {'token.actions.githubusercontent.com:sub': 'repo:shop/api:ref:refs/heads/main'}}\n"), "", 0},
		{"a stack whose question nobody knows", "s.yaml", trusted("{Federated: x}", "          Condition: {StringEquals: {'token.actions.githubusercontent.com:sub': !Ref Any}}\n"), "", 1},
	})
	inCloud(t, "VI-AWS-002", "aws_iam_role", []cloudCase{
		{"anybody", "a.tf", trusting("sts:AssumeRole", "      type = \"AWS\"\n      identifiers = [\"*\"]\n", ""), "critical 5", 0},
		{"anybody with an external id", "a.tf", trusting("sts:AssumeRole", "      type = \"AWS\"\n      identifiers = [\"*\"]\n", "    condition {\n      test = \"StringEquals\"\n      variable = \"sts:ExternalId\"\n      values = [\"x\"]\n    }\n"), "", 0},
		{"an account", "a.tf", trusting("sts:AssumeRole", "      type = \"AWS\"\n      identifiers = [\"111122223333\"]\n", ""), "", 0},
		{"unknown", "", "assume_role_policy = var.x", "", 1},
		{"as JSON", "", `assume_role_policy = "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":\"*\"}]}"`, "critical 3", 0},
		{"a stack", "s.yaml", trusted("'*'", ""), "critical 11", 0},
		{"a stack that names a role of its own", "s.yaml", trusted("{AWS: !GetAtt Other.Arn}", ""), "", 0},
	})
	all := "policy = jsonencode({Statement = [{Effect = \"Allow\", Action = [\"s3:*\", \"%s\"], Resource = \"*\"}]})"
	inCloud(t, "VI-AWS-003", "aws_iam_policy", []cloudCase{
		{"all", "", replaced(all, "*"), "high 3", 0},
		{"identities", "", replaced(all, "iam:*"), "high 3", 0},
		{"one service", "", replaced(all, "sqs:*"), "", 0},
		{"of one resource", "", "policy = jsonencode({Statement = [{Effect = \"Allow\", Action = \"*\", Resource = aws_s3_bucket.b.arn}]})\n}\nresource \"aws_s3_bucket\" \"b\" {", "", 0},
		{"unknown", "", "policy = jsonencode({Statement = [{Effect = \"Allow\", Action = var.x, Resource = \"*\"}]})", "", 1},
		{"attached", "a.tf", "resource \"aws_iam_role_policy_attachment\" \"r\" {\n  policy_arn = \"arn:aws:iam::aws:policy/AdministratorAccess\"\n}\n", "high 2", 0},
		{"inline in a stack", "s.yaml", cfnOf("AWS::IAM::Role", "      Policies:\n      - PolicyName: x\n        PolicyDocument:\n          Statement:\n          - {Effect: Allow, Action: '*', Resource: '*'}\n"), "high 13", 0},
	})
	inCloud(t, "VI-AWS-004", "aws_iam_access_key", []cloudCase{
		{"it is there", "", "user = \"u\"", "medium 2", 0},
		{"it is off", "", "status = \"Inactive\"", "", 0},
		{"unknown", "", "status = var.x", "", 1},
	})
}

func TestCloudRulesOfAWS(t *testing.T) {
	inCloud(t, "VI-AWS-005", "aws_lambda_function_url", []cloudCase{
		{"anybody", "", "authorization_type = \"NONE\"", "high 3", 0},
		{"who is known", "", "authorization_type = \"AWS_IAM\"", "", 0},
		{"unknown", "", "authorization_type = var.x", "", 1},
		{"a stack", "s.yaml", cfnOf("AWS::Lambda::Url", "      AuthType: NONE\n"), "high 9", 0},
		{"a function without an address", "s.yaml", cfnOf("AWS::Serverless::Function", "      Runtime: go\n"), "", 0},
		{"a function with one", "s.yaml", cfnOf("AWS::Serverless::Function", "      FunctionUrlConfig:\n        AuthType: NONE\n"), "high 10", 0},
		{"a stack by a default", "s.yaml", cfnOf("AWS::Lambda::Url", "      AuthType: !Ref None\n"), "high 9", 0},
		{"a stack by a parameter", "s.yaml", cfnOf("AWS::Lambda::Url", "      AuthType: !Ref Any\n"), "", 1},
	})
	inCloud(t, "VI-AWS-006", "aws_sqs_queue_policy", []cloudCase{
		{"everybody", "", "policy = jsonencode({Statement = [{Effect = \"Allow\", Action = \"sqs:SendMessage\", Principal = \"*\", Resource = \"*\"}]})", "high 3", 0},
		{"of an organisation", "", "policy = jsonencode({Statement = [{Effect = \"Allow\", Action = \"sqs:SendMessage\", Principal = \"*\", Resource = \"*\", Condition = {StringEquals = {\"aws:PrincipalOrgID\" = \"o\"}}}]})", "", 0},
		{"nobody", "", "policy = jsonencode({Statement = [{Effect = \"Deny\", Action = \"sqs:SendMessage\", Principal = \"*\", Resource = \"*\"}]})", "", 0},
		{"unknown", "", "policy = var.x", "", 1},
		{"a function", "a.tf", "resource \"aws_lambda_permission\" \"r\" {\n  principal = \"*\"\n}\n", "high 2", 0},
		{"a function for one account", "a.tf", "resource \"aws_lambda_permission\" \"r\" {\n  principal = \"*\"\n  source_account = \"1\"\n}\n", "", 0},
		{"a stack", "s.yaml", cfnOf("AWS::S3::BucketPolicy", "      PolicyDocument:\n        Statement:\n        - {Effect: Allow, Action: 's3:GetObject', Principal: {AWS: '*'}, Resource: '*'}\n"), "high 11", 0},
	})
	inCloud(t, "VI-AWS-007", "aws_cloudtrail", []cloudCase{
		{"absent", "", "name = \"t\"", "", 0},
		{"off", "", "enable_logging = false", "high 3", 0},
		{"on", "", "enable_logging = true", "", 0},
		{"unknown", "", "enable_logging = var.x", "", 1},
		{"a stack", "s.yaml", cfnOf("AWS::GuardDuty::Detector", "      Enable: false\n"), "high 9", 0},
	})
	group := func(from, to, protocol, network string) string {
		return "ingress {\n  from_port = " + from + "\n  to_port = " + to + "\n  protocol = \"" + protocol + "\"\n  cidr_blocks = [\"10.0.0.0/8\", " + network + "]\n}"
	}
	inCloud(t, "VI-AWS-008", "aws_security_group", []cloudCase{
		{"a database", "", group("5432", "5432", "tcp", `"0.0.0.0/0"`), "high 7", 0},
		{"a range", "", group("9000", "9300", "tcp", `"0.0.0.0/0"`), "high 7", 0},
		{"a web server", "", group("443", "443", "tcp", `"0.0.0.0/0"`), "", 0},
		{"what the library asks for", "", group("0", "65535", "tcp", `"0.0.0.0/0"`), "", 0},
		{"a network", "", group("5432", "5432", "tcp", `"192.168.0.0/16"`), "", 0},
		{"unknown", "", group("5432", "5432", "tcp", `var.x`), "", 1},
		{"a rule apart", "a.tf", "resource \"aws_vpc_security_group_ingress_rule\" \"r\" {\n  from_port = 6379\n  to_port = 6379\n  ip_protocol = \"tcp\"\n  cidr_ipv4 = \"0.0.0.0/0\"\n}\n", "high 5", 0},
		{"a rule out", "a.tf", "resource \"aws_security_group_rule\" \"r\" {\n  type = \"egress\"\n  from_port = 6379\n  to_port = 6379\n  protocol = \"tcp\"\n  cidr_blocks = [\"0.0.0.0/0\"]\n}\n", "", 0},
		{"a stack", "s.yaml", cfnOf("AWS::EC2::SecurityGroup", "      SecurityGroupIngress:\n      - {IpProtocol: tcp, FromPort: 3306, ToPort: '3306', CidrIp: 0.0.0.0/0}\n"), "high 10", 0},
	})
	inCloud(t, "VI-AWS-009", "aws_redshift_cluster", []cloudCase{
		{"absent", "", "cluster_identifier = \"c\"", "", 0},
		{"public", "", "publicly_accessible = true", "high 3", 0},
		{"public by itself", "s.yaml", cfnOf("AWS::DMS::ReplicationInstance", "      EngineVersion: '3'\n"), "high 6", 0},
		{"unknown", "", "publicly_accessible = var.x", "", 1},
	})
	inCloud(t, "VI-AWS-010", "aws_db_proxy", []cloudCase{
		{"absent", "", "name = \"c\"", "medium 2", 0},
		{"safe", "", "require_tls = true", "", 0},
		{"unknown", "", "require_tls = var.x", "", 1},
		{"FTP", "a.tf", "resource \"aws_transfer_server\" \"r\" {\n  protocols = [\"SFTP\", \"FTP\"]\n}\n", "high 2", 0},
		{"SFTP", "a.tf", "resource \"aws_transfer_server\" \"r\" {\n  protocols = [\"SFTP\"]\n}\n", "", 0},
	})
}
