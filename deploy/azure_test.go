package deploy_test

import (
	"regexp"
	"strings"
	"testing"
)

// Everything that the program needs on App Service is wired, nothing secret is in a setting, and no rule lets all of Azure in.
func TestBicep_WiresTheApp(t *testing.T) {
	main := text(t, "azure/main.bicep")
	for _, name := range []string{"POSTGRES_SERVER", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_OPTIONS", "AZURE_KEY_VAULT_URL", "AZURE_TENANT_ID",
		"AZURE_CLIENT_ID", "APPLICATIONINSIGHTS_CONNECTION_STRING", "WEBSITES_PORT", "TRUSTED_PROXIES"} {
		if !strings.Contains(main, "{ name: '"+name+"', value: ") {
			t.Errorf("main.bicep does not set %s", name)
		}
	}
	for _, part := range []string{"healthCheckPath: '/ready'", "value: 'sslmode=require'", "enableRbacAuthorization: true", "defaultAction: 'Deny'",
		"publicNetworkAccess: 'Disabled'", "delegatedSubnetResourceId: ", "acrUseManagedIdentityCreds: true", "httpsOnly: true"} {
		if !strings.Contains(main, part) {
			t.Errorf("main.bicep has no %s", part)
		}
	}
	for _, secret := range []string{"postgres-password", "jwt-secret-key", "first-superuser-password"} {
		if !strings.Contains(main, "name: '"+secret+"'") {
			t.Errorf("the vault does not get %s", secret)
		}
	}
	if hit := regexp.MustCompile(`0\.0\.0\.0|firewallRules|POSTGRES_PASSWORD|'SECRET_KEY'`).FindString(main); hit != "" {
		t.Errorf("main.bicep has %s", hit)
	}
}

// Templates are complete: every bracket ends, every parameter is used and every name is there. Each secret parameter is marked.
func TestBicep_IsWhole(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^(?:param|var|resource) (\w+)`)
	for _, path := range []string{"azure/main.bicep", "azure/registry.bicep"} {
		source := text(t, path)
		for _, pair := range []string{"{}", "[]", "()"} {
			if opened, ended := strings.Count(source, pair[:1]), strings.Count(source, pair[1:]); opened != ended {
				t.Errorf("%s: %d %c, %d %c", path, opened, pair[0], ended, pair[1])
			}
		}
		for _, match := range declared.FindAllStringSubmatch(source, -1) {
			used := len(regexp.MustCompile(`\b`+match[1]+`\b`).FindAllString(source, -1))
			if used < 2 && !regexp.MustCompile(`(?m)^resource `+match[1]+`\b`).MatchString(source) {
				t.Errorf("%s: %s is used nowhere", path, match[1])
			}
		}
		for _, match := range regexp.MustCompile(`(?m)^(.*)\nparam (\w*(?:[pP]assword|SecretKey))\b`).FindAllStringSubmatch(source, -1) {
			if match[1] != "@secure()" {
				t.Errorf("%s: %s is not secure", path, match[2])
			}
		}
	}
	known := declared.FindAllStringSubmatch(text(t, "azure/main.bicep"), -1)
	for _, match := range regexp.MustCompile(`(?m)^param (\w+)`).FindAllStringSubmatch(text(t, "azure/main.example.bicepparam"), -1) {
		there := false
		for _, k := range known {
			there = there || k[1] == match[1]
		}
		if !there {
			t.Errorf("main.example.bicepparam sets %s, which main.bicep has not", match[1])
		}
	}
}

// The pipeline tests before it builds, and deploys what it has pushed from the main branch alone.
func TestPipeline_TestsBuildsPushesAndDeploys(t *testing.T) {
	var p struct {
		Stages []struct {
			Stage     string
			DependsOn string `yaml:"dependsOn"`
			Condition string
			Jobs      []map[string]any
		}
	}
	readYAML(t, "../azure-pipelines.yml", &p)
	if len(p.Stages) != 3 {
		t.Fatalf("%d stages", len(p.Stages))
	}
	for i, want := range []string{"Test", "Build", "Deploy"} {
		s := p.Stages[i]
		if s.Stage != want || len(s.Jobs) == 0 {
			t.Errorf("stage %d is %s", i, s.Stage)
		}
		if i > 0 && (s.DependsOn != p.Stages[i-1].Stage || !strings.Contains(s.Condition, "refs/heads/main")) {
			t.Errorf("%s comes after %q, on %q", s.Stage, s.DependsOn, s.Condition)
		}
	}
	source := text(t, "../azure-pipelines.yml")
	for _, part := range []string{"make lint", "make test", "docker build", "docker push", "/xyra healthcheck", "/ready", "test \"$size\" -lt 40000000"} {
		if !strings.Contains(source, part) {
			t.Errorf("the pipeline never does %s", part)
		}
	}
}
