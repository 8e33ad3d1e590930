package memcached

import (
	"bytes"
	"strings"
	"testing"
)

func BenchmarkRequest(b *testing.B) {
	for name, request := range map[string]string{
		"get":     "get key:000000000001\r\n",
		"set":     "set key:000000000001 0 0 32\r\n" + strings.Repeat("v", 32) + "\r\n",
		"mg":      "mg key:000000000001 v t O123\r\n",
		"get 100": "get " + repeated(100, "key:000000000001") + "\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			stream := bytes.Repeat([]byte(request), 16)
			var p RequestParser
			b.ReportAllocs()
			for i := 0; i < b.N; {
				for rest := stream; len(rest) > 0; i++ {
					n, err := p.Next(rest, &wide)
					if n == 0 || err != nil || p.Problem != "" {
						b.Fatal(n, err, p.Problem)
					}
					rest = rest[n:]
				}
			}
		})
	}
}

func BenchmarkReply(b *testing.B) {
	block := "VALUE key:000000000001 0 32\r\n" + strings.Repeat("v", 32) + "\r\n"
	for name, reply := range map[string]string{
		"stored":     "STORED\r\n",
		"miss":       "END\r\n",
		"value 32":   block + "END\r\n",
		"va 32":      "VA 32 t-1 O123\r\n" + strings.Repeat("v", 32) + "\r\n",
		"value 5000": "VALUE key:000000000001 0 5000\r\n" + strings.Repeat("v", 5000) + "\r\nEND\r\n",
		"value 100x": strings.Repeat(block, 100) + "END\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			stream := bytes.Repeat([]byte(reply), 16)
			var p ReplyParser
			b.ReportAllocs()
			for i := 0; i < b.N; {
				for rest := stream; len(rest) > 0; i++ {
					n, done, err := p.Next(rest)
					if !done || err != nil {
						b.Fatal(n, done, err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}
