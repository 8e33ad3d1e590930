package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
)

// subcommands are what this program starts of itself in processes of their own: a load generator must
// not share its memory, and its garbage, with anything.
var subcommands = map[string]func(args []string, stdout io.Writer) error{
	"load":  loadCommand,
	"floor": floorCommand,
}

// loadCommand makes a load and prints its figures as JSON.
func loadCommand(args []string, stdout io.Writer) error {
	var p plan
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.IntVar(&p.Port, "port", 0, "of 127.0.0.1, where to connect")
	fs.StringVar(&p.Protocol, "protocol", memcached, "memcached (the text protocol) or redis")
	fs.StringVar(&p.Verb, "verb", "get", "get or set")
	fs.IntVar(&p.Keys, "keys", 1, "keys of one request; more than one only for a get from memcached")
	fs.IntVar(&p.Clients, "clients", 50, "connections")
	fs.IntVar(&p.Pipeline, "pipeline", 1, "requests that a client sends at once; it waits for all replies")
	fs.IntVar(&p.Requests, "requests", 100_000, "requests of all clients together")
	fs.Float64Var(&p.Rate, "rate", 0, "requests a second whether there are replies or not, instead of -pipeline and -requests")
	fs.Float64Var(&p.For, "for", 10, "seconds for which a -rate goes on")
	fs.StringVar(&p.space.prefix, "prefix", small.prefix, "what keys begin with; twelve digits follow")
	fs.IntVar(&p.space.keys, "range", small.keys, "how many different keys there are")
	fs.IntVar(&p.space.valueSize, "size", small.valueSize, "bytes of a value")
	fs.BoolVar(&p.inOrder, "in-order", false, "every key in its turn instead of random ones, to set all of them")
	if err := parseAll(fs, args); err != nil {
		return err
	}
	r, err := generate(p)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(r)
}

// floorCommand serves until it is ended.
func floorCommand(args []string, _ io.Writer) error {
	fs := flag.NewFlagSet("floor", flag.ContinueOnError)
	port := fs.Int("port", 0, "of 127.0.0.1, where to listen")
	if err := parseAll(fs, args); err != nil {
		return err
	}
	s, err := newFloorServer(*port)
	if err != nil {
		return err
	}
	return s.serve()
}

func parseAll(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%s: %w", fs.Name(), errors.New("no arguments besides flags"))
	}
	return nil
}
