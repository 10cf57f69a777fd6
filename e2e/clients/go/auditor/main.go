// Audits a log with golang.org/x/mod/sumdb, which knows nothing of ours: the signature of its
// checkpoint, the proof that an entry is in it, the proof that it goes on from an older checkpoint.
// Everything is read over HTTP.
//
//	auditor LOG VKEY TOKEN-FILE INDEX OLD-CHECKPOINT-FILE
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type reader struct{ log, token string }

func (r reader) get(path string) ([]byte, error) {
	request, err := http.NewRequest("GET", r.log+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

func (r reader) Height() int { return height }

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

// The checksum database has the height in its paths, which tlog-tiles fixes at eight.
func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := r.get(path)
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

// C2SP tlog-checkpoint: a name, a size, a root.
func tree(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("not a root")
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// C2SP tlog-tiles: each entry behind its length in two bytes.
func entry(bundle []byte, place int64) ([]byte, error) {
	for {
		if len(bundle) < 2 {
			return nil, errors.New("the bundle ends too early")
		}
		length := int(binary.BigEndian.Uint16(bundle))
		bundle = bundle[2:]
		if len(bundle) < length {
			return nil, errors.New("the bundle ends within an entry")
		}
		if place == 0 {
			return bundle[:length], nil
		}
		bundle, place = bundle[length:], place-1
	}
}

func audit(log, key, tokenFile, number, oldFile string) (string, error) {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return "", err
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return "", err
	}
	server := reader{log, strings.TrimSpace(string(token))}
	signed, err := server.get("checkpoint")
	if err != nil {
		return "", err
	}
	now, err := tree(signed, verifier)
	if err != nil {
		return "", err
	}
	hashes := tlog.TileHashReader(now, server)

	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return "", err
	}
	width := min(now.N-index/256*256, 256)
	path := fmt.Sprintf("tile/entries/%03d", index/256)
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	bundle, err := server.get(path)
	if err != nil {
		return "", err
	}
	leaf, err := entry(bundle, index%256)
	if err != nil {
		return "", err
	}
	included, err := tlog.ProveRecord(now.N, index, hashes)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckRecord(included, now.N, now.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return "", err
	}

	kept, err := os.ReadFile(oldFile)
	if err != nil {
		return "", err
	}
	old, err := tree(kept, verifier)
	if err != nil {
		return "", err
	}
	consistent, err := tlog.ProveTree(now.N, old.N, hashes)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckTree(consistent, now.N, now.Hash, old.N, old.Hash); err != nil {
		return "", err
	}
	return fmt.Sprintf("ok %d %d %s", old.N, now.N, leaf), nil
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "auditor LOG VKEY TOKEN-FILE INDEX OLD-CHECKPOINT-FILE")
		os.Exit(64)
	}
	said, err := audit(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(said)
}
