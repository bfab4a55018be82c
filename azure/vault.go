// Package azure reads an installation's secrets from an Azure Key Vault.
//
// It asks with one explicit identity: a client secret, else a federated token (workload identity), else the user-assigned
// managed identity of the client id. It never tries one after the other, and never the login of a developer: which
// identity may read which vault is then a question with one answer.
//
// A secret has versions. Those that are enabled, begun and not expired are told newest first, with the time of their
// making, so that whoever signs can wait until everybody has heard of a new one.
package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// Options say which vault, and as whom to ask it. TenantID and ClientID are needed; of the rest what is set chooses the
// identity.
type Options struct {
	VaultURL     string
	TenantID     string
	ClientID     string
	ClientSecret string       // of an app registration
	TokenFile    string       // with a federated token, renewed by the platform
	Authority    string       // https address of Entra ID; "" is the public cloud's
	Client       *http.Client // nil: the default
}

// Vault is one Key Vault, asked as one identity. It is safe for concurrent use.
type Vault struct {
	secrets  *azsecrets.Client
	url      string
	identity string // for people
}

// How patient calls are: a start that waits longer would be taken for one that hangs.
const (
	tryTimeout = 10 * time.Second
	triesAfter = 2 // after the first
	retryDelay = 500 * time.Millisecond
)

// ErrNoSecret is the answer of a vault that has no secret of the name.
var ErrNoSecret = errors.New("the vault has no such secret")

// Open checks the options; it asks nobody yet.
func Open(o Options) (*Vault, error) {
	address, err := url.Parse(o.VaultURL)
	if err != nil || address.Scheme != "https" || address.Host == "" || strings.Trim(address.Path, "/") != "" {
		return nil, fmt.Errorf("AZURE_KEY_VAULT_URL=%q cannot be used: write the vault's address, such as https://name.vault.azure.net", o.VaultURL)
	}
	o.VaultURL = strings.TrimRight(o.VaultURL, "/") // the portal writes one
	if o.ClientID == "" || o.TenantID == "" {
		return nil, errors.New("AZURE_KEY_VAULT_URL is set without AZURE_TENANT_ID and AZURE_CLIENT_ID: set both, they say as whom to ask the vault")
	}
	client, private, err := clientOptions(o)
	if err != nil {
		return nil, err
	}
	credential, identity, err := credentialOf(o, client, private)
	if err != nil {
		return nil, fmt.Errorf("the identity for the vault %s cannot be used: %s; correct AZURE_TENANT_ID and AZURE_CLIENT_ID", o.VaultURL, firstLine(err))
	}
	// A private cloud's vaults lie under names that the library does not know.
	secrets, err := azsecrets.NewClient(o.VaultURL, credential, &azsecrets.ClientOptions{ClientOptions: client, DisableChallengeResourceVerification: private})
	if err != nil {
		return nil, fmt.Errorf("make a client of the vault %s: %w", o.VaultURL, err)
	}
	return &Vault{secrets: secrets, url: o.VaultURL, identity: identity}, nil
}

// clientOptions also tells whether the authority is none of Microsoft's own clouds.
func clientOptions(o Options) (options azcore.ClientOptions, private bool, err error) {
	options.Retry = policy.RetryOptions{MaxRetries: triesAfter, TryTimeout: tryTimeout, RetryDelay: retryDelay, MaxRetryDelay: 2 * time.Second}
	if o.Client != nil {
		options.Transport = o.Client
	}
	options.Cloud = cloud.AzurePublic
	if o.Authority == "" {
		return options, false, nil
	}
	address, err := url.Parse(o.Authority)
	if err != nil || address.Scheme != "https" || address.Host == "" {
		return options, false, fmt.Errorf("AZURE_AUTHORITY_HOST=%q cannot be used: write an https address, or leave it unset for Azure's public cloud", o.Authority)
	}
	options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: o.Authority, Services: map[cloud.ServiceName]cloud.ServiceConfiguration{}}
	for _, known := range []cloud.Configuration{cloud.AzurePublic, cloud.AzureGovernment, cloud.AzureChina} {
		if strings.Contains(known.ActiveDirectoryAuthorityHost, "//"+address.Host) {
			return options, false, nil
		}
	}
	return options, true, nil
}

func credentialOf(o Options, client azcore.ClientOptions, private bool) (credential azcore.TokenCredential, identity string, err error) {
	switch {
	case o.ClientSecret != "":
		credential, err = azidentity.NewClientSecretCredential(o.TenantID, o.ClientID, o.ClientSecret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: client, DisableInstanceDiscovery: private})
		return credential, "application " + o.ClientID + " with AZURE_CLIENT_SECRET", err
	case o.TokenFile != "":
		credential, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: client,
			TenantID: o.TenantID, ClientID: o.ClientID, TokenFilePath: o.TokenFile, DisableInstanceDiscovery: private})
		return credential, "application " + o.ClientID + " with the token in AZURE_FEDERATED_TOKEN_FILE", err
	}
	credential, err = azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: client, ID: azidentity.ClientID(o.ClientID)})
	return credential, "managed identity " + o.ClientID, err
}

// Secret is the value of the newest version. It returns ErrNoSecret, or one line that says what to do.
func (v *Vault) Secret(ctx context.Context, name string) (string, error) {
	return v.value(ctx, name, "")
}

func (v *Vault) value(ctx context.Context, name, version string) (string, error) {
	answer, err := v.secrets.GetSecret(ctx, name, version, nil)
	if err != nil {
		return "", v.fault(ctx, name, err)
	}
	if answer.Value == nil || *answer.Value == "" {
		return "", fmt.Errorf("the secret %s in the vault %s is empty: give it a value", name, v.url)
	}
	return *answer.Value, nil
}

// fault is an error as one line with its remedy, or ErrNoSecret.
func (v *Vault) fault(ctx context.Context, name string, err error) error {
	var refused *azidentity.AuthenticationFailedError
	var answered *azcore.ResponseError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("the vault %s cannot be asked for %s: Entra ID refuses %s (%s); correct AZURE_TENANT_ID, AZURE_CLIENT_ID and what proves them", v.url, name, v.identity, firstLine(err))
	case errors.As(err, &answered) && answered.StatusCode == http.StatusNotFound:
		return ErrNoSecret
	case errors.As(err, &answered) && answered.ErrorCode == "Forbidden" && strings.Contains(answered.Error(), "SecretDisabled"):
		return fmt.Errorf("the secret %s in the vault %s is disabled: enable it, or add a version", name, v.url)
	case errors.As(err, &answered) && (answered.StatusCode == http.StatusForbidden || answered.StatusCode == http.StatusUnauthorized):
		return fmt.Errorf("the vault %s refuses %s to read %s (%d %s): give it the role Key Vault Secrets User, and this network access", v.url, v.identity, name, answered.StatusCode, answered.ErrorCode)
	case errors.As(err, &answered):
		return fmt.Errorf("the vault %s answers %d %s when asked for %s: try again, and look at its health in the Azure portal", v.url, answered.StatusCode, answered.ErrorCode, name)
	case ctx.Err() != nil:
		return fmt.Errorf("the vault %s was asked for %s and nothing came back in time: correct AZURE_KEY_VAULT_URL, or let this machine reach it", v.url, name)
	}
	return fmt.Errorf("the vault %s cannot be asked for %s as %s: %s; correct AZURE_KEY_VAULT_URL, or let this machine reach it", v.url, name, v.identity, firstLine(err))
}

// firstLine leaves out the requests and answers that the library puts below its errors.
func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(line)
}
