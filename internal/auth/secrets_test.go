package auth

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestSecretsAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "data")
	var wg sync.WaitGroup
	got := make([]Secrets, 8)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = LoadOrCreateSecrets(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	again, err := LoadOrCreateSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range got {
		if !bytes.Equal(s.Token, again.Token) || !bytes.Equal(s.Admin, again.Admin) || !bytes.Equal(s.Sync, again.Sync) {
			t.Fatal("programs that start at once got different secrets")
		}
	}
	if len(again.Token) != 43 || len(again.Admin) != 43 || len(again.Sync) != 43 {
		t.Errorf("%d, %d and %d bytes", len(again.Token), len(again.Admin), len(again.Sync))
	}
	if bytes.Equal(again.Token, again.Admin) || bytes.Equal(again.Token, again.Sync) || bytes.Equal(again.Admin, again.Sync) {
		t.Error("two secrets are the same")
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", fi.Mode(), err)
	}
	es, err := os.ReadDir(dir)
	if err != nil || len(es) != 3 {
		t.Errorf("%v %v; want the three files and nothing temporary", es, err)
	}
	for name, want := range map[string][]byte{"secret": again.Token, "admin-token": again.Admin, "sync-key": again.Sync} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, fi.Mode(), err)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(b) != string(want)+"\n" {
			t.Errorf("%s: the secret is not what the file shows: %v", name, err)
		}
	}
	if !again.IsAdmin(string(again.Admin)) || again.IsAdmin("") || again.IsAdmin(string(again.Token)) || (Secrets{}).IsAdmin("") {
		t.Error("IsAdmin")
	}
}

func TestLoadSecretRefuses(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := string(secretA)
	for _, tt := range []struct {
		path string
		says string // "" = taken
	}{
		{put("good", " "+good+"\r\n", 0o600), ""},
		{put("readonly", good, 0o400), ""},
		{put("group", good, 0o640), "chmod 600"},
		{put("others", good, 0o604), "chmod 600"},
		{put("writable", good, 0o602), "chmod 600"},
		{put("short", good[:31]+"\n  \n", 0o600), "at least 32"},
		{put("empty", "", 0o600), "at least 32"},
		{put("same", strings.Repeat("ab", 40), 0o600), "guessed"},
		{put("huge", strings.Repeat(good, 200), 0o600), "larger"},
		{dir, "not a plain file"},
	} {
		b, err := LoadSecret(tt.path)
		if tt.says == "" {
			if err != nil || string(b) != good {
				t.Errorf("%s: %q %v", tt.path, b, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("%s: %v", tt.path, err)
		}
		wantErr(t, err, im.Invalid, im.CodeInvalid, good[:20])
	}
	if _, err := LoadSecret(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) || !im.IsKind(err, im.NotFound) {
		t.Errorf("absent: %v", err)
	}
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, SecretFile), []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(data, SecretFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateSecrets(data); !im.IsKind(err, im.Invalid) {
		t.Errorf("a secret readable by others was taken: %v", err)
	}
	if _, err := os.Stat(filepath.Join(data, AdminTokenFile)); err == nil {
		t.Error("and the start went on")
	}
}

func TestKnownSecretsAreRefused(t *testing.T) {
	for _, s := range knownSecrets {
		if len(s) < MinSecret {
			t.Errorf("%q is refused for its length already", s)
		}
		if CheckSecret([]byte(s)) == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
