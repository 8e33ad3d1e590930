package main

import (
	"strings"
	"testing"
)

// TestLastStage: what is not understood is an error, and not left out of the image.
func TestLastStage(t *testing.T) {
	const good = "FROM golang AS build\nRUN make\n\nFROM scratch\nCOPY --from=build /src/bin/x /bin/x\nCOPY a.yml /etc/a.yml\n" +
		"# 9 is a port.\nUSER 1:1\nEXPOSE 9 10\nSTOPSIGNAL SIGTERM\nENTRYPOINT [\"/bin/x\"]\nCMD [\"-c\", \"/etc/a.yml\"]\n"
	s, err := lastStage(good)
	if err != nil || len(s.copies) != 2 || !s.copies[0].built || s.copies[1] != (copied{"a.yml", "/etc/a.yml", false}) ||
		s.config.User != "1:1" || len(s.config.ExposedPorts) != 2 || s.config.StopSignal != "SIGTERM" ||
		s.config.Entrypoint[0] != "/bin/x" || len(s.config.Cmd) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, change := range [][2]string{
		{"FROM scratch", "FROM debian"},
		{"USER 1:1", "RUN x"},
		{"COPY a.yml", "COPY a.yml b.yml"},
		{"COPY a.yml", "COPY --chmod=600"},
		{"CMD [", "CMD "},
	} {
		if s, err := lastStage(strings.Replace(good, change[0], change[1], 1)); err == nil {
			t.Errorf("%q: %+v", change, s)
		}
	}
}
