package azure

import "testing"

// Only Microsoft's own clouds keep the checks that a private cloud cannot pass.
func TestOpen_KnowsMicrosoftsClouds(t *testing.T) {
	for authority, want := range map[string]bool{"": false, "https://login.microsoftonline.com/": false, "https://login.microsoftonline.us": false,
		"https://login.chinacloudapi.cn/": false, "https://login.example": true} {
		if _, private, err := clientOptions(Options{Authority: authority}); err != nil || private != want {
			t.Errorf("%q is private: %t, %v", authority, private, err)
		}
	}
}
