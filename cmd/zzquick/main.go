package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/proxy"
)

func main() {
	path := ""
	for i, a := range os.Args {
		if a == "-c" {
			path = os.Args[i+1]
		}
	}
	c, w, err := config.Load(path, config.Options{})
	_ = w
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	p := proxy.New(control.Build(c, 1), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err := p.Start(); err != nil {
		println(err.Error())
		os.Exit(1)
	}
	if f := os.Getenv("PROF"); f != "" {
		o, _ := os.Create(f)
		pprof.StartCPUProfile(o)
		defer pprof.StopCPUProfile()
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt)
	<-ch
	p.Shutdown(context.Background())
}
