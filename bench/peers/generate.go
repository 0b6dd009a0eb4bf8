package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// size is how much of what a generated monorepo holds.
type size struct{ files, locks, terraform, platform int }

var monorepo = size{files: 20_000, locks: 60, terraform: 300, platform: 80}

// maker writes one tree. Chance comes from a fixed seed: every machine gets the same
// bytes, so that figures and findings of two days can be compared.
type maker struct {
	root  string
	rand  *rand.Rand
	files int
	err   error // the first that happened; nothing is written after it
}

// generate writes a monorepo: sources of several languages, lockfiles of many ecosystems
// with vulnerable versions among others, infrastructure code with bad settings, planted
// secrets.
func generate(root string, s size) error {
	m := &maker{root: root, rand: rand.New(rand.NewPCG(7, 11))}
	for i := range s.locks {
		m.lock(i)
	}
	for i := range s.terraform {
		m.terraform(i)
	}
	for i := range s.platform {
		m.platform(i)
	}
	for i := range 24 {
		m.secret(i)
	}
	for i := 0; m.files < s.files && m.err == nil; i++ {
		m.source(i)
	}
	return m.err
}

func (m *maker) put(path, text string) {
	if m.err != nil {
		return
	}
	m.files++
	full := filepath.Join(m.root, filepath.FromSlash(path))
	if m.err = os.MkdirAll(filepath.Dir(full), 0o755); m.err == nil {
		m.err = os.WriteFile(full, []byte(text), 0o644)
	}
}

var words = strings.Fields("account address amount audit balance batch buffer cache channel client cluster config context counter customer " +
	"delivery device document domain event export factory field filter folder gateway group handler header history import index input invoice " +
	"item journal kernel label ledger limit listener locale manager market message metric module network notice number object offer option order " +
	"packet parser partner payment period person pipeline policy price process product profile project queue range record region report request " +
	"result route rule sample schedule schema segment sender series service session shipment signal source stage state storage stream subject " +
	"supplier table target task tenant ticket timer topic transfer trigger update user value vendor version view volume wallet window worker zone")

func (m *maker) word() string { return words[m.rand.IntN(len(words))] }

// letters is text as keys have it.
func (m *maker) letters(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.rand.IntN(len(alphabet))]
	}
	return string(b)
}

const (
	alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	base2 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hexed = "0123456789abcdef"
)

// languages write one function of two words and a number; text before and after a file.
var languages = []struct{ ending, head, body, foot string }{
	{"go", "// Package part holds what the name of its folder says.\npackage part\n", "\n// %[1]s%[2]s%[3]d adds what it is given to the %[1]s.\nfunc %[1]s%[2]s%[3]d(x int) int { return x + %[3]d }\n", ""},
	{"ts", "import { base } from '../base';\n", "\n/** The %[2]s of a %[1]s. */\nexport function %[1]s_%[2]s_%[3]d(key: string, token = base): number {\n  return key.length + token + %[3]d;\n}\n", ""},
	{"py", "\"\"\"What the name of the folder says.\"\"\"\n", "\n\ndef %[1]s_%[2]s_%[3]d(value, secret=None):\n    \"\"\"The %[2]s of a %[1]s.\"\"\"\n    return value + %[3]d\n", ""},
	{"java", "package org.example.part;\n\npublic final class Part {\n", "    /** The %[2]s of a %[1]s. */\n    public static int %[1]s%[2]s%[3]d(int password) {\n        return password + %[3]d;\n    }\n\n", "}\n"},
	{"md", "# What this is\n", "\nThe %[2]s of a %[1]s is kept for %[3]d days, and its key is never written down.\n", ""},
	{"yaml", "kind: settings\n", "%[1]s_%[2]s_%[3]d:\n  limit: %[3]d\n  name: %[2]s of the %[1]s\n", ""},
	{"json", "{\n", "  \"%[1]s_%[2]s_%[3]d\": {\"limit\": %[3]d, \"name\": \"%[2]s\"},\n", "  \"end\": true\n}\n"},
}

func (m *maker) source(i int) {
	l := languages[m.rand.IntN(len(languages))]
	var b strings.Builder
	b.WriteString(l.head)
	for range 4 + m.rand.IntN(40) {
		fmt.Fprintf(&b, l.body, m.word(), m.word(), m.rand.IntN(9000))
	}
	b.WriteString(l.foot)
	m.put(fmt.Sprintf("services/s%02d/%s/%s_%d.%s", i%50, m.word(), m.word(), i, l.ending), b.String())
}

