package deploy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text(t, path)))
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// instruction is a line of a Dockerfile, continued lines joined.
type instruction struct{ word, rest string }

// stages reads a Dockerfile; what stands before the first FROM is stage 0.
func stages(t *testing.T, path string) [][]instruction {
	t.Helper()
	known := []string{"ARG", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "USER", "VOLUME", "WORKDIR"}
	read := [][]instruction{nil}
	joined := strings.ReplaceAll(text(t, path), "\\\n", " ")
	for _, line := range strings.Split(joined, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if !slices.Contains(known, word) || strings.TrimSpace(rest) == "" {
			t.Fatalf("%s: %q is no instruction", path, line)
		}
		if word == "FROM" {
			read = append(read, nil)
		}
		read[len(read)-1] = append(read[len(read)-1], instruction{word, strings.TrimSpace(rest)})
	}
	return read
}

// The image holds the static binary and the certificates of the world, runs it as a user without rights, and asks it for
// its health. Nothing secret is built in.
func TestDockerfile_MakesASmallImageWithoutRights(t *testing.T) {
	read := stages(t, "../Dockerfile")
	if len(read) != 3 {
		t.Fatalf("%d stages", len(read)-1)
	}
	build, image := read[1], read[2]
	if image[0].rest != "scratch" {
		t.Errorf("the image is made from %s", image[0].rest)
	}
	found := func(stage []instruction, word, part string) bool {
		return slices.ContainsFunc(stage, func(i instruction) bool { return i.word == word && strings.Contains(i.rest, part) })
	}
	for _, part := range []string{"CGO_ENABLED=0", "-trimpath", "-buildvcs=false", "-s -w", "GOOS=$TARGETOS", "GOARCH=$TARGETARCH"} {
		if !found(build, "RUN", part) {
			t.Errorf("the binary is built without %s", part)
		}
	}
	for _, i := range []instruction{{"USER", "65532:65532"}, {"ENTRYPOINT", `["/xyra"]`}, {"VOLUME", `["/data"]`}, {"WORKDIR", "/data"},
		{"HEALTHCHECK", `CMD ["/xyra", "healthcheck"]`}, {"ENV", "XYRA_DATA_DIR=/data PORT=8000"}, {"COPY", "--chown=65532:65532"}, {"COPY", "/etc/ssl/certs/ca-certificates.crt"},
		{"LABEL", "org.opencontainers.image.revision="}, {"LABEL", "org.opencontainers.image.licenses=\"Apache-2.0\""}} {
		if !found(image, i.word, i.rest) {
			t.Errorf("the image has no %s %s", i.word, i.rest)
		}
	}
	secret := regexp.MustCompile(`(?i)secret|password|token|_key`)
	for _, stage := range read {
		for _, i := range stage {
			if (i.word == "ENV" || i.word == "ARG" || i.word == "COPY") && secret.MatchString(i.rest) {
				t.Errorf("%s %s looks like a secret", i.word, i.rest)
			}
		}
	}
	ignored := strings.Split(text(t, "../.dockerignore"), "\n")
	for _, path := range []string{".git", ".env", "/secrets", "/data"} {
		if !slices.Contains(ignored, path) {
			t.Errorf("%s is sent to the build", path)
		}
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(text(t, "../go.mod"))
	if version == nil || !strings.HasPrefix(read[0][0].rest, "GO_VERSION="+version[1]+".") {
		t.Errorf("built with %s, go.mod says %v", read[0][0].rest, version)
	}
}

type composed struct {
	Services map[string]struct {
		Image       string
		Build       string
		Profiles    []string
		Environment map[string]string
		Secrets     []string
		Volumes     []string
		Ports       []string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		DependsOn   map[string]struct{ Condition string }
		Healthcheck struct{ Test []string }
		Networks    map[string]map[string]string
	}
	Secrets map[string]struct{ File string }
	Volumes map[string]any
}

// Compose starts Xyra on a database that lasts, with secrets from files, and adds a second replica and a collector by profile.
func TestCompose_KeepsItsPromises(t *testing.T) {
	var c composed
	readYAML(t, "../compose.yaml", &c)
	for name, profile := range map[string][]string{"xyra": nil, "db": nil, "xyra-second": {"replicas"}, "proxy": {"replicas"}, "collector": {"telemetry"}} {
		if s, there := c.Services[name]; !there || !slices.Equal(s.Profiles, profile) {
			t.Errorf("%s: there %t, profiles %v, want %v", name, there, s.Profiles, profile)
		}
	}
	if len(c.Services) != 5 {
		t.Errorf("%d services", len(c.Services))
	}
	fixed := regexp.MustCompile(`(?i)(secret|password|key)`)
	for name, s := range c.Services {
		if strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
			t.Errorf("%s runs %q: name a version", name, s.Image)
		}
		for variable, value := range s.Environment {
			if fixed.MatchString(variable) && !strings.HasPrefix(value, "/run/secrets/") {
				t.Errorf("%s: %s=%s is no file of a secret", name, variable, value)
			}
		}
		for _, secret := range s.Secrets {
			if !strings.HasPrefix(c.Secrets[secret].File, "./secrets/") {
				t.Errorf("%s: the secret %s is in no file", name, secret)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s listens on %s, for everybody and without TLS", name, port)
			}
		}
		if name != "db" && (!s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"})) {
			t.Errorf("%s may write to its root or has capabilities", name)
		}
	}
	if len(c.Services["db"].Healthcheck.Test) == 0 || !slices.Equal(c.Services["xyra"].Healthcheck.Test, []string{"CMD", "/xyra", "healthcheck"}) {
		t.Error("nobody asks for the health of the database or of Xyra")
	}
	for name, volume := range map[string]string{"db": "db-data", "xyra": "xyra-data"} {
		if _, kept := c.Volumes[volume]; !kept || !strings.HasPrefix(c.Services[name].Volumes[0], volume+":") {
			t.Errorf("the data of %s is not kept", name)
		}
	}
	proxy := c.Services["proxy"].Networks["default"]["ipv4_address"]
	if proxy == "" || c.Services["xyra"].Environment["TRUSTED_PROXIES"] != proxy+"/32" {
		t.Errorf("the proxy is at %q, believed is %s", proxy, c.Services["xyra"].Environment["TRUSTED_PROXIES"])
	}
}

