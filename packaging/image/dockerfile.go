package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// stage is what the last stage of a Dockerfile says.
type stage struct {
	copies []copied
	config config
}

// copied is a file of the image.
type copied struct {
	from, to string
	built    bool // by an earlier stage: it is the program
}

// config is how a container is run, in the words of the OCI's image specification.
type config struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
}

// lastStage reads a Dockerfile from its last FROM on, which must be of nothing.
func lastStage(text string) (stage, error) {
	i := strings.LastIndex(text, "\nFROM ")
	rest, ok := strings.CutPrefix(text[max(i, 0):], "\nFROM scratch\n")
	if !ok {
		return stage{}, errors.New("the last stage is not from scratch")
	}
	s := stage{config: config{ExposedPorts: map[string]struct{}{}}}
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := s.instruction(line); err != nil {
			return stage{}, fmt.Errorf("%s: %w", line, err)
		}
	}
	return s, nil
}

func (s *stage) instruction(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch verb {
	case "COPY":
		built := words[0] == "--from=build"
		if built {
			words = words[1:]
		}
		if len(words) != 2 || strings.HasPrefix(words[0], "-") {
			return errors.New("this copies more than one file")
		}
		s.copies = append(s.copies, copied{words[0], words[1], built})
	case "USER":
		s.config.User = rest
	case "EXPOSE":
		for _, port := range words {
			s.config.ExposedPorts[port+"/tcp"] = struct{}{}
		}
	case "STOPSIGNAL":
		s.config.StopSignal = rest
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &s.config.Entrypoint)
	case "CMD":
		return json.Unmarshal([]byte(rest), &s.config.Cmd)
	default:
		return errors.New("this instruction is not known")
	}
	return nil
}
