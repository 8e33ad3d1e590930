package memcached

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func TestDecodeKey(t *testing.T) {
	for key, want := range map[string]string{
		"Zm9v": "foo", "Zm8=": "fo", "Zg==": "f", "Zm9v!": "foo", "Z!m9v": "foo", "Zm9=": "fo", "AA==": "\x00", "Zm9vAA==Zm9v": "foo\x00", "Zm8=Zm8=": "fo", "Z=9v": "d\x0f", "=m9v": "\x02o",
		// What the server cannot decode.
		"": "", "Zm9vZm9": "", "Zm==x": "", "====": "", "Z===": "", "Zm9v====": "", "!": "", "Zm9": "",
	} {
		got, ok := DecodeKey([]byte("x"), []byte(key))
		if ok != (want != "") || string(got) != "x"+want {
			t.Errorf("%q: %q, %v; want %q", key, got, ok, want)
		}
	}
}

func FuzzDecodeKey(f *testing.F) {
	f.Add([]byte("foo"), []byte("Zm9v"))
	f.Add([]byte{0, 255}, []byte("Z=9v"))
	f.Fuzz(func(t *testing.T, key, text []byte) {
		if len(key) > 0 {
			got, ok := DecodeKey(nil, []byte(base64.StdEncoding.EncodeToString(key)))
			if !ok || !bytes.Equal(got, key) {
				t.Errorf("%q came back as %q, %v", key, got, ok)
			}
		}
		got, ok := DecodeKey([]byte("x"), text)
		if got[0] != 'x' || !ok && len(got) > 1 || ok && len(got) == 1 || (len(got)-1)*4 > len(text)*3 {
			t.Errorf("%q became %q, %v", text, got, ok)
		}
	})
}
