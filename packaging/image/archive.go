package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path"
	"strings"
	"time"
)

// The types of the OCI's image specification, as far as they are needed.
const (
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type object = map[string]any

// parcel is a tar in the making. Its files have no time, so that the same sources lead to the same bytes.
type parcel struct {
	bytes.Buffer
	tar *tar.Writer
	err error // the first
}

func newParcel() *parcel {
	p := &parcel{}
	p.tar = tar.NewWriter(p)
	return p
}

func (p *parcel) put(h tar.Header, data []byte) {
	if p.err != nil {
		return
	}
	h.Size, h.ModTime = int64(len(data)), time.Unix(0, 0)
	if p.err = p.tar.WriteHeader(&h); p.err == nil {
		_, p.err = p.tar.Write(data)
	}
}

func (p *parcel) file(name string, mode int64, data []byte) {
	p.put(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, data)
}

func (p *parcel) end() ([]byte, error) {
	if p.err == nil {
		p.err = p.tar.Close()
	}
	return p.Bytes(), p.err
}

// blob puts bytes where their digest says.
func (p *parcel) blob(mediaType string, data []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: digest(data), Size: len(data)}
	p.file(place(d), 0o644, data)
	return d
}

func place(d descriptor) string { return "blobs/" + strings.ReplaceAll(d.Digest, ":", "/") }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// asJSON cannot fail: everything that is given to it is a struct, a map or a list of strings and numbers.
func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// archive is the image in the OCI's layout, with the one file more by which older versions of Docker find their way.
func (s *stage) archive(tag, arch string) ([]byte, error) {
	files, err := s.layer()
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(files); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	p := newParcel()
	layer := p.blob(layerType, packed.Bytes())
	configuration := p.blob(configType, asJSON(object{
		"architecture": arch, "os": "linux", "created": time.Unix(0, 0).UTC(),
		"config": s.config,
		"rootfs": object{"type": "layers", "diff_ids": []string{digest(files)}},
	}))
	manifest := p.blob(manifestType, asJSON(object{
		"schemaVersion": 2, "mediaType": manifestType, "config": configuration, "layers": []descriptor{layer},
	}))
	manifest.Annotations = map[string]string{
		"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": "docker.io/library/cashew:" + tag,
	}
	p.file("index.json", 0o644, asJSON(object{"schemaVersion": 2, "mediaType": indexType, "manifests": []descriptor{manifest}}))
	p.file("oci-layout", 0o644, asJSON(object{"imageLayoutVersion": "1.0.0"}))
	p.file("manifest.json", 0o644, asJSON([]object{{
		"Config": place(configuration), "RepoTags": []string{"cashew:" + tag}, "Layers": []string{place(layer)},
	}}))
	return p.end()
}

// layer is a tar of the files that are copied, and of the directories they are in.
func (s *stage) layer() ([]byte, error) {
	p := newParcel()
	made := map[string]bool{".": true}
	var directory func(string)
	directory = func(name string) {
		if made[name] {
			return
		}
		made[name] = true
		directory(path.Dir(name))
		p.put(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}, nil)
	}
	for _, c := range s.copies {
		data, err := os.ReadFile(c.from)
		if err != nil {
			return nil, err
		}
		mode := int64(0o644)
		if c.built {
			mode = 0o755
		}
		name := strings.TrimPrefix(c.to, "/")
		directory(path.Dir(name))
		p.file(name, mode, data)
	}
	return p.end()
}
