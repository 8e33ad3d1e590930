package packaging

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// image makes the container image of a program, and returns the files of its archive.
func image(t *testing.T, version, binary string) (files map[string][]byte, archive []byte) {
	t.Helper()
	cmd := exec.Command("go", "run", "-buildvcs=false", "./packaging/image", "-version", version, "-arch", "amd64", "-out", t.TempDir(), binary)
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if archive, err = os.ReadFile(strings.TrimSpace(string(out))); err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	unpack(t, archive, func(h *tar.Header, data []byte) { files[h.Name] = data })
	return files, archive
}

func unpack(t *testing.T, archive []byte, each func(h *tar.Header, data []byte)) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		each(h, data)
	}
}

// imageIndex and the like are what a tool reads that loads an image.
type reference struct {
	Digest string
	Size   int
}

type (
	imageIndex    struct{ Manifests []reference }
	imageManifest struct {
		Config reference
		Layers []reference
	}
	imageConfig struct {
		Architecture, OS string
		Config           struct {
			User            string
			Entrypoint, Cmd []string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	dockerImages []struct {
		Config           string
		RepoTags, Layers []string
	}
)

// TestImage: every part of the image is where its digest says, by the way of today and by Docker's old one; its files
// are a root in which the program runs, as the user that it names, and likes the configuration that is in there.
func TestImage(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, "v1.0.0")
	binary := filepath.Join(dir, "cashew-v1.0.0")
	files, archive := image(t, "v1.0.0+x", binary)
	if _, again := image(t, "v1.0.0+x", binary); !bytes.Equal(archive, again) {
		t.Error("two images of the same sources differ")
	}
	get := func(r reference) []byte {
		data := files["blobs/"+strings.Replace(r.Digest, ":", "/", 1)]
		if len(data) != r.Size || fmt.Sprintf("sha256:%x", sha256.Sum256(data)) != r.Digest {
			t.Fatalf("%+v is %d bytes", r, len(data))
		}
		return data
	}
	index := decode[imageIndex](t, files["index.json"])
	manifest := decode[imageManifest](t, get(index.Manifests[0]))
	config := decode[imageConfig](t, get(manifest.Config))
	layer := unzip(t, get(manifest.Layers[0]))
	if len(index.Manifests) != 1 || len(manifest.Layers) != 1 || config.Architecture != "amd64" || config.OS != "linux" ||
		config.RootFS.DiffIDs[0] != fmt.Sprintf("sha256:%x", sha256.Sum256(layer)) {
		t.Errorf("%+v\n%+v\n%+v", index, manifest, config)
	}
	old := decode[dockerImages](t, files["manifest.json"])[0]
	if old.RepoTags[0] != "cashew:v1.0.0-x" || !bytes.Equal(files[old.Config], get(manifest.Config)) || !bytes.Equal(files[old.Layers[0]], get(manifest.Layers[0])) {
		t.Errorf("for older versions of Docker: %+v", old)
	}
	root := filepath.Join(dir, "root")
	unpack(t, layer, func(h *tar.Header, data []byte) {
		path := filepath.Join(root, h.Name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && h.Typeflag == tar.TypeReg {
			err = os.WriteFile(path, data, h.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if config.Config.User != "65532:65532" {
		t.Errorf("it runs as %q", config.Config.User)
	}
	if os.Getuid() != 0 {
		t.Skip("only root can run a program in another root")
	}
	cmd := exec.Command(config.Config.Entrypoint[0], append(config.Config.Cmd, "-t")...)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "'/etc/cashew/cashew.yml' syntax is ok\n") {
		t.Errorf("in the container: %s, %v", out, err)
	}
}

func decode[T any](t *testing.T, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

func unzip(t *testing.T, data []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
