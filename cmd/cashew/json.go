package main

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// jsonFlag adds the flag --json. With it standard output has JSON only, and an error is an object on standard error.
func jsonFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "write JSON, for programs")
}

// wantsJSON says that a command line asks for JSON. It is for errors, one of which may be that the flags before it
// are wrong.
func wantsJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.ContainsFunc(args, func(a string) bool {
		value, ok := strings.CutPrefix(a, "--json=")
		yes, err := strconv.ParseBool(value)
		return a == "--json" || ok && yes && err == nil
	})
}

// tell writes an error, for programs as the admin API does.
func tell(w io.Writer, asJSON bool, err error) {
	if !asJSON {
		complain(w, "cashew", err)
		return
	}
	_ = encodeLine(w, admin.Error{Error: err.Error()}) // nobody is left to be told
}

// writer is what people can read.
type writer interface{ Write(w io.Writer) error }

// show writes what a command has found, for programs or for people.
func show(cmd *cobra.Command, asJSON bool, v writer) error {
	if asJSON {
		return encode(cmd.OutOrStdout(), v)
	}
	return v.Write(cmd.OutOrStdout())
}

// encode writes JSON with indents, which people can read, too.
func encode(w io.Writer, v any) error { return encoder(w, "  ").Encode(v) }

// encodeLine writes JSON on one line: of several things each has its own.
func encodeLine(w io.Writer, v any) error { return encoder(w, "").Encode(v) }

func encoder(w io.Writer, indent string) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e
}

// writeJSON writes the JSON of the process.
func writeJSON(cmd *cobra.Command, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return encode(cmd.OutOrStdout(), json.RawMessage(b))
}