// The proxy asks each replica whether it is ready, and believes no client about its address.
func TestProxy_KnowsBothReplicas(t *testing.T) {
	config := text(t, "haproxy.cfg")
	for _, line := range []string{"option httpchk GET /ready", "server first xyra:8000", "server second xyra-second:8000", "http-request del-header X-Forwarded-For", "option forwardfor"} {
		if !strings.Contains(config, "    "+line+"\n") {
			t.Errorf("haproxy.cfg has no %q", line)
		}
	}
}

// Every pipeline of the collector is made of parts that are there.
func TestCollector_PipelinesHaveTheirParts(t *testing.T) {
	var c struct {
		Receivers, Processors, Exporters map[string]any
		Service                          struct {
			Pipelines map[string]struct{ Receivers, Processors, Exporters []string }
		}
	}
	readYAML(t, "otel-collector.yaml", &c)
	for _, kind := range []string{"traces", "metrics", "logs"} {
		p, there := c.Service.Pipelines[kind]
		if !there || len(p.Receivers) == 0 || len(p.Exporters) == 0 {
			t.Errorf("%s go nowhere", kind)
		}
		for parts, used := range map[*map[string]any][]string{&c.Receivers: p.Receivers, &c.Processors: p.Processors, &c.Exporters: p.Exporters} {
			for _, name := range used {
				if _, there := (*parts)[name]; !there {
					t.Errorf("%s use %s, which is not there", kind, name)
				}
			}
		}
	}
}
