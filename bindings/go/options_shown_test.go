package flagstore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

func TestOptionsShowNoSecretHoweverTheyArePrinted(t *testing.T) {
	given := flagstore.Options{
		Table: "flags", Prefix: "p", Region: "eu-west-1", Endpoint: "https://user:hidden-1@example.com/x?token=hidden-2",
		AccessKeyID: "hidden-3", SecretAccessKey: "hidden-4", Proxy: "http://user:hidden-6@proxy.example:3128", SessionToken: "hidden-5", Timeout: 2 * time.Second, CacheTTL: -1, UseFIPS: true,
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("opening", "options", given)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("opening", "options", &given)
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", given), "%+v": fmt.Sprintf("%+v", given), "%#v": fmt.Sprintf("%#v", given), "Sprint": fmt.Sprint(&given),
		"inside": fmt.Sprintf("%+v", struct{ Options flagstore.Options }{given}), "slog": logged.String(),
	} {
		if strings.Contains(text, "hidden") {
			t.Errorf("%s: %s", name, text)
		}
		for _, shown := range []string{"flags", "eu-west-1", "https://example.com/x", "SecretAccessKey", "(set)", "http://proxy.example:3128"} {
			if !strings.Contains(text, shown) {
				t.Errorf("%s lacks %s: %s", name, shown, text)
			}
		}
	}
	if text := (flagstore.Options{Table: "flags", Endpoint: "hidden"}).String(); strings.Contains(text, "hidden") {
		t.Error(text)
	}
	if text := (flagstore.Options{Table: "flags"}).String(); text != "{Table=flags}" {
		t.Error(text)
	}
}
