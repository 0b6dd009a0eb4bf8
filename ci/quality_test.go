package ci

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The labelled set is made here, from patterns, when the test runs: no text that looks
// like a secret lies in the repository.

// labelled is one file and whether somebody has to act on it.
type labelled struct{ name, path, text string }

// maker makes values that look like secrets, always the same ones.
type maker struct{ *rand.Rand }

func (m maker) of(letters string, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = letters[m.IntN(len(letters))]
	}
	return string(out)
}

const (
	digits   = "0123456789"
	lowers   = "abcdefghijklmnopqrstuvwxyz"
	uppers   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	hexes    = "0123456789abcdef"
	alphanum = lowers + uppers + digits
)

// services are values that a service issued, by the form that it gives them.
func (m maker) services() []labelled {
	return []labelled{
		{"an AWS access key id", "a.py", `client(aws_id="` + "AK" + "IA" + m.of("QYLPMN5H3JX2ZK", 16) + `")`},
		{"an AWS secret access key", "credentials", "aws_secret_access_key = " + m.of(alphanum+"/+", 40) + "\n"},
		{"a GitHub token", "ci.sh", "curl -H 'Authorization: " + "gh" + "p_" + m.of(alphanum, 36) + "'"},
		{"a fine-grained GitHub token", "a.txt", "github" + "_pat_" + m.of(alphanum, 82) + "\n"},
		{"a GitLab token", "a.yml", "token: " + "glp" + "at-" + m.of(alphanum, 20) + "\n"},
		{"a Slack bot token", "bot.js", "const t = '" + "xo" + "xb-" + m.of(digits, 12) + "-" + m.of(digits, 12) + "-" + m.of(alphanum, 24) + "'"},
		{"a Slack webhook", "a.txt", "https://hooks" + ".slack.com/services/T" + m.of(uppers, 8) + "/B" + m.of(uppers, 8) + "/" + m.of(alphanum, 24) + "\n"},
		{"a Stripe key", "pay.rb", "Stripe.key = '" + "sk_" + "live_" + m.of(alphanum, 24) + "'"},
		{"a SendGrid token", "mail.go", `k := "` + "SG" + "." + m.of(lowers+digits, 22) + "." + m.of(lowers+digits, 43) + `"`},
		{"a Google API key", "map.html", `src="https://maps.example/js?x=` + "AI" + "za" + m.of(alphanum, 35) + `"`},
		{"an Azure client secret", "app.json", `{"clientSecret": "` + m.of(alphanum, 3) + "8Q~" + m.of(alphanum, 34) + `"}`},
		{"an Azure storage key", "app.json", `"AccountKey=` + m.of(alphanum+"+/", 86) + `=="`},
		{"an npm token", "publish.sh", "npm config set x " + "npm" + "_" + m.of(alphanum, 36) + "\n"},
		{"a PyPI token", "a.cfg", "x = " + "pypi-" + "AgEIcHlwaS5vcmc" + m.of(alphanum, 60) + "\n"},
		{"a Vault token", "a.sh", "export V=" + "hv" + "s." + m.of(alphanum, 95) + "\n"},
		{"a Databricks token", "a.py", `t = "` + "da" + "pi" + m.of(hexes, 32) + `"`},
		{"a DigitalOcean token", "a.tf", `token = "` + "dop" + "_v1_" + m.of(hexes, 64) + `"`},
		{"a New Relic key", "a.js", `new_relic_key = "` + "NR" + "AK-" + m.of(lowers+digits, 27) + `"`},
		{"a Grafana token", "a.sh", "T=" + "gl" + "sa_" + m.of(alphanum, 32) + "_" + m.of(hexes, 8) + "\n"},
		{"a Linear key", "a.ts", `const k = "` + "lin" + "_api_" + m.of(alphanum, 40) + `"`},
		{"a Doppler token", "a.sh", "T=" + "dp" + ".pt." + m.of(alphanum, 43) + "\n"},
		{"a Shopify token", "a.rb", `t = "` + "shp" + "at_" + m.of(hexes, 32) + `"`},
		{"an age key", "key.txt", "AGE-SECRET" + "-KEY-1" + m.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58) + "\n"},
		{"a web token", "a.http", "Cookie: s=" + m.jwt() + "\n"},
	}
}

