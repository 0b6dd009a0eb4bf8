package registry

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"verdict"
)

// hub is where the images of docker.io are, and hubKey what Docker's configuration calls it.
const (
	hub    = "registry-1.docker.io"
	hubKey = "https://index.docker.io/v1/"
)

// credentials are what one registry, and no other, is shown.
type credentials struct {
	user, password string
	refresh        string // an identity token, instead of a password
}

func (c credentials) none() bool { return c == credentials{} }

// maxDockerConfig bounds a config.json, and what a helper answers.
const maxDockerConfig = 1 << 20

// helperName is what may stand behind docker-credential-.
var helperName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// credentialsFor reads those that Docker's configuration in dir keeps for exactly this
// host. None is no error: many registries let anybody read. The environment, cloud
// metadata and other ambient sources are not asked: the host is what somebody typed.
func credentialsFor(ctx context.Context, dir, host string) (credentials, error) {
	if dir == "" {
		return credentials{}, nil
	}
	file := filepath.Join(dir, "config.json")
	unusable := func(err error) error {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("the credentials for %s cannot be read from %s", host, file),
			Remedy: "run `docker login " + host + "` again, or name another folder in DOCKER_CONFIG", Err: err,
		}
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return credentials{}, nil
	} else if err != nil {
		return credentials{}, unusable(err)
	} else if !info.Mode().IsRegular() || info.Size() > maxDockerConfig {
		return credentials{}, unusable(fmt.Errorf("it is no file of at most %d bytes", maxDockerConfig))
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return credentials{}, unusable(err)
	}
	var config dockerConfig
	if err := json.Unmarshal(raw, &config); err != nil {
		return credentials{}, unusable(err)
	}
	c, err := config.find(ctx, host)
	if err != nil {
		return credentials{}, unusable(err)
	}
	return c, nil
}

// dockerConfig is the part of Docker's configuration that keeps credentials.
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"`
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
	} `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers"`
	CredsStore  string            `json:"credsStore"`
}

// keysOf are the names under which a host may stand, the usual one first.
func keysOf(host string) []string {
	if host == hub || host == "docker.io" {
		return []string{hubKey, "index.docker.io", "docker.io"}
	}
	return []string{host, "https://" + host, "https://" + host + "/", "https://" + host + "/v1/", "https://" + host + "/v2/"}
}

func (d dockerConfig) find(ctx context.Context, host string) (credentials, error) {
	keys := keysOf(host)
	for _, k := range keys {
		if name, ok := d.CredHelpers[k]; ok {
			return helper(ctx, name, keys[0])
		}
	}
	for _, k := range keys {
		a, ok := d.Auths[k]
		if !ok {
			continue
		}
		c := credentials{a.Username, a.Password, a.IdentityToken}
		if a.Auth != "" {
			b, err := base64.StdEncoding.DecodeString(a.Auth)
			user, password, ok := strings.Cut(strings.TrimRight(string(b), "\x00"), ":")
			if err != nil || !ok {
				return credentials{}, errors.New("auth is not base64 of user:password")
			}
			c.user, c.password = user, password
		}
		if !c.none() {
			return c, nil
		}
	}
	if d.CredsStore != "" {
		return helper(ctx, d.CredsStore, keys[0])
	}
	return credentials{}, nil
}

// helper asks a credential helper (docker-credential-NAME get). One that knows nothing of
// the host is no error.
func helper(ctx context.Context, name, key string) (credentials, error) {
	if !helperName.MatchString(name) {
		return credentials{}, fmt.Errorf("%.80q is no name of a credential helper", name)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.Stdin, cmd.WaitDelay = strings.NewReader(key), time.Second
	var out bytes.Buffer
	cmd.Stdout = &capped{&out}
	if err := cmd.Run(); err != nil {
		if strings.Contains(out.String(), "credentials not found") {
			return credentials{}, nil
		}
		return credentials{}, fmt.Errorf("docker-credential-%s: %w", name, err)
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return credentials{}, fmt.Errorf("docker-credential-%s answers no JSON", name)
	}
	if got.Username == "<token>" {
		return credentials{refresh: got.Secret}, nil
	}
	return credentials{user: got.Username, password: got.Secret}, nil
}

// capped takes as much as a helper may answer.
type capped struct{ *bytes.Buffer }

func (c *capped) Write(b []byte) (int, error) {
	if c.Len()+len(b) > maxDockerConfig {
		return 0, errors.New("it answers too much")
	}
	return c.Buffer.Write(b)
}
