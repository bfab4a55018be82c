package xyra

import (
	_ "embed"
	"strings"
)

//go:embed passwords.txt
var easyPasswordList string

var easyPasswords = func() map[string]struct{} {
	set := map[string]struct{}{}
	for password := range strings.Lines(easyPasswordList) {
		set[strings.TrimSpace(password)] = struct{}{}
	}
	return set
}()

// EasyPassword tells whether a new password is among the few hundred most common ones
// or is the e-mail address itself, upper and lower case not distinguished. It does not
// look at the length.
func EasyPassword(password, email string) bool {
	folded := strings.ToLower(password)
	_, common := easyPasswords[folded]
	return common || email != "" && EmailKey(strings.TrimSpace(email)) == EmailKey(folded)
}
