package azure

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// versionsMax bounds how many versions are read: one call each. Older ones are as if they were disabled.
const versionsMax = 16

// pagesMax bounds the listing, which has 25 versions or fewer on a page.
const pagesMax = 40

// Version is one value that a secret has or had.
type Version struct {
	Value   string
	Created time.Time // zero: the vault did not say
}

// Versions are those that are enabled, begun and not expired at now, newest first, 16 at most. No secret and no such
// version are ErrNoSecret.
func (v *Vault) Versions(ctx context.Context, name string, now time.Time) ([]Version, error) {
	listed, err := v.listed(ctx, name, now)
	if err != nil {
		return nil, err
	}
	if len(listed) == 0 {
		return nil, ErrNoSecret
	}
	versions := make([]Version, 0, len(listed))
	for _, p := range listed {
		value, err := v.value(ctx, name, p.ID.Version())
		if err != nil {
			return nil, err
		}
		versions = append(versions, Version{Value: value, Created: created(p)})
	}
	return versions, nil
}

func (v *Vault) listed(ctx context.Context, name string, now time.Time) ([]*azsecrets.SecretProperties, error) {
	var listed []*azsecrets.SecretProperties
	pager := v.secrets.NewListSecretPropertiesVersionsPager(name, nil)
	for page := 0; pager.More(); page++ {
		if page == pagesMax {
			return nil, fmt.Errorf("the secret %s in the vault %s has more than %d pages of versions: start it anew under its name", name, v.url, pagesMax)
		}
		answer, err := pager.NextPage(ctx)
		if err != nil {
			return nil, v.fault(ctx, name, err)
		}
		for _, p := range answer.Value {
			if usable(p, now) {
				listed = append(listed, p)
			}
		}
	}
	slices.SortStableFunc(listed, func(a, b *azsecrets.SecretProperties) int { return created(b).Compare(created(a)) })
	return listed[:min(len(listed), versionsMax)], nil
}

func usable(p *azsecrets.SecretProperties, now time.Time) bool {
	a := p.Attributes
	if p.ID == nil || a == nil {
		return p.ID != nil
	}
	disabled := a.Enabled != nil && !*a.Enabled
	return !disabled && (a.NotBefore == nil || !now.Before(*a.NotBefore)) && (a.Expires == nil || now.Before(*a.Expires))
}

func created(p *azsecrets.SecretProperties) time.Time {
	if p.Attributes == nil || p.Attributes.Created == nil {
		return time.Time{}
	}
	return *p.Attributes.Created
}

// Signer is the index of the version to sign with at now: the newest that is older than settled, in which everybody has
// heard of it; while none is, the oldest. versions are newest first and not empty.
func Signer(versions []Version, settled time.Duration, now time.Time) int {
	for i, version := range versions {
		if now.Sub(version.Created) >= settled {
			return i
		}
	}
	return len(versions) - 1
}

// Verifiers are the versions whose tokens may still be in use at now: those that sign or will, and earlier ones until
// lifetime after their successor began to sign.
func Verifiers(versions []Version, settled, lifetime time.Duration, now time.Time) []Version {
	signer := Signer(versions, settled, now)
	for i := signer + 1; i < len(versions); i++ {
		successor := versions[i-1].Created.Add(settled)
		if now.Sub(successor) > lifetime {
			return versions[:i]
		}
	}
	return versions
}