func (m maker) jwt() string {
	part := func(v any) string {
		text, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + part(map[string]string{"sub": m.of(digits, 10), "name": "Ada Example"}) + "." + m.of(alphanum, 43)
}

// assignments are values that only their name gives away, and files of a known form.
func (m maker) assignments(t *testing.T) []labelled {
	key := func(kind string) string { text, _ := pemOf(t, kind); return text }
	value := func() string { return m.of(alphanum, 28) }
	return []labelled{
		{"a key in Python", "a.py", "API_KEY = '" + value() + "'\n"},
		{"a key in JSON", "a.json", `{"apiKey": "` + value() + `"}`},
		{"a secret in YAML", "a.yaml", "client_secret: " + value() + "\n"},
		{"a password in properties", "a.properties", "db.password=" + value() + "\n"},
		{"a token in a command", "a.sh", "deploy --token=" + value() + " --now\n"},
		{"a key in Go", "a.go.txt", `	accessKey := "` + value() + `"` + "\n"},
		{"a short password in an environment file", ".env", "DB_PASSWORD=" + m.of(alphanum+"&!", 12) + "\n"},
		{"an exported secret", "prod.env", "export SESSION_SECRET='" + m.of(alphanum, 14) + "'\n"},
		{"a database address", "a.toml", `url = "postgres://app:` + value() + `@db.acme.example/app"`},
		{"a message broker's address", "a.toml", `url = "amqps://app:` + value() + `@mq.acme.example"`},
		{"a shared access key", "a.json", `"Endpoint=sb://x/;SharedAccessKeyName=r;SharedAccessKey=` + m.of(alphanum+"+/", 43) + `="`},
		{"a registry login", ".docker/config.json", `{"auths": {"r": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("ci:"+value())) + `"}}}`},
		{"an npm login", ".npmrc", "//npm.acme.example/:_authToken=" + value() + "\n"},
		{"an npm password", ".npmrc", "_password = " + base64.StdEncoding.EncodeToString([]byte(m.of(alphanum, 9))) + "\n"},
		{"a Kubernetes secret", "s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  password: " + base64.StdEncoding.EncodeToString([]byte(value())) + "\n"},
		{"a kubeconfig", "config", "kind: Config\nclusters: []\nusers:\n- name: a\n  user: {token: " + value() + "}\n"},
		{"a Terraform state", "a.tfstate", `{"version": 4, "resources": [{"type": "db", "instances": [{"attributes": {"password": "` + m.of(alphanum, 9) + `"}}]}]}`},
		{"an RSA key", "k.pem", key("RSA PRIVATE KEY")},
		{"an EC key", "k.pem", key("EC PRIVATE KEY")},
		{"a PKCS #8 key", "k.key", key("PRIVATE KEY")},
		{"an encrypted key", "k.key", key("ENCRYPTED PRIVATE KEY")},
		{"an OpenSSH key", "id_ed25519", key("OPENSSH PRIVATE KEY")},
		{"a key in a string", "a.json", fmt.Sprintf(`{"k": %q}`, key("EC PRIVATE KEY"))},
		{"a notebook", "a.ipynb", fmt.Sprintf(`{"cells": [{"source": ["token = \"%s\"\n"]}]}`, value())},
		{"a Java key store", "prod.dat", jks(1)},
		{"a login in a command", "a.sh", "curl -u ada:" + value() + " https://acme.example/\n"},
	}
}

// hidden are some of the others behind encodings.
func (m maker) hidden(plain []labelled) []labelled {
	var all []labelled
	for i, p := range plain {
		if p.path == "prod.dat" || strings.HasPrefix(p.path, ".") || strings.HasSuffix(p.path, ".yaml") || i%3 != 0 {
			continue
		}
		var text string
		switch i % 4 {
		case 0:
			text = "data: " + base64.StdEncoding.EncodeToString([]byte(p.text+"\n"))
		case 1:
			text = "x=" + hex.EncodeToString([]byte(p.text+"\n"))
		case 2:
			text = "https://acme.example/?q=" + url.PathEscape(p.text+"\n")
		default:
			text = "blob: " + base64.RawURLEncoding.EncodeToString([]byte(hex.EncodeToString([]byte(p.text+"\n"))))
		}
		all = append(all, labelled{p.name + ", encoded", "values.txt", text + "\n"})
	}
	return all
}

// harmless are texts that look like secrets and are none.
func (m maker) harmless(t *testing.T) []labelled {
	uuid := func() string {
		return m.of(hexes, 8) + "-" + m.of(hexes, 4) + "-4" + m.of(hexes, 3) + "-a" + m.of(hexes, 3) + "-" + m.of(hexes, 12)
	}
	b64 := func(n int) string {
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(m.IntN(256))
		}
		return base64.StdEncoding.EncodeToString(raw)
	}
	lines := strings.Split(strings.TrimSpace(`
api_key = os.environ["API_KEY"]
api_key = "<your-api-key>"
apiKey: "YOUR_API_KEY_HERE"
password: "changeme"
password = "********"
token: ${TOKEN}
token: "{{ .Values.token }}"
token: ${{ secrets.DEPLOY_TOKEN }}
secret = "xxxxxxxxxxxxxxxxxxxxxxxx"
secretName: my-application-tls
secretKeyRef: {name: database, key: password}
password VARCHAR(255) NOT NULL
<input type="password" name="password" placeholder="Password">
"password": "The password must have eight characters"
token_type: Bearer
access_token_url: https://login.acme.example/oauth2/token
auth_method = certificate
key: ${{ runner.os }}-go-${{ hashFiles('**/go.sum') }}
func TokenFromContext(ctx context.Context) (Token, error)
variable "admin_password" { type = string }
postgres://app:${PASSWORD}@db.acme.example/app
postgres://db.acme.example:5432/app
api_key=null
PASSWORD_MIN_LENGTH=12
primary_key = ["id", "created_at"]
keyboard: qwerty, layout: us-international
author = "Ada Example <ada@acme.example>"
if password == "" { return errNoPassword }
const TOKEN_REFRESH_INTERVAL = 3600000
curl -H "Authorization: Bearer $TOKEN" https://acme.example
export API_TOKEN="$(vault read -field=token secret/ci)"
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
mysql://user:password@localhost/db`), "\n")
	var all []labelled
	for _, l := range lines {
		all = append(all, labelled{l, "a.yaml", l + "\n"})
	}
	return append(all, []labelled{
		{"a commit", "notes.md", "fixed in " + m.of(hexes, 40) + "\n"},
		{"a SHA-256", "a.txt", m.of(hexes, 64) + "  verdict.tar.gz\n"},
		{"an MD5", "a.txt", "md5: " + m.of(hexes, 32) + "\n"},
		{"an image by digest", "Dockerfile", "FROM debian@sha256:" + m.of(hexes, 64) + "\n"},
		{"a UUID", "a.json", `{"id": "` + uuid() + `"}`},
		{"a tenant", "a.json", `{"tenantId": "` + uuid() + `", "subscription": "` + uuid() + `"}`},
		{"a lockfile's integrity", "bun.lock", `"integrity": "sha512-` + b64(64) + `"`},
		{"a module's sum", "sums.txt", "golang.org/x/mod v0.1.0 h1:" + b64(32) + "\n"},
		{"an integrity attribute", "a.html", `<script src="a.js" integrity="sha384-` + b64(48) + `"></script>`},
		{"an image in a page", "a.css", "background: url(data:image/png;base64," + b64(600) + ")\n"},
		{"text in base64", "a.txt", base64.StdEncoding.EncodeToString([]byte("The quick brown fox jumps over the lazy dog, many times a day.")) + "\n"},
		{"text in hex", "a.txt", hex.EncodeToString([]byte("The quick brown fox jumps over the lazy dog, many times a day.")) + "\n"},
		{"an encoded address", "a.md", "https://acme.example/search?q=how%20to%20rotate%20a%20key%20%26%20token\n"},
		{"a public key", "k.pub", "-----BEGIN PUBLIC KEY-----\n" + b64(90) + "\n-----END PUBLIC KEY-----\n"},
		{"a certificate", "c.pem", "-----BEGIN CERTIFICATE-----\n" + b64(600) + "\n-----END CERTIFICATE-----\n"},
		{"an SSH public key", "authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + m.of(alphanum, 43) + " ada@acme.example\n"},
		{"a fingerprint", "a.txt", "SHA256:" + m.of(alphanum, 43) + " ada@acme.example (ED25519)\n"},
		{"a trust store", "cacerts", jks(2, 2)},
		{"an environment file's example", ".env.example", "DB_PASSWORD=" + m.of(lowers, 12) + "\n"},
		{"an environment file without secrets", ".env", "LOG_LEVEL=debug\nTOKEN_URL=https://acme.example/token\nAPI_KEY=\nPASSWORD=${PASSWORD}\n"},
		{"an npm configuration", ".npmrc", "registry=https://npm.acme.example/\n//npm.acme.example/:_authToken=${NPM_TOKEN}\nalways-auth=true\n"},
		{"a state without secrets", "a.tfstate", `{"version": 4, "resources": [{"instances": [{"attributes": {"password": null, "secret_name": "database", "key_id": "` + uuid() + `"}}]}]}`},
		{"a kubeconfig with a program", "config", "kind: Config\nclusters: []\nusers:\n- name: a\n  user: {exec: {command: kubelogin, args: [get-token]}}\n"},
		{"a notebook", "a.ipynb", `{"cells": [{"source": ["token = os.environ[\"TOKEN\"]\n"], "outputs": [{"data": {"image/png": "` + b64(300) + `"}}]}]}`},
		{"a source map", "a.js.map", `{"version": 3, "mappings": "` + strings.Repeat("AAAA,SAASA,CAAC;", 30) + `"}`},
		{"long names", "a.java", "AbstractAuthenticationTokenProviderFactoryBean accessTokenResponseHandlerInterceptorRegistry;\n"},
		{"a serial number", "a.txt", "serial = " + m.of(digits, 24) + "\n"},
		{"AWS's example", "a.md", "aws_secret_access_key = " + m.of(alphanum, 30) + "EXAMPLEKEY\n"},
		{"colours", "a.css", "a { color: #" + m.of(hexes, 6) + "; background: #" + m.of(hexes, 8) + " }\n"},
	}...)
}

// atLeast is what the labelled set has to show: of 100 secrets, and of 100 hits.
const (
	leastRecall    = 97
	leastPrecision = 95
)

// What a user loses when this fails: secrets that are not found, or the trust in those
// that are.
func TestQualityOnTheLabelledSet(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(11, 12))}
	secrets := append(m.services(), m.assignments(t)...)
	secrets = append(secrets, m.hidden(secrets)...)
	harmless := m.harmless(t)
	found := func(l labelled) []string {
		r := searched(t, map[string]string{l.path: l.text}, SecretsOptions{})
		var all []string
		for _, h := range r.Hits {
			all = append(all, h.Detector)
		}
		return all
	}
	right, wrong := 0, 0
	for _, l := range secrets {
		if len(found(l)) > 0 {
			right++
		} else {
			t.Logf("missed: %s", l.name)
		}
	}
	for _, l := range harmless {
		if by := found(l); len(by) > 0 {
			wrong++
			slices.Sort(by)
			t.Logf("wrong: %s, by %v", l.name, by)
		}
	}
	recall, precision := 100*right/len(secrets), 100*right/(right+wrong)
	t.Logf("%d secrets, %d harmless texts: recall %d %%, precision %d %%", len(secrets), len(harmless), recall, precision)
	if recall < leastRecall || precision < leastPrecision || len(secrets) < 60 || len(harmless) < 60 {
		t.Errorf("recall %d %% (at least %d), precision %d %% (at least %d)", recall, leastRecall, precision, leastPrecision)
	}
}
