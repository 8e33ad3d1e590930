package eventloop

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// benchClients is how many connections the echo benchmarks keep busy.
const benchClients = 50

func BenchmarkEchoEpoll(b *testing.B) { benchLoop(b, "epoll") }
func BenchmarkEchoPoll(b *testing.B)  { benchLoop(b, "poll") }

func benchLoop(b *testing.B, driver string) {
	h := newToy()
	h.quiet = true
	loop, err := New(Options{Driver: driver})
	if err != nil {
		b.Fatal(err)
	}
	h.loop = loop
	ln, err := Listen(topology.Listen{Network: "tcp", Address: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	if err := loop.AddListener(0, ln, false); err != nil {
		b.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- loop.Run(h) }()
	benchEcho(b, ln.Address())
	loop.Stop()
	if err := <-ran; err != nil {
		b.Fatal(err)
	}
	s := loop.Stats()
	b.ReportMetric(float64(s.Waits)/float64(b.N), "waits/op")
	b.ReportMetric(float64(s.Reads+s.Writes)/float64(b.N), "calls/op")
}

// BenchmarkEchoNet is the same with package net and a goroutine per connection.
func BenchmarkEchoNet(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				buf := make([]byte, scratchSize)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	benchEcho(b, ln.Addr().String())
	ln.Close()
	wg.Wait()
}

// benchEcho makes b.N round trips of 32 bytes over benchClients connections.
func benchEcho(b *testing.B, address string) {
	var clients []net.Conn
	for range benchClients {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		clients = append(clients, c)
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, c := range clients {
		n := b.N / benchClients
		if i < b.N%benchClients {
			n++
		}
		wg.Go(func() {
			defer c.Close()
			buf := make([]byte, 32)
			for range n {
				if _, err := c.Write(buf); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}
