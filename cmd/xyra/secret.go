package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// secretLength is from where on a secret cannot be searched for: HS256 wants as many bytes as its hash has.
const secretLength = 32

// publicSecrets stand in documents and templates that everybody has read.
var publicSecrets = []string{"changethis", "change-me", "changeme", "change_me", "secret", "secretkey", "secret_key", "secret-key", "your-secret-key",
	"your_secret_key", "yoursecretkey", "your-secret-key-here", "supersecret", "super-secret", "super-secret-key", "supersecretkey", "mysecret", "mysecretkey",
	"development", "development_secret_key", "dev-secret-key", "test", "password", "default", "xyra", "insecure"}

// lifetime is how long a token works.
func (s loginSettings) lifetime() time.Duration { return time.Duration(s.TokenMinutes) * time.Minute }

// isPublic tells whether everybody has read a secret.
func isPublic(key string) bool {
	return slices.ContainsFunc(publicSecrets, func(public string) bool { return strings.EqualFold(key, public) })
}

// secret is what signs tokens: SECRET_KEY, or one that was made at the first start and is kept beside the SQLite file.
func (s loginSettings) secret(t target, log *slog.Logger) ([]byte, error) {
	key := s.Secret
	if key == "" {
		if t.URL != "" {
			return nil, errors.New("SECRET_KEY is not set: with PostgreSQL all replicas sign with the same one, so none is made up here; set it to 32 random characters or more, such as the output of `openssl rand -base64 32`")
		}
		if err := t.prepareDir(true); err != nil {
			return nil, err
		}
		return keptSecret(filepath.Join(t.dir, "secret.key"))
	}
	if isPublic(key) {
		return nil, errors.New("SECRET_KEY is a word that everybody knows: anybody could sign in as anyone; set it to 32 random characters or more, such as the output of `openssl rand -base64 32`")
	}
	if len(key) < secretLength {
		log.Warn("SECRET_KEY is short: one of 32 random characters or more is safe; a new one ends all sessions", "characters", len(key))
	}
	return []byte(key), nil
}

// keptSecret reads the secret of a data folder, and makes one at the first start.
func keptSecret(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("the secret in %s cannot be read: %w; change its owner, or set SECRET_KEY", path, cause(err))
	}
	key := strings.TrimSpace(string(text))
	if len(key) < secretLength {
		return nil, fmt.Errorf("the secret in %s is cut off: restore it from a backup, or remove it to get a new one, which ends all sessions", path)
	}
	return []byte(key), nil
}

// newSecret writes a whole file or none: a crash must not leave half a secret.
func newSecret(path string) ([]byte, error) {
	key := randomText()
	file, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // for the owner alone
	if err != nil {
		return nil, fmt.Errorf("a secret cannot be kept in %s: %w; set SECRET_KEY", path, cause(err))
	}
	_, err = file.WriteString(key + "\n")
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		// Link refuses a name that is taken: of two processes that start at once one keeps its secret, both use it.
		err = os.Link(file.Name(), path)
	}
	err = errors.Join(err, os.Remove(file.Name()))
	if errors.Is(err, fs.ErrExist) {
		return keptSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("a secret cannot be kept in %s: %w; set SECRET_KEY", path, cause(err))
	}
	return []byte(key), nil
}

// randomText has 256 bits.
func randomText() string {
	b := make([]byte, secretLength)
	rand.Read(b) //nolint:errcheck // it never returns one: the process ends if the system has no randomness
	return base64.RawURLEncoding.EncodeToString(b)
}