// secret plants one key as people leave them behind. They are put together here so that
// this file holds none.
func (m *maker) secret(i int) {
	where := fmt.Sprintf("services/s%02d/deploy", i%50)
	switch i % 6 {
	case 0:
		m.put(where+"/ci.sh", "#!/bin/sh\nset -e\nexport GITHUB_TOKEN="+"ghp_"+m.letters(alnum, 36)+"\ngit push\n")
	case 1:
		m.put(where+"/settings.py", "REGION = 'eu-west-1'\nAWS_ACCESS_KEY_ID = '"+"AKIA"+m.letters(base2, 16)+"'\n")
	case 2:
		m.put(where+"/notify.js", "const hook = {\n  slack: \""+"xoxb-"+m.letters("0123456789", 12)+"-"+m.letters("0123456789", 12)+"-"+m.letters(alnum, 24)+"\",\n};\n")
	case 3:
		var key strings.Builder
		for range 12 {
			key.WriteString(m.letters(alnum+"+/", 64) + "\n")
		}
		m.put(where+"/id_rsa", "-----BEGIN RSA "+"PRIVATE KEY-----\n"+key.String()+"-----END RSA "+"PRIVATE KEY-----\n")
	case 4:
		m.put(where+"/app.properties", "name=shop\napi.key="+m.letters(hexed, 32)+"\nstripe="+"sk_live_"+m.letters(alnum, 24)+"\n")
	case 5:
		m.put(where+"/values.yaml", "image: shop\ngitlab:\n  token: "+"glpat-"+m.letters(alnum, 20)+"\n")
	}
}

// terraform writes one file of a module; every third has something wrong.
func (m *maker) terraform(i int) {
	name, bad := fmt.Sprintf("r%d", i), i%3 == 0
	var b strings.Builder
	fmt.Fprintf(&b, "variable \"name_%s\" {\n  type    = string\n  default = %q\n}\n\n", name, m.word())
	switch {
	case bad && i%2 == 0:
		fmt.Fprintf(&b, "resource \"aws_s3_bucket\" \"%[1]s\" {\n  bucket = var.name_%[1]s\n}\n\nresource \"aws_s3_bucket_acl\" \"%[1]s\" {\n  bucket = aws_s3_bucket.%[1]s.id\n  acl    = \"public-read\"\n}\n", name)
	case bad:
		fmt.Fprintf(&b, "resource \"aws_security_group\" \"%s\" {\n  name        = %q\n  description = \"opens\"\n  ingress {\n    description = \"all\"\n    from_port   = 22\n    to_port     = 22\n    protocol    = \"tcp\"\n    cidr_blocks = [\"0.0.0.0/0\"]\n  }\n}\n", name, name)
	case i%3 == 1:
		fmt.Fprintf(&b, "resource \"aws_sqs_queue\" \"%[1]s\" {\n  name                    = var.name_%[1]s\n  sqs_managed_sse_enabled = true\n}\n", name)
	default:
		fmt.Fprintf(&b, "resource \"azurerm_storage_account\" \"%[1]s\" {\n  name                     = var.name_%[1]s\n  resource_group_name      = \"shop\"\n  location                 = \"westeurope\"\n  account_tier             = \"Standard\"\n  account_replication_type = \"LRS\"\n  min_tls_version          = \"TLS1_2\"\n}\n", name)
	}
	m.put(fmt.Sprintf("infra/m%02d/%s_%d.tf", i/10, m.word(), i), b.String())
}

// platform writes one file of what containers and clouds are set up by other than by
// Terraform; every second has something wrong.
func (m *maker) platform(i int) {
	name, bad := fmt.Sprintf("%s-%d", m.word(), i), i%2 == 0
	either := func(wrong, right string) string {
		if bad {
			return wrong
		}
		return right
	}
	at := fmt.Sprintf("platform/p%02d/", i/4)
	secure := "\n        securityContext:\n          allowPrivilegeEscalation: false\n          readOnlyRootFilesystem: true\n          runAsNonRoot: true\n          capabilities: {drop: [ALL]}"
	pod := func(indent string) string {
		text := "containers:\n      - name: app\n        image: registry.example.com/" + name + ":1.0." + fmt.Sprint(i) + either("\n        securityContext:\n          privileged: true", secure)
		return strings.ReplaceAll(text, "\n", "\n"+indent)
	}
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name + "\nspec:\n  selector:\n    matchLabels: {app: " + name + "}\n  template:\n    metadata:\n      labels: {app: " + name + "}\n    spec:\n      " + pod("") + "\n"
	switch i % 8 {
	case 0, 1:
		m.put(at+name+".yaml", deployment)
	case 2, 3:
		service := "apiVersion: v1\nkind: Service\nmetadata:\n  name: " + name + "\nspec:\n  selector: {app: " + name + "}\n  ports: [{port: 80}]\n"
		m.put(at+name+"-all.yaml", service+"---\n"+deployment)
	case 4, 5:
		m.put(at+name+"/Dockerfile", "FROM registry.example.com/base"+either(":latest", ":1.2.3")+"\nRUN adduser -D app\nCOPY app /app\n"+either("USER root", "USER app")+"\nHEALTHCHECK CMD /app --healthy\nENTRYPOINT [\"/app\"]\n")
	case 6:
		m.put(at+name+".template.yaml", "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Logs:\n    Type: AWS::S3::Bucket\n    Properties:\n      AccessControl: PublicRead\n  Open:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      GroupDescription: opens\n      SecurityGroupIngress:\n        - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}\n")
	default:
		m.put(at+name+".json", `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","resources":[
{"type":"Microsoft.Storage/storageAccounts","apiVersion":"2021-02-01","name":"`+name+`","location":"westeurope","properties":{"supportsHttpsTrafficOnly":`+fmt.Sprint(i%16 != 7)+`}}]}`+"\n")
	}
}
