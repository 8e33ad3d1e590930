package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
)

// TestUnitWaitsForTheEnd: systemd gives the service at least the time that its clients have by the configuration that
// is installed with it.
func TestUnitWaitsForTheEnd(t *testing.T) {
	c, _, err := config.Load(filepath.Join(repository, "packaging/cashew.yml"), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(repository, "packaging/cashew.service"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("the unit has no TimeoutStopSec in seconds")
	}
	seconds, err := strconv.Atoi(string(m[1]))
	if stop := time.Duration(seconds) * time.Second; err != nil || stop < c.Process.ShutdownTimeout+5*time.Second {
		t.Errorf("the unit stops for %v, clients have %v: %v", stop, c.Process.ShutdownTimeout, err)
	}
}
