package notice

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"xyra"
)

// secretPrefix begins a secret, as Standard Webhooks says; what follows is base64 of the key.
const secretPrefix = "whsec_"

const secretBytes = 32

// Desk keeps endpoints. It is safe for concurrent use.
type Desk struct {
	Rules
	random  io.Reader
	sealers atomic.Pointer[[]cipher.AEAD] // the first seals, all open
}

// New makes a desk whose secrets are sealed by a key derived from the installation's secret: with another one, earlier
// secrets cannot be opened and have to be rotated.
func New(installation []byte, rules Rules, random io.Reader) (*Desk, error) {
	d := &Desk{Rules: rules, random: random}
	return d, d.Rotate(installation)
}

// Rotate seals with the installation's new secret from now on, and opens what it or an earlier one has sealed.
func (d *Desk) Rotate(installation []byte, earlier ...[]byte) error {
	var sealers []cipher.AEAD
	for _, secret := range append([][]byte{installation}, earlier...) {
		sealer, err := newSealer(secret)
		if err != nil {
			return err
		}
		sealers = append(sealers, sealer)
	}
	d.sealers.Store(&sealers)
	return nil
}

func newSealer(installation []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, installation, nil, "xyra webhook secrets", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of webhook secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of webhook secrets: %w", err)
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of webhook secrets: %w", err)
	}
	return sealer, nil
}

// NewSecret draws a secret. It is shown once; what is kept is sealed.
func (d *Desk) NewSecret() (string, error) {
	if d == nil {
		return "", xyra.Invalid("Webhooks are not configured")
	}
	key := make([]byte, secretBytes)
	if _, err := io.ReadFull(d.random, key); err != nil {
		return "", fmt.Errorf("draw a webhook secret: %w", err)
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(key), nil
}

// seal encrypts a secret for one endpoint: copied to another row, it does not open.
func (d *Desk) seal(e xyra.WebhookEndpoint, secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return nil, fmt.Errorf("seal a webhook secret: %w", err)
	}
	return (*d.sealers.Load())[0].Seal(nil, nil, key, place(e)), nil
}

func place(e xyra.WebhookEndpoint) []byte {
	return fmt.Appendf(nil, "webhook endpoint %d of organization %d", e.ID, e.Organization)
}

// errSealed says nothing of what is sealed.
var errSealed = errors.New("the secret of the endpoint cannot be opened with this SECRET_KEY: rotate it")

// open tries every secret of the installation: a box does not say which one sealed it.
func (d *Desk) open(e xyra.WebhookEndpoint, box []byte) (key []byte, err error) {
	for _, sealer := range *d.sealers.Load() {
		if key, err = sealer.Open(nil, nil, box, place(e)); err == nil {
			return key, nil
		}
	}
	return nil, err
}

// Keys are what a message to e is signed with at now: the key of its secret, and while that is being replaced the one
// before too.
func (d *Desk) Keys(e xyra.WebhookEndpoint, now time.Time) (keys [][]byte, err error) {
	sealed := [][]byte{e.Secret}
	if e.PreviousUntil != nil && now.Before(*e.PreviousUntil) {
		sealed = append(sealed, e.Previous)
	}
	for n, box := range sealed {
		key, err := d.open(e, box)
		if err != nil && n == 0 {
			return nil, errSealed
		}
		if err == nil {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
