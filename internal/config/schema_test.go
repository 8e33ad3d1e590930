package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSchema keeps the file current.
func TestSchema(t *testing.T) {
	golden(t, "../../docs/cashew.schema.json", string(Schema()))
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("cashew.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("cashew.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asEditor reads a file as an editor does, which is by YAML's rules. It adds quotes around IPv6
// addresses in brackets, without which they are no YAML.
func asEditor(t *testing.T, text string) any {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal([]byte(quoteIPv6(text)), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestSchemaAccepts: an editor has no complaint about what loads.
func TestSchemaAccepts(t *testing.T) {
	s := compiledSchema(t)
	files := append(corpus(t, "good", 9), exampleFile, "../../examples/nutcracker.yml", "../../packaging/cashew.yml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A list of one for "listen" is twemproxy's, and left out on purpose.
		once := strings.Replace(string(text), "listen: [127.0.0.1:1001]", "listen: 127.0.0.1:1001", 1)
		if err := s.Validate(asEditor(t, once)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		c, _, err := Load(file, Options{})
		if err != nil {
			continue // the packaged file names a password file or a socket that is elsewhere
		}
		if err := s.Validate(asEditor(t, string(c.Show()))); err != nil {
			t.Errorf("%s, as it is shown: %v", filepath.Base(file), err)
		}
	}
}

// TestSchemaRefuses: an editor finds the mistakes that concern one key.
func TestSchemaRefuses(t *testing.T) {
	s := compiledSchema(t)
	if err := s.Validate(asEditor(t, poolText("timeout: 5"))); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		poolText("timeuot: 5"), poolText("timeout: soon"), poolText("timeout: -1"), poolText("timeout: 2147483648"), poolText("redis: yes please"),
		poolText("hash: sha1"), poolText("hash_tag: '{}}'"), poolText("on_eject: panic"), poolText("request_size_limit: 1tb"),
		poolText("request_size_limit: 5"), poolText("allow_commands: [shutdown]"), poolText("allow_commands: []"), poolText("redis_auth: {a: b}"),
		poolText() + "cashew: {timeout: 5}", poolText() + "cashew: {log_format: xml}", poolText() + "q: {listen: 'h:1'}",
		poolText() + "q: {listen: h, servers: 'h:1:1'}", poolText() + "q: {listen: 'h:1', servers: []}", poolText() + "q: {listen: 'h:1', servers: [h]}",
		"{}", "text",
	} {
		if err := s.Validate(asEditor(t, text)); err == nil {
			t.Errorf("the schema accepts:\n%s", text)
		}
	}
}
