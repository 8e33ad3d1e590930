// Command image writes a container image without a container tool: what the last stage of the Dockerfile makes, in an
// archive that `docker load`, `podman load` and `skopeo` take.
//
// That stage begins with nothing and copies files, so that the image is a tar of them and a few lines of JSON. The
// Dockerfile is read, not repeated: an instruction that is not understood here is an error.
//
//	go run ./packaging/image -version v1.0.0 -arch amd64 -out bin bin/cashew
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

func main() {
	version := flag.String("version", "dev", "what git describe says; the image's tag")
	arch := flag.String("arch", "amd64", "of the program, as Go names it")
	out := flag.String("out", ".", "the directory for the archive")
	root := flag.String("root", ".", "the repository")
	flag.Parse()
	file, err := build(*root, *version, *arch, *out, flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(file)
}

// build writes the archive and returns its name.
func build(root, version, arch, out, binary string) (file string, err error) {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return "", err
	}
	s, err := lastStage(string(text))
	if err != nil {
		return "", fmt.Errorf("the Dockerfile: %w", err)
	}
	for i, c := range s.copies {
		if c.built {
			s.copies[i].from = binary
		} else {
			s.copies[i].from = filepath.Join(root, c.from)
		}
	}
	tag := regexp.MustCompile(`[^A-Za-z0-9_.-]`).ReplaceAllString(version, "-")
	archive, err := s.archive(tag, arch)
	if err != nil {
		return "", err
	}
	file = filepath.Join(out, "cashew_"+tag+"_"+arch+".image.tar")
	return file, os.WriteFile(file, archive, 0o644)
}
