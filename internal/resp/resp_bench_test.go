package resp

import (
	"bytes"
	"strings"
	"testing"
)

func BenchmarkRequest(b *testing.B) {
	for name, request := range map[string]string{
		"get":      "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000001\r\n",
		"set":      "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$32\r\n" + strings.Repeat("v", 32) + "\r\n",
		"mget 100": "*101\r\n$4\r\nMGET\r\n" + strings.Repeat("$16\r\nkey:000000000001\r\n", 100),
	} {
		b.Run(name, func(b *testing.B) {
			stream := bytes.Repeat([]byte(request), 16)
			lim := Limits{Bytes: 1 << 30, Arguments: 1 << 20, Inline: 1 << 16}
			var p RequestParser
			b.ReportAllocs()
			for i := 0; i < b.N; {
				for rest := stream; len(rest) > 0; i++ {
					n, err := p.Next(rest, &lim)
					if n == 0 || err != nil {
						b.Fatal(n, err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}

func BenchmarkReply(b *testing.B) {
	for name, reply := range map[string]string{
		"status":    "+OK\r\n",
		"bulk 32":   "$32\r\n" + strings.Repeat("v", 32) + "\r\n",
		"bulk 1000": "$1000\r\n" + strings.Repeat("v", 1000) + "\r\n",
		"array 100": "*100\r\n" + strings.Repeat("$32\r\n"+strings.Repeat("v", 32)+"\r\n", 100),
	} {
		b.Run(name, func(b *testing.B) {
			stream := bytes.Repeat([]byte(reply), 16)
			p := ReplyParser{Nesting: 8}
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

func BenchmarkInline(b *testing.B) {
	line := []byte("set key:000000000001 \"a value\"\r\n")
	var out []byte
	b.ReportAllocs()
	for range b.N {
		var err error
		if out, err = AppendInline(out[:0], line); err != nil {
			b.Fatal(err)
		}
	}
}
